"""A simulated caller who listens: asks when the agent is quiet, interrupts while it speaks, hangs up when answered.

The phone is that of `voiceflow call`, its carrier included. Only what it says is decided while the call goes on,
where a script would have to guess how long the agent thinks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, cast

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.simulator.caller import Caller, Load
from voiceflow.simulator.record import decoded
from voiceflow.simulator.script import PERFECT, PIECE, Network, Script, pieces
from voiceflow.transports.carriers import carrier_named
from voiceflow.transports.chunking import silence
from voiceflow.transports.dialect import ClearRequest, Mirror, Request, Start

PATIENCE = 60.0
"""Seconds within which the agent must have done what is waited for. Tests may share the machine with others."""
LOOK = 0.01
"""How often it is looked whether that is the case, in seconds."""
NUMBER = "+12025550123"
MULAW = AudioFormat("mulaw", 8_000)


class Arrival(NamedTuple):
    """Something came from the agent."""

    at: float
    """By `time.monotonic`."""
    request: Request


class Wire:
    """A carrier that notes when what goes over the wire."""

    def __init__(self, carrier: Mirror) -> None:
        self.sent: list[float] = []
        """When each piece of the caller's audio was sent, by `time.monotonic`."""
        self.arrivals: list[Arrival] = []
        self._carrier = carrier

    def media(self, data: bytes) -> str | bytes:
        self.sent.append(time.monotonic())
        return self._carrier.media(data)

    def receive(self, message: str | bytes) -> list[Request]:
        requests = self._carrier.receive(message)
        self.arrivals += [Arrival(time.monotonic(), request) for request in requests]
        return requests

    def __getattr__(self, name: str) -> Any:
        return getattr(self._carrier, name)


class Speaker:
    """What the phone takes for its script."""

    keys: dict[int, str] = {}  # noqa: RUF012 - as a script has it
    barge_in = vanish = None
    network: Network = PERFECT
    over = silent_from = 1 << 40
    """The number of the piece after which the caller has nothing more to do: it is not known."""

    def __init__(self, format: AudioFormat) -> None:
        self.format = format
        self.length: int | None = None
        """0 to hang up."""
        self.spoken: asyncio.Event = asyncio.Event()
        self._left: list[bytes] = []
        self._silence = silence(format.bytes_for(PIECE), format)

    def say(self, audio: AudioRaw) -> None:
        self._left += pieces(audio, self.format)
        self.spoken.clear()

    def part(self, heard: AudioFormat) -> Speaker:
        return self

    def advance(self, number: int, now: float) -> None:
        """Nothing depends on it."""

    def hear(self, data: bytes, end: float) -> None:
        """The conversation listens."""

    def cleared(self, now: float) -> None:
        """The wire has noted it."""

    def piece(self, number: int) -> bytes:
        if self._left:
            return self._left.pop(0)
        self.spoken.set()
        return self._silence


class Conversation:
    """One call. What is waited for in it comes within `PATIENCE`, or `TimeoutError` is raised."""

    def __init__(self, wire: Wire, load: Load, speaker: Speaker) -> None:
        self.wire = wire
        self._load = load
        self._speaker = speaker

    @property
    def phone(self) -> Caller:
        return self._load.callers[0]

    @property
    def is_over(self) -> bool:
        return self.phone.ended is not None

    @property
    def clears(self) -> list[float]:
        """When the agent had the carrier drop what was not played, by `time.monotonic`."""
        return [arrival.at for arrival in self.wire.arrivals if isinstance(arrival.request, ClearRequest)]

    @property
    def audio_at(self) -> list[float]:
        """When each piece of the agent's audio came, by `time.monotonic`."""
        return [arrival.at for arrival in self.wire.arrivals if isinstance(arrival.request, AudioRaw)]

    @property
    def heard(self) -> int:
        """How much of the agent's audio was played, or will be, in bytes."""
        return self.phone.player.size

    def heard_since(self, start: int, end: int | None = None) -> AudioRaw:
        """What the caller has heard of the agent, without its pauses, from that byte on."""
        return decoded(self.phone.player.recording[start:end], self.phone.player.format)

    async def say(self, audio: AudioRaw) -> None:
        """Say `audio` to its end."""
        self._speaker.say(audio)
        await self._speaker.spoken.wait()

    def interrupt(self, audio: AudioRaw) -> None:
        """Begin to say `audio`."""
        self._speaker.say(audio)

    async def agent_has_spoken(self, start: int, seconds: float = 0.0) -> None:
        """Wait until the caller has heard so much more of the agent than `start` bytes."""
        format = self.phone.player.format
        await self.until(lambda: self.phone.player.position(time.monotonic()) > start / format.byte_rate + seconds)

    async def agent_is_quiet(self, seconds: float = 1.0) -> None:
        """Wait until nothing was heard of the agent for so long. Its sentences are closer to each other."""
        await self.until(lambda: self.phone.player.end + seconds < time.monotonic())

    async def answer(self, question: AudioRaw) -> AudioRaw:
        """Ask, and listen to the answer."""
        start = self.heard
        await self.say(question)
        await self.agent_has_spoken(start)
        await self.agent_is_quiet()
        return self.heard_since(start)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for `condition`."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                assert not self.is_over, f"the call has ended: {self.phone.ended}"
                await asyncio.sleep(LOOK)


@contextlib.asynccontextmanager
async def calling(
    url: str, did: str, *, provider: str = "twilio", format: AudioFormat = MULAW
) -> AsyncIterator[Conversation]:
    """Call the number `did` at a media stream's address. The caller hangs up at the end."""
    wire, speaker = Wire(_carrier(provider, did, format)), Speaker(format)
    load = Load(url, [cast(Mirror, wire)], cast(Script, speaker))
    running = asyncio.create_task(load.run())
    begun = asyncio.create_task(load.begun.wait())
    try:
        await asyncio.wait({running, begun}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield Conversation(wire, load, speaker)
        speaker.length = 0
        await running
    finally:
        begun.cancel()
        running.cancel()
        await asyncio.wait({running, begun})


def _carrier(provider: str, did: str, format: AudioFormat) -> Mirror:
    call = "CA" + "0" * 32 if provider == "twilio" else "v2:1"
    parameters = {"from": NUMBER, "to": did}
    return carrier_named(provider).mirror(
        Start(provider, "MZ" + "0" * 32, call, NUMBER, did, format, format, parameters)
    )
