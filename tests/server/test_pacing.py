"""How much of the event loop peers may take by what they send."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from server.serving import Served, run, serving, until
from server.test_connections import peer

from voiceflow.auth import provider
from voiceflow.server.pacing import AT_ONCE, PIECE, SHARE, PacedTransport, Turns

UPGRADE = (
    b"GET /sip/media-stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Connection(asyncio.Transport):
    """A double of a transport that knows whether it is read from."""

    reading, closing = True, False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing


class Peer:
    """A connection, and what of its peer's bytes was handed on. Each piece costs `cost` seconds of `now`."""

    now = 0.0

    def __init__(self, turns: Turns, *, cost: float = 0.0) -> None:
        self.connection = Connection()
        self.paced = PacedTransport(self.connection, turns)
        self.pieces: list[bytes] = []
        self.wants_more = True
        self._cost = cost
        self.paced.begin(self._take, lambda: self.wants_more)

    def _take(self, piece: bytes) -> None:
        self.pieces.append(piece)
        Peer.now += self._cost


def turns() -> Turns:
    Peer.now = 0.0
    return Turns(lambda: Peer.now)


def many(size: int) -> bytes:
    return bytes(number % 251 for number in range(size))


@pytest.mark.parametrize("is_strangers", [True, False])
@pytest.mark.parametrize("size", [1, PIECE, PIECE + 1, 20 * PIECE])
def test_all_that_came_is_handed_on_in_small_pieces(size: int, is_strangers: bool) -> None:
    async def main() -> None:
        one = Peer(turns())
        one.paced.is_strangers = is_strangers
        one.paced.received(many(size))
        await until(lambda: sum(map(len, one.pieces)) == size)
        assert b"".join(one.pieces) == many(size)
        assert max(map(len, one.pieces)) <= PIECE
        assert one.connection.reading

    run(main())


def test_nothing_is_read_from_a_peer_of_whom_pieces_are_left() -> None:
    async def main() -> None:
        one = Peer(turns(), cost=AT_ONCE)
        one.paced.received(many(2 * PIECE))
        assert len(one.pieces) == 1
        assert not one.connection.reading
        Peer.now += 1
        await until(lambda: one.connection.reading)
        assert len(one.pieces) == 2

    run(main())


def test_strangers_take_turns_and_have_a_share_of_the_time_together() -> None:
    async def main() -> None:
        shared = turns()
        one, other, calm = Peer(shared, cost=AT_ONCE), Peer(shared, cost=AT_ONCE), Peer(shared)
        one.paced.received(many(50 * PIECE))
        other.paced.received(many(50 * PIECE))
        calm.paced.received(b"hello")
        for _ in range(40):
            Peer.now += AT_ONCE / 4
            await asyncio.sleep(AT_ONCE)  # the server's timer; how long it really takes decides nothing
        assert calm.pieces == [b"hello"]
        taken = len(one.pieces) + len(other.pieces)
        assert abs(len(one.pieces) - len(other.pieces)) <= 1
        assert 0 < taken * AT_ONCE <= AT_ONCE * 2 + SHARE * Peer.now

    run(main())


def test_who_is_admitted_does_not_wait_for_strangers() -> None:
    async def main() -> None:
        shared = turns()
        stranger, known = Peer(shared, cost=AT_ONCE), Peer(shared)
        known.paced.is_strangers = False
        stranger.paced.received(many(50 * PIECE))
        known.paced.received(b"20 ms of speech")
        assert known.pieces == [b"20 ms of speech"]
        known.paced.received(many(10 * PIECE))
        await until(lambda: len(known.pieces) == 11)
        assert len(stranger.pieces) == 1  # the clock stands still

    run(main())


@pytest.mark.parametrize("by", ["pausing", "asking"])
def test_a_protocol_that_wants_no_more_gets_nothing(by: str) -> None:
    async def main() -> None:
        one = Peer(turns())
        one.wants_more = by == "pausing"
        if by == "pausing":
            one.paced.pause_reading()
        one.paced.received(b"hello")
        await asyncio.sleep(2 * AT_ONCE)
        assert (one.pieces, one.connection.reading) == ([], False)
        one.wants_more = True
        one.paced.resume_reading()
        assert (one.pieces, one.connection.reading) == ([b"hello"], True)

    run(main())


def test_what_is_left_is_not_handed_on_once_the_connection_is_closing() -> None:
    async def main() -> None:
        one = Peer(turns(), cost=AT_ONCE)
        one.paced.received(many(2 * PIECE))
        one.connection.closing = True
        Peer.now += 1
        await asyncio.sleep(2 * AT_ONCE)
        assert len(one.pieces) == 1

    run(main())


def waiting(served: Served) -> int:
    """How many requests wait for the answers to those before them."""
    return sum(len(getattr(each, "pipeline", ())) for each in served.connections)


def test_requests_that_come_all_at_once_do_not_pile_up() -> None:
    async def main() -> None:
        async with serving() as served, peer(served) as (reader, writer):
            writer.write(REQUEST * 5000)
            answers, most = 0, 0
            while answers < 5000:
                answers += (await reader.read(1 << 16)).count(b"HTTP/1.1 200")
                most = max(most, waiting(served))
            assert most <= PIECE // len(REQUEST) + 1

    run(main())


def test_a_peer_that_breaks_the_protocol_before_its_handshake_is_answered_is_cut_off(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "DEADLINE", 0.5)
    asked = asyncio.Event()

    async def never(scope: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    async def main() -> None:
        async with serving(authorize=never) as served, peer(served) as (reader, writer):
            writer.write(UPGRADE.replace(b"/sip/media-stream", b"/ws"))
            await asked.wait()
            writer.write(b"\xff" * 100)
            assert await reader.read() == b""

    run(main())
    assert "Traceback" not in caplog.text
