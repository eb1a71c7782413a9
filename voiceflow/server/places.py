"""How many calls there may be at once: in this process, and on each number.

A call has a place from its beginning to its end. One that a carrier has announced by a webhook has one from when that
was answered, for as long as its stream may come: else a burst of webhooks would promise more than there is.

Each process counts its own calls, and the promises that it made itself.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Final

from voiceflow.config.routes import Found
from voiceflow.errors import CallRejectedError
from voiceflow.security.tokens import LIFETIME

FULL: Final = "all lines are busy: call again later"
STOPPING: Final = "the server is stopping: call again in a moment"


class AllBusyError(CallRejectedError):
    """A call for which there is no place."""

    def __init__(self, why: str = FULL) -> None:
        super().__init__(why)


class Place:
    """The place of one call, for the time of a context."""

    def __init__(self, free: Callable[[], None]) -> None:
        self._free: Callable[[], None] | None = free

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.free()

    def free(self) -> None:
        """Another call may have the place. May be called repeatedly."""
        free, self._free = self._free, None
        if free is not None:
            free()


class Places:
    """The places of one process."""

    def __init__(self, most: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`most`: how many there are; None: there is no limit but those of numbers. `clock` is in seconds."""
        self.most = most
        self.closed = False
        """Whether only calls get a place that were announced before, since the server is about to stop."""
        self._clock = clock
        self._held = 0
        self._of_number: Counter[str] = Counter()
        self._promised: dict[Hashable, tuple[float, Place]] = {}
        """Until when, the soonest first."""
        self._on: set[Hashable] = set()
        """The announced calls that have begun."""

    @property
    def held(self) -> int:
        """How many calls are on or may still come: those that were announced."""
        self._forget()
        return self._held

    @property
    def is_full(self) -> bool:
        """Whether no number has a place left."""
        self._forget()
        return self.most is not None and self._held >= self.most

    def promise(self, call: Hashable, found: Found) -> None:
        """Keep a place for a call whose stream is to come. A call that is announced again keeps its own. Raises
        `AllBusyError`."""
        if call in self._on:
            return
        self._forget()
        known = self._promised.pop(call, None)
        if known is None and self.closed:
            raise AllBusyError(STOPPING)
        place = known[1] if known is not None else self.take(found)
        self._promised[call] = self._clock() + LIFETIME, place

    def take(self, found: Found, call: Hashable = None) -> Place:
        """A place for a call that begins on a number: the one that was promised to `call`, an announced one, if this
        process has answered its webhook. Raises `AllBusyError`."""
        self._forget()
        if call is not None and (promised := self._promised.pop(call, None)) is not None:
            return self._begun(call, promised[1])
        if call is None and self.closed:
            raise AllBusyError(STOPPING)
        most, number = found.route.max_calls, found.key
        if self.is_full or (most is not None and self._of_number[number] >= most):
            raise AllBusyError
        self._held += 1
        self._of_number[number] += 1
        place = Place(lambda: self._leave(number))
        return place if call is None else self._begun(call, place)

    def _begun(self, call: Hashable, place: Place) -> Place:
        """The place of an announced call whose stream has come."""

        def free() -> None:
            self._on.discard(call)
            place.free()

        self._on.add(call)
        return Place(free)

    def _leave(self, number: str) -> None:
        self._held -= 1
        self._of_number[number] -= 1
        if not self._of_number[number]:
            del self._of_number[number]

    def _forget(self) -> None:
        """Free the places of calls whose stream has not come."""
        now = self._clock()
        while self._promised:
            call, (until, place) = next(iter(self._promised.items()))
            if now <= until:
                return
            del self._promised[call]
            place.free()
