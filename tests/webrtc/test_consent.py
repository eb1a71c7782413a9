"""The questions whether a quiet peer is still there, in virtual time: aioice's own, but for the wire."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aioice
import pytest
from aioice.candidate import Candidate
from aioice.ice import CandidatePair
from aioice.stun import Message, TransactionTimeout
from doubles import now, virtual

from voiceflow.errors import CallError
from voiceflow.transports.webrtc import ice
from voiceflow.transports.webrtc.channel import Channel
from voiceflow.transports.webrtc.opus import FRAME_BYTES
from voiceflow.transports.webrtc.playoutqueue import PlayoutQueue
from voiceflow.transports.webrtc.source_sink import VANISHED, WebRTCSource


class Wire:
    """In the place of a socket: whoever is at the other end answers within a tenth of a second until they are gone."""

    def __init__(self, gone: float) -> None:
        self.gone = gone
        self.asked: list[float] = []
        self.local_candidate = Candidate("1", 1, "udp", 1, "192.0.2.1", 1000, "host")

    async def request(self, request: Message, address: Any, key: bytes, retransmissions: int) -> Any:
        assert (address, key) == (("192.0.2.2", 2000), b"a password")
        assert "USE-CANDIDATE" not in request.attributes
        self.asked.append(now())
        await asyncio.sleep(0.1)
        if now() >= self.gone:
            await asyncio.sleep(0.5 * (2 ** (retransmissions + 1) - 1))
            raise TransactionTimeout


class Muted:
    """A browser's connection over which nothing comes by itself."""

    has_channel = False

    def __init__(self, gone: float) -> None:
        self.wire = Wire(gone)
        self.queue = PlayoutQueue(FRAME_BYTES)
        self.channel = Channel(lambda message: None)
        self._heard_at = now()
        connection = aioice.Connection(ice_controlling=False)
        connection.remote_username, connection.remote_password = "name", "a password"
        remote = Candidate("2", 1, "udp", 1, "192.0.2.2", 2000, "host")
        remote._network_host = remote.host
        connection._nominated[1] = CandidatePair(self.wire, remote)  # type: ignore[arg-type]
        ice.Consent(connection, lambda: self.quiet, self._present)
        self._asking = asyncio.ensure_future(connection.query_consent())

    @property
    def quiet(self) -> float:
        return now() - self._heard_at

    def _present(self) -> None:
        self._heard_at = now()

    async def connected(self) -> None: ...

    async def close(self) -> None:
        self._asking.cancel()


async def ended(connection: Muted, within: float) -> float | None:
    """When the source of such a call ended it. None: it did not."""
    source = WebRTCSource(connection)
    try:
        async with asyncio.timeout(within), contextlib.aclosing(source.frames()) as frames:
            async for _ in frames:
                return now()
    except TimeoutError:
        return None
    finally:
        await connection.close()
    raise AssertionError("the source ended without a frame")


def test_a_caller_who_is_muted_for_five_minutes_is_still_there() -> None:
    async def main() -> None:
        muted = Muted(gone=1000)
        assert await ended(muted, within=301) is None
        pauses = [later - earlier for earlier, later in zip(muted.wire.asked, muted.wire.asked[1:], strict=False)]
        assert max(pauses) <= ice.PING + 2 * ice.LOOK

    virtual(main())


def test_a_caller_who_answers_no_more_is_gone_within_5_seconds() -> None:
    async def main() -> None:
        at = await ended(Muted(gone=300), within=1000)
        assert at is not None
        assert 300 < at < 300 + VANISHED + ice.PING

    virtual(main())


def test_after_a_stall_of_this_process_the_caller_is_still_there() -> None:
    async def main() -> None:
        muted = Muted(gone=1000)
        asyncio.get_running_loop().call_later(10, stall, 3 * VANISHED)
        assert await ended(muted, within=60) is None

    virtual(main())


def stall(seconds: float) -> None:
    """Keep the loop busy: time passes, and nothing else happens."""
    asyncio.get_running_loop().advance(seconds)  # type: ignore[attr-defined]


def test_another_aioice_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "PRIVATE", ("_nominated", "_what_it_had_before"))
    with pytest.raises(CallError, match=r"aioice .* has changed inside: expected .* _what_it_had_before"):
        ice.check(aioice.Connection(ice_controlling=False))
