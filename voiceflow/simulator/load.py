"""Makes many simulated calls at once, either a carrier's (caller.py) or browsers' (browser.py)."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from voiceflow.errors import ProviderConnectionError
from voiceflow.simulator.measure import Tally
from voiceflow.simulator.player import Player
from voiceflow.simulator.script import PIECE, CallerPart, Ear, Script
from voiceflow.simulator.ticker import Ticker

RAMP: Final = 0.01
"""Seconds between the beginnings of two calls: starting all at once would measure the handshakes."""
GOLDEN: Final = 0.6180339887498949
"""The golden ratio's fraction: its multiples, modulo 1, spread evenly over 0 to 1, however many there are."""
REST: Final = 1.0
"""Seconds. A caller with nothing more to do hangs up when the agent has answered and then been quiet for this long."""
ANSWER: Final = 8.0
"""Seconds that a caller with nothing more to do waits for the agent to answer: a model may think."""
PATIENCE: Final = 60.0
"""Seconds after which a caller with nothing more to do hangs up in any case, even while the agent speaks."""


class CallOutcome(msgspec.Struct, frozen=True):
    """How a call ended."""

    reason: str
    failed: bool = False


class Conversation(Protocol):
    """One call that the server accepted."""

    player: Player
    part: CallerPart
    ended: CallOutcome | None
    number: int
    """How many pieces the caller has spoken."""
    zero: float
    """When the caller began to speak, on the phone's clock."""

    @property
    def seconds(self) -> float:
        """How long the call has lasted, in seconds."""

    async def converse(self) -> None:
        """Conduct the call to its end."""


C = TypeVar("C", bound=Conversation)


class Calls(ABC, Generic[C]):
    """Many calls at once, all by one script. The first is recorded."""

    def __init__(self, count: int, script: Script) -> None:
        self.tally = Tally()
        self.callers: list[C] = []
        """The calls that the server accepted."""
        self.begun = asyncio.Event()
        """Set once the first call was accepted."""
        self.refused: list[CallOutcome] = []
        """Why the other calls were not accepted."""
        self.cpu_seconds = 0.0
        """CPU time of this process, which simulates the callers."""
        self.took = 0.0
        """Seconds from the first call's beginning to the last one's end."""
        self.script = script
        self._count = count

    async def run(self) -> None:
        """Conduct all calls to their ends. Raises `ProviderConnectionError` if the first was not accepted."""
        ticker, began, cpu = Ticker(), time.perf_counter(), time.process_time()
        try:
            first = await self._begin(0, ticker)
            async with asyncio.TaskGroup() as calls:
                calls.create_task(self._converse(first))
                for number in range(1, self._count):
                    await asyncio.sleep(RAMP)
                    calls.create_task(self._call(number, ticker))
        finally:
            ticker.close()
            self.took, self.cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
            for caller in self.callers:
                self.tally.listen(caller.player.spans)

    @abstractmethod
    async def _begin(self, number: int, ticker: Ticker) -> C:
        """Make call `number`, and return it once it is accepted. Raises `ProviderConnectionError` if it is not."""

    async def _call(self, number: int, ticker: Ticker) -> None:
        try:
            caller = await self._begin(number, ticker)
        except ProviderConnectionError as error:
            self.refused.append(CallOutcome(str(error), failed=True))
            return
        await self._converse(caller)

    async def _converse(self, caller: C) -> None:
        self.callers.append(caller)
        self.begun.set()
        await caller.converse()


def phase(number: int) -> float:
    """The point within each 20 ms at which caller `number` sends, from 0 to 1, so that not all send at once."""
    return number * GOLDEN % 1


class Leaving:
    """Decides when a caller hangs up."""

    def __init__(self, part: CallerPart, ear: Ear) -> None:
        self._part = part
        self._ear = ear
        self._quiet_since = float("inf")
        self._answered = False

    def hear(self, data: bytes, number: int, end: float) -> None:
        """Told that the agent sent `data`, played by the time `end`, while the caller is at piece `number`."""
        part = self._part
        if part.length is None and number >= part.silent_from - 1 and not self._ear.is_quiet(data):
            self._answered = True
            if number >= part.over:
                self._quiet_since = end

    def is_due(self, number: int, now: float, end: float) -> bool:
        """Whether the caller hangs up at `now`, before piece `number`; the agent's audio is played by `end`."""
        part = self._part
        if part.length is not None:
            return number >= part.length
        if number == part.over:
            self._quiet_since = max(now, end)
        patience = REST if self._answered else ANSWER
        return now - self._quiet_since >= patience or (number - part.over) * PIECE >= PATIENCE
