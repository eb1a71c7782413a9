"""Measures a load of calls: delays, jitter, amounts, and what went wrong.

No I/O and no clock: the simulated callers report what happened and when, in seconds. All of them count into one
`Tally`, whose size grows neither with their number nor with the length of their calls.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

import msgspec

from voiceflow.simulator.player import Span
from voiceflow.transports.dialect import Refusal

STEP: Final = 1e-4
"""The resolution of durations, in seconds."""
LONGEST_GAP: Final = 0.5
"""Seconds. Silence of up to this length is a gap in speech; longer silence is a pause after the agent had ended."""
PATIENCE: Final = 60.0
"""Seconds after which audio that has not come back never will: the server is no echo."""


class Quantiles(msgspec.Struct, frozen=True):
    """Durations, in milliseconds."""

    count: int
    p50: float
    p99: float
    max: float


class Durations:
    """Counts durations, given in seconds."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, seconds: float) -> None:
        step = int(seconds / STEP)
        self._counts[step] = self._counts.get(step, 0) + 1

    def quantiles(self) -> Quantiles | None:
        """None if nothing was counted."""
        if not self._counts:
            return None
        total, steps = sum(self._counts.values()), sorted(self._counts)

        def quantile(share: float) -> float:
            """The least duration that a `share` of all do not exceed, in milliseconds, as the middle of a step."""
            left = math.ceil(share * total)
            for step in steps:
                left -= self._counts[step]
                if left <= 0:
                    break
            return round((step + 0.5) * STEP * 1000, 2)

        return Quantiles(total, quantile(0.5), quantile(0.99), quantile(1.0))


class Refusals(msgspec.Struct):
    """How often the carrier refused a message for one reason, and its words the first time."""

    code: int
    title: str
    detail: str
    count: int = 0


class Tally:
    """The counts and durations of all calls together."""

    def __init__(self) -> None:
        self.delay = Durations()
        """From the sending of a piece of the caller's audio to the arrival of its echo."""
        self.jitter = Durations()
        """By how much the delay, or in a browser's call the transit time of packets, differs from one piece to the next
        (as in RFC 3550, section 6.4.1)."""
        self.not_echoes = 0
        """Calls in which more audio came back than was sent: those are no echoes, and have no delay."""
        self.webhook = Durations()
        """From a webhook to the end of its answer."""
        self.first_audio = Durations()
        """From the start of the stream to the agent's first audio."""
        self.clear = Durations()
        """From a barge-in to the agent's `clear`."""
        self.turn = Durations()
        """From the caller's last sound to the agent's first, as the server reports it to browsers."""
        self.lost = 0.0
        """Seconds of the agent's audio that did not arrive in time: the network's loss."""
        self.late = Durations()
        """How late the phone itself was in sending."""
        self.sent = 0
        """Messages; packets of audio in browsers' calls."""
        self.received = 0
        self.marks_played = 0
        self.marks_cleared = 0
        self.clears = 0
        self.gaps = 0
        self.gap_seconds = 0.0
        self.commands: Counter[str] = Counter()
        """What the carrier was told to do with calls, once their streams had begun."""
        self.refusals: dict[int, Refusals] = {}

    def refuse(self, refused: Refusal) -> None:
        known = self.refusals.setdefault(refused.code, Refusals(refused.code, refused.title, refused.detail))
        known.count += 1

    def listen(self, spans: Iterable[Span]) -> None:
        """Count the gaps in what one caller heard."""
        before: Span | None = None
        for span in spans:
            if before is not None and not before.cut and span.start - before.end <= LONGEST_GAP:
                self.gaps += 1
                self.gap_seconds += span.start - before.end
            before = span


class EchoDelay:
    """Measures the delay of an echo by counting bytes: an echo loses nothing, so it is known from which piece its n-th
    byte comes."""

    def __init__(self, tally: Tally, piece: float, size: int) -> None:
        """Each piece that is sent is `piece` seconds long; its echo has `size` bytes."""
        self._tally = tally
        self._size = size
        self._patience = PATIENCE / piece
        self._sent: deque[float | None] | None = deque()  # when each piece that is not back was sent
        self._back = 0  # bytes that came back of the oldest of them
        self._before: float | None = None  # the delay of the last piece

    def sent(self, now: float | None) -> None:
        """Told that a piece was sent at `now`, or, with None, that it was lost, so that silence comes back instead."""
        if self._sent is not None:
            self._sent.append(now)
            if len(self._sent) > self._patience:
                self._sent = None

    def received(self, size: int, now: float) -> None:
        if self._sent is None:
            return
        self._back += size
        while self._back >= self._size:
            if not self._sent:
                self._sent = None
                self._tally.not_echoes += 1
                return
            self._back -= self._size
            self._measure(self._sent.popleft(), now)

    def _measure(self, sent: float | None, now: float) -> None:
        delay = None if sent is None else now - sent
        if delay is not None:
            self._tally.delay.add(delay)
            if self._before is not None:
                self._tally.jitter.add(abs(delay - self._before))
        self._before = delay
