"""Calls at once, whoever makes them: a carrier's phone (caller.py) or a browser (browser.py)."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from voiceflow.errors import ProviderConnectionError
from voiceflow.simulator.measure import Tally
from voiceflow.simulator.player import Player
from voiceflow.simulator.script import PIECE, Ear, Script
from voiceflow.simulator.ticker import Ticker

RAMP: Final = 0.01
"""Seconds between the beginnings of two calls: all at once would measure the handshakes."""
GOLDEN: Final = 0.6180339887498949
"""Multiples of it spread evenly over the unit interval, however many there are."""
REST: Final = 1.0
"""The caller hangs up when there is nothing more to do and the agent, who has answered, has been quiet for this long,
in seconds."""
ANSWER: Final = 8.0
"""... or, who has not, for this long: a model may think."""
PATIENCE: Final = 60.0
"""... or when there has been nothing more to do for this long, whatever the agent says."""


class CallOutcome(msgspec.Struct, frozen=True):
    """How a call ended."""

    reason: str
    failed: bool = False


class Conversation(Protocol):
    """One call that was taken."""

    player: Player
    ended: CallOutcome | None
    number: int
    """How many pieces the caller has spoken."""
    zero: float
    """When the caller began to speak, on the phone's clock."""

    @property
    def seconds(self) -> float:
        """How long the call has lasted."""

    async def converse(self) -> None:
        """Conduct the call to its end."""


C = TypeVar("C", bound=Conversation)


class Calls(ABC, Generic[C]):
    """Calls at once, all by one script. The first is recorded."""

    def __init__(self, count: int, script: Script) -> None:
        self.tally = Tally()
        self.callers: list[C] = []
        """Those whose calls were taken."""
        self.begun = asyncio.Event()
        """Set once there is one."""
        self.refused: list[CallOutcome] = []
        """Why the other calls were not."""
        self.cpu_seconds = 0.0
        """The phone's own processor time."""
        self.took = 0.0
        """Seconds from the first call's beginning to the last one's end."""
        self.script = script
        self._count = count

    async def run(self) -> None:
        """Conduct all calls to their ends. Raises `ProviderConnectionError` if not even the first was taken."""
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
        """The caller of that number, whose call was taken. Raises `ProviderConnectionError`."""

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
    """When in the 20 ms the caller of that number sends, from 0 to 1: not all at once."""
    return number * GOLDEN % 1


class Leaving:
    """Tells when a caller hangs up."""

    def __init__(self, script: Script, ear: Ear) -> None:
        self._script = script
        self._ear = ear
        self._quiet_since = float("inf")
        self._answered = False
        self._silent_from = script.silent_from if script.length is None else 0

    def hear(self, data: bytes, number: int, end: float) -> None:
        """The agent sent `data`, which will have been played at `end`; the caller is at that piece."""
        script = self._script
        if script.length is None and number >= self._silent_from - 1 and not self._ear.is_quiet(data):
            self._answered = True
            if number >= script.over:
                self._quiet_since = end

    def is_due(self, number: int, now: float, end: float) -> bool:
        """Whether the caller leaves before saying that piece, with the agent's audio so far played at `end`."""
        script = self._script
        if script.length is not None:
            return number >= script.length
        if number == script.over:
            self._quiet_since = max(now, end)
        patience = REST if self._answered else ANSWER
        return now - self._quiet_since >= patience or (number - script.over) * PIECE >= PATIENCE
