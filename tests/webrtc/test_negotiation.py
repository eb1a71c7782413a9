"""Whenever a negotiation is given up, no socket of it stays open."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from webrtc.browser import Browser

from voiceflow.simulator.peer import Peer
from voiceflow.transports.webrtc import session as sessions
from voiceflow.transports.webrtc.offer import OfferError
from voiceflow.transports.webrtc.session import PeerSession


class SlowSockets:
    """Has the running loop take its time to open UDP sockets, and knows those that were opened."""

    def __init__(self) -> None:
        self.opened: list[asyncio.DatagramTransport] = []
        self.first = asyncio.Event()
        self._loop: Any = asyncio.get_running_loop()
        self._open = self._loop.create_datagram_endpoint
        self._loop.create_datagram_endpoint = self._slowly

    async def _slowly(self, *args: Any, **options: Any) -> Any:
        transport, protocol = await self._open(*args, **options)
        self.opened.append(transport)
        self.first.set()
        await asyncio.sleep(0.05)
        return transport, protocol

    @property
    def left(self) -> list[asyncio.DatagramTransport]:
        return [transport for transport in self.opened if not transport.is_closing()]


async def offered() -> str:
    async with Browser() as browser:
        return await browser.offer()


def test_cancelled_while_candidates_are_gathered_it_leaves_no_socket() -> None:
    async def main() -> None:
        offer, sockets = await offered(), SlowSockets()
        answering = asyncio.ensure_future(PeerSession.answer(offer, []))
        await sockets.first.wait()
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        assert sockets.opened
        assert sockets.left == []

    asyncio.run(main())


def test_an_answer_that_takes_too_long_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ANSWER", 0.02)

    async def main() -> None:
        offer, sockets = await offered(), SlowSockets()
        with pytest.raises(OfferError, match="could not be resolved within"):
            await PeerSession.answer(offer, [])
        assert sockets.left == []

    asyncio.run(main())


async def nothing_said() -> bytes | None:
    await asyncio.sleep(0.02)
    return None


@pytest.mark.parametrize("steps", range(8))
def test_a_caller_that_gives_up_while_the_answer_is_taken_leaves_no_socket(steps: int) -> None:
    async def main() -> None:
        sockets = SlowSockets()
        peer = Peer([], nothing_said, lambda packet: None, lambda message: None)
        async with await PeerSession.answer(await peer.offer()) as session:
            accepting = asyncio.ensure_future(peer.accept(session.sdp))
            for _ in range(steps):
                await asyncio.sleep(0)
            accepting.cancel()
            await asyncio.wait({accepting})
            await peer.close()
        assert sockets.opened
        assert sockets.left == []

    asyncio.run(main())
