"""What waits to leave, in exact pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from voiceflow.transports.webrtc.playoutqueue import PlayoutQueue

SIZE = 7


class Queued(RuleBasedStateMachine):
    """Against the plain string of bytes that it stands for."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = PlayoutQueue(SIZE)
        self.expected = b""
        self.taken = 0

    @rule(data=st.binary(max_size=40))
    def put(self, data: bytes) -> None:
        self.queue.put(data)
        self.expected += data

    @rule()
    def take(self) -> None:
        piece, self.expected = self.expected[:SIZE], self.expected[SIZE:]
        self.taken += len(piece)
        assert self.queue.take() == (piece.ljust(SIZE, b"\0") if piece else None)

    @rule()
    def clear(self) -> None:
        assert self.queue.clear() == len(self.expected)
        self.expected = b""

    @invariant()
    def counts(self) -> None:
        assert (self.queue.waiting, self.queue.taken) == (len(self.expected), self.taken)


TestQueued = Queued.TestCase


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_all_that_was_put_comes_out_in_pieces_and_zeros_at_the_end(chunks: list[bytes]) -> None:
    queue, whole = PlayoutQueue(SIZE), b"".join(chunks)
    for chunk in chunks:
        queue.put(chunk)
    pieces = list(iter(queue.take, None))
    assert all(len(piece) == SIZE for piece in pieces)
    assert b"".join(pieces) == whole + bytes(-len(whole) % SIZE)


def test_nothing_of_before_comes_out_after_a_clear() -> None:
    queue = PlayoutQueue(SIZE)
    queue.put(b"old" * 10)
    queue.take()
    queue.clear()
    assert queue.take() is None
    queue.put(b"new")
    assert queue.take() == b"new\0\0\0\0"
