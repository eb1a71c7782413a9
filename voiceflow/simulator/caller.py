"""The simulated caller: one call as a carrier conducts it.

Each call sends a piece every 20 ms, at deadlines that are counted from its first piece and so do not drift; plays
what comes back; returns marks; and refuses what its carrier refuses. The calls share one timer and have no task
that runs per message.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from voiceflow.frames import AudioRaw
from voiceflow.simulator.line import Closed, Line, dial
from voiceflow.simulator.load import CallOutcome, Calls, Leaving, phase
from voiceflow.simulator.measure import EchoDelay, Tally
from voiceflow.simulator.player import Player, Returned
from voiceflow.simulator.script import PIECE, Ear, Script
from voiceflow.simulator.ticker import Ticker
from voiceflow.transports.dialect import ClearRequest, MarkRequest, Message, Mirror, Refusal

JITTER_BUFFER: Final = 0.02
"""Seconds that the first audio after a silence waits: a piece, as in a telephone network's gateways."""
WELL: Final = (1000, 1005)
"""The close codes of a server that hangs up in order: "normal closure", and none at all (RFC 6455, section 7.4.1)."""


class Caller:
    """One call of a carrier, over an open WebSocket."""

    def __init__(
        self, line: Line, mirror: Mirror, script: Script, tally: Tally, ticker: Ticker, *, record: bool, phase: float
    ) -> None:
        """`phase`: the point within each 20 ms at which pieces are sent, from 0 to 1."""
        outbound = mirror.start.outbound
        buffer = mirror.buffer.seconds if mirror.buffer else math.inf
        self.player = Player(outbound, buffer=buffer, jitter_buffer=JITTER_BUFFER, record=record)
        self.ended: CallOutcome | None = None
        self.closed: Closed | None = None
        """How the server closed the stream. None: it did not, or after the caller had left."""
        self.number = 0
        """How many pieces the caller has spoken."""
        self._line = line
        self._mirror = mirror
        self.part = script.part(outbound)
        self._tally = tally
        self._ticker = ticker
        self._clock = ticker.clock
        self._began = self._clock()
        self.zero = (math.ceil(self._began / PIECE) + phase) * PIECE
        """When the caller begins to speak, on the phone's clock."""
        self._echo = EchoDelay(tally, PIECE, outbound.bytes_for(PIECE))
        self._reason = ""  # why the caller leaves
        self._left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrival = 0.0  # when the last message reaches the server
        self._held: Message | None = None  # a message that another one overtakes
        self._interrupted: float | None = None  # when the caller did, until the agent's clear
        self._leaving = Leaving(self.part, Ear(outbound))
        self._heard = False

    @property
    def seconds(self) -> float:
        """How long the call has lasted, in seconds."""
        return self.number * PIECE

    async def converse(self) -> None:
        """Conduct the call to its end."""
        self._line.listen(self._receive)
        for message in self._mirror.hello():
            self._send(message)
        self._ticker.at(self._deadline, self._tick)
        ends: set[asyncio.Future[Any]] = {self._left, self._line.closed}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not self._reason:
                self.closed = self._line.closed.result()
            self.ended = CallOutcome(self._reason) if self.closed is None else _closed(self.closed)
            self._leave(self.ended.reason)
            self._send(self._mirror.stop())
            await self._line.close()
        finally:
            self._leave("stopped")
            self._line.abort()

    def _leave(self, reason: str) -> None:
        """Leave the call for this reason: from now on nothing is said and nothing heard."""
        if not self._reason:
            self._reason = reason
            self.player.clear(self._clock())
            self._left.set_result(None)

    # Speaking

    def _tick(self) -> None:
        """Speak the next piece."""
        if self._reason or not self._line.is_open:
            return
        now, number, part = self._clock(), self.number, self.part
        if number == part.vanish:
            self._line.vanish(self._mirror.media(part.piece(number)))
            self._leave("vanished")
            return
        part.advance(number, now)
        if self._leaving.is_due(number, now, self.player.end):
            self._leave("hung up")
            return
        self._tally.late.add(max(0.0, now - self._deadline))
        self._give_back(self.player.advance(now))
        self._speak(number)
        self.number = number + 1
        self._ticker.at(self._deadline, self._tick)

    @property
    def _deadline(self) -> float:
        """When the next piece is to be sent: at its end, since a microphone has its last sample only then."""
        return self.zero + (self.number + 1) * PIECE

    def _speak(self, number: int) -> None:
        part, network = self.part, self.part.network
        if number == part.barge_in:
            self._interrupted = self._clock()
        if number in part.keys:
            self._travel(partial(self._send, self._mirror.dtmf(part.keys[number])))
        data = part.piece(number)
        if network.loss and random.random() < network.loss:
            self._mirror.lose(data)
            self._echo.sent(None)
            return
        message, held = self._mirror.media(data), self._held
        if network.reorder and held is None and random.random() < network.reorder:
            self._held = message
            return
        self._travel(partial(self._send_media, message))
        if held is not None:
            self._held = None
            self._travel(partial(self._send_media, held))

    def _travel(self, arrive: Callable[[], None]) -> None:
        """Call `arrive` when a message reaches the server: late by the network's jitter, and never out of order."""
        jitter = self.part.network.jitter
        if not jitter:
            arrive()
            return
        self._arrival = max(self._arrival, self._clock() + random.random() * jitter)
        self._ticker.at(self._arrival, arrive)

    def _send_media(self, message: Message) -> None:
        if not self._reason:
            self._echo.sent(self._clock())
            self._send(message)

    def _send(self, message: Message) -> None:
        if self._line.is_open:
            self._tally.sent += 1
            self._line.send(message)

    # Listening

    def _receive(self, message: Message) -> None:
        if self._reason:
            return
        now = self._clock()
        self._tally.received += 1
        for request in self._mirror.receive(message):
            match request:
                case AudioRaw():
                    self._play(request, now)
                case MarkRequest():
                    self.player.mark(request.name, now)
                    self._give_back(self.player.advance(now))
                case ClearRequest():
                    self._clear(now)
                case Refusal():
                    self._refuse(request)

    def _play(self, audio: AudioRaw, now: float) -> None:
        if not self._heard:
            self._heard = True
            self._tally.first_audio.add(now - self._began)
        if not self.player.audio(audio.data, now):
            assert self._mirror.buffer is not None
            self._refuse(self._mirror.buffer.refused)
            return
        self._echo.received(len(audio.data), now)
        self._leaving.hear(audio.data, self.number, self.player.end)
        self.part.hear(audio.data, self.player.end)

    def _clear(self, now: float) -> None:
        self._tally.clears += 1
        if self._interrupted is not None:
            self._tally.clear.add(now - self._interrupted)
            self._interrupted = None
        self._give_back(self.player.clear(now))
        self.part.cleared(now)

    def _give_back(self, returned: list[Returned]) -> None:
        for mark in returned:
            if mark.played:
                self._tally.marks_played += 1
            else:
                self._tally.marks_cleared += 1
            self._send(self._mirror.mark(mark.name))

    def _refuse(self, refused: Refusal) -> None:
        self._tally.refuse(refused)
        for message in self._mirror.refuse(refused):
            self._send(message)


def _closed(closed: Closed) -> CallOutcome:
    said = f"{closed.code} {closed.reason}".strip()
    return CallOutcome(f"the server closed the connection: {said}", failed=closed.code not in WELL)


class Load(Calls[Caller]):
    """Many calls of a carrier at once, one for each of `mirrors`, the carrier's end of a call."""

    def __init__(self, url: str, mirrors: Sequence[Mirror], script: Script) -> None:
        super().__init__(len(mirrors), script)
        self._url = url
        self._mirrors = mirrors

    async def _begin(self, number: int, ticker: Ticker) -> Caller:
        return Caller(
            await dial(self._url),
            self._mirrors[number],
            self.script,
            self.tally,
            ticker,
            record=number == 0,
            phase=phase(number),
        )
