"""One simulated call on a virtual clock, with our end of the stream at the other end of the line."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from voiceflow.audio import AudioFormat
from voiceflow.simulator.caller import Caller
from voiceflow.simulator.line import Closed, Line
from voiceflow.simulator.measure import Tally
from voiceflow.simulator.script import Script
from voiceflow.simulator.ticker import Ticker
from voiceflow.transports.carriers import carrier_named
from voiceflow.transports.dialect import Event, Start, Stream

MULAW = AudioFormat("mulaw", 8_000)
LOUD = bytes([0x80, 0x00]) * 80
"""A piece of as loud a tone as there is."""
SILENT = b"\xff" * 160


class Server:
    """Our end of a stream, at the other end of a line that takes `delay` seconds each way."""

    def __init__(self, provider: str = "twilio", delay: float = 0.0) -> None:
        self.stream: Stream = carrier_named(provider).stream()
        self.closed: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()
        self.is_open = True
        self.events: list[tuple[float, Event]] = []
        self.messages: list[tuple[float, str]] = []
        self.vanished: str | None = None
        self.on_event: Callable[[Event], None] = lambda event: None
        self._delay = delay
        self._way: deque[Callable[[], None]] = deque()
        self._caller: Callable[[str | bytes], None]

    # As a line

    def listen(self, on_message: Callable[[str | bytes], None]) -> None:
        self._caller = on_message

    def send(self, message: str) -> None:
        self._later(partial(self._receive, message))

    async def close(self) -> None:
        self.hang_up(Closed(1000, ""))

    def vanish(self, message: str) -> None:
        self.vanished = message
        self.hang_up(Closed(1006, ""))

    def abort(self) -> None:
        self.is_open = False

    # As a server

    def say(self, *messages: str | bytes) -> None:
        for message in messages:
            self._later(partial(self._caller, message))

    def media(self, data: bytes) -> None:
        self.say(*self.stream.media(data))

    def hang_up(self, closed: Closed) -> None:
        self.is_open = False
        if not self.closed.done():
            self.closed.set_result(closed)

    def of(self, kind: type) -> list[tuple[float, Any]]:
        return [(round(at, 6), event) for at, event in self.events if type(event) is kind]

    def _receive(self, message: str) -> None:
        self.messages.append((now(), message))
        for event in self.stream.receive(message):
            self.events.append((now(), event))
            self.on_event(event)

    def _later(self, action: Callable[[], None]) -> None:
        if not self._delay:
            action()
            return
        self._way.append(action)  # for timers of one time have no order
        asyncio.get_running_loop().call_later(self._delay, lambda: self._way.popleft()())


def now() -> float:
    return asyncio.get_running_loop().time()


def start(provider: str = "twilio", format: AudioFormat = MULAW) -> Start:
    return Start(provider, "MZ1", "CA1", "+12025550123", "+12025550199", format, format)


class Call(Caller):
    """A call that a test conducts."""

    tally: Tally
    server: Server


async def call(
    script: Script, *, delay: float = 0.0, provider: str = "twilio", prepare: Callable[[Server], None] | None = None
) -> Call:
    """Conduct a call with a server that `prepare` sets up."""
    server, tally = Server(provider, delay), Tally()
    ticker = Ticker(asyncio.get_running_loop().time)
    carrier = carrier_named(provider).mirror(start(provider, script.format))
    conducted = Call(cast(Line, server), carrier, script, tally, ticker, record=True, phase=0.0)
    conducted.tally, conducted.server = tally, server
    if prepare is not None:
        prepare(server)
    await conducted.converse()
    await asyncio.sleep(2 * delay)  # what is still under way
    tally.listen(conducted.player.spans)
    return conducted
