"""A carrier at the end of a long line, in virtual time: what the caller really hears, sample by sample.

Our sink writes into a delay line; at its other end is the phone's playout buffer, which says what was played when;
marks come back on another delay line, as punctually as a carrier likes to. Both lines keep their order, as TCP does.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Literal

import msgspec
from doubles import Script, virtual

from voiceflow import AudioFormat, AudioRaw, Call, Limits, LLMText, Mark, Processor, Sink, Transcript
from voiceflow.simulator.player import Player, Returned

MULAW = AudioFormat("mulaw", 8_000)
SENTENCE = 2.0
"""The length of a sentence in seconds."""
CHARACTERS = 30
"""How many characters a sentence has: 15 for each second, as the ledger assumes where it does not know better."""

Echoing = Literal["on time", "late", "out of order", "in bunches", "never"]


class Carrier(msgspec.Struct, frozen=True):
    """A simulated carrier and the line to it. Times are in seconds."""

    delay: float = 0.0
    """The least delay of a message, one way."""
    jitter: float = 0.0
    """By how much a message may take longer."""
    jitter_buffer: float = 0.0
    speed: float = 1.0
    """The speed of the carrier's clock: 1.001 plays a thousandth too fast."""
    echoing: Echoing = "on time"


class Interruption(msgspec.Struct, frozen=True):
    """The result of an interruption, in seconds of the reply that was interrupted."""

    heard: float
    """How much was heard according to the ledger."""
    played: float
    """How much the carrier had played when the clear reached it."""

    @property
    def error(self) -> float:
        return self.heard - self.played


class DelayLine:
    """Calls functions later, in the order in which they were sent."""

    def __init__(self, delay: float, jitter: float, dice: random.Random) -> None:
        self._delay, self._jitter, self._dice = delay, jitter, dice
        self._loop = asyncio.get_running_loop()
        self._travelling: deque[Callable[[], None]] = deque()
        self._arrival = 0.0

    def send(self, arrive: Callable[[], None]) -> None:
        takes = self._delay + self._jitter * self._dice.random()
        self._arrival = max(self._arrival, self._loop.time() + takes)
        self._travelling.append(arrive)
        self._loop.call_at(self._arrival, self._deliver)  # timers of one time may fire in any order

    def _deliver(self) -> None:
        self._travelling.popleft()()


class Line(Sink):
    """A sink with `carrier` at its other end."""

    accepts = MULAW
    echoes = True

    def __init__(self, carrier: Carrier, dice: random.Random) -> None:
        self.player = Player(MULAW, jitter_buffer=carrier.jitter_buffer, speed=carrier.speed, record=False)
        self.cleared = asyncio.Event()
        """Whether a clear has reached the carrier since this was last reset."""
        self._echoing, self._dice = carrier.echoing, dice
        self._there = DelayLine(carrier.delay, carrier.jitter, dice)
        self._back = DelayLine(carrier.delay, carrier.jitter, dice)
        self._gathered: list[str] = []
        self._loop = asyncio.get_running_loop()

    @property
    def played(self) -> float:
        """How many seconds of all that was sent were played, or will be."""
        return self.player.size / MULAW.byte_rate

    def write_audio(self, data: bytes) -> None:
        self._there.send(partial(self._play, data))

    def write_mark(self, name: str) -> None:
        self._there.send(partial(self._mark, name))

    def write_clear(self) -> None:
        self._there.send(self._clear)

    def _play(self, data: bytes) -> None:
        assert self.player.audio(data, self._loop.time())

    def _mark(self, name: str) -> None:
        self.player.mark(name, self._loop.time())
        self._wake()

    def _clear(self) -> None:
        self._return(self.player.clear(self._loop.time()))
        self.cleared.set()

    def _wake(self) -> None:
        self._return(self.player.advance(self._loop.time()))
        if self.player.due is not None:
            self._loop.call_at(self.player.due, self._wake)

    def _return(self, marks: list[Returned]) -> None:
        for mark in marks:
            echo = partial(self._echo, mark.name)
            match self._echoing:
                case "on time":
                    self._back.send(echo)
                case "late":
                    self._loop.call_later(3 * self._dice.random(), self._back.send, echo)
                case "in bunches" | "out of order":
                    self._gathered.append(mark.name)
        if len(self._gathered) >= 3:
            gathered, self._gathered = self._gathered, []
            if self._echoing == "out of order":
                self._dice.shuffle(gathered)
            for name in gathered:
                self._back.send(partial(self._echo, name))

    def _echo(self, name: str) -> None:
        self.echo(name)


class Model(Processor):
    """A speaker that has nothing to say of its own."""

    def process(self, frame: Transcript) -> LLMText | None:
        return None


class Voice(Processor):
    """Speaks each character for a fifteenth of a second, `pace` times as fast as it is heard."""

    produces = MULAW

    def __init__(self, pace: float, dice: random.Random) -> None:
        self._pace, self._dice = pace, dice

    async def process(self, frame: LLMText) -> AsyncIterator[AudioRaw | Mark]:
        for start in range(0, len(frame.text), CHARACTERS):
            text = frame.text[start : start + CHARACTERS]
            yield Mark(text)
            left = len(text) * SENTENCE / CHARACTERS
            while left > 0:
                seconds = min(left, self._dice.choice((0.02, 0.04, 0.25)))
                await asyncio.sleep(seconds / self._pace)
                yield AudioRaw(bytes(MULAW.bytes_for(seconds)), MULAW)
                left -= seconds
            yield Mark()


def interrupt(
    carrier: Carrier, *, times: int, seed: int, longest: float = 10.0, pace: float = 5.0
) -> list[Interruption]:
    """Interrupt replies of up to `longest` seconds at random moments, over `carrier`."""
    dice = random.Random(seed)
    interruptions: list[Interruption] = []

    async def main() -> None:
        line = Line(carrier, dice)
        hung_up = asyncio.Event()
        call = Call(Silent(hung_up), line, transport="test", limits=Limits(call=1e9))
        running = asyncio.create_task(call.run(lambda call: call.source | Model() | Voice(pace, dice) | call.sink))
        await asyncio.sleep(0)
        while len(interruptions) < times:
            before = line.played
            saying = asyncio.create_task(call.say("x" * round(longest * 15)))
            await asyncio.sleep(dice.uniform(0.1, longest))
            line.cleared.clear()
            call.clear()
            heard = await saying
            await line.cleared.wait()
            interruptions.append(Interruption(heard, line.played - before))
            await asyncio.sleep(dice.uniform(0.5, 2.0))
        hung_up.set()
        await running

    virtual(main())
    return interruptions


class Silent(Script):
    """A caller who says nothing, until the call is over."""

    def __init__(self, over: asyncio.Event) -> None:
        super().__init__(live=True)
        self._over = over

    async def frames(self) -> AsyncIterator[AudioRaw]:
        await self._over.wait()
        return
        yield
