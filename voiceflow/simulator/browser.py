"""The simulated caller as a browser: signaling, WebRTC and the data channel as on the page, and what it measures.

It behaves as the page does: what is said is heard as it comes, and `clear` mutes the agent until its next reply.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from typing import Any, Final

import msgspec
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket

from voiceflow.errors import ProviderConnectionError
from voiceflow.frames import AudioRaw
from voiceflow.simulator.load import CallOutcome, Calls, Leaving, phase
from voiceflow.simulator.measure import Tally
from voiceflow.simulator.peer import Peer
from voiceflow.simulator.player import Player
from voiceflow.simulator.report import Said, TurnDurations
from voiceflow.simulator.script import PIECE, Ear, Script
from voiceflow.simulator.signaling import Signaling, connect
from voiceflow.simulator.ticker import Ticker
from voiceflow.transports.media_stream import FAILURE
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.inbound import Inbound
from voiceflow.transports.webrtc.opus import FORMAT
from voiceflow.transports.webrtc.turn_servers import read_servers

JITTER_BUFFER: Final = 0.02
"""Seconds that audio after a silence waits, so that what follows may be late by as much without a gap."""
VANISHED: Final = 5.0
"""Seconds without a packet after which a server is gone: it sends all the time, silence too."""
LOOK: Final = 0.5
"""Seconds between two checks whether the server is gone."""


class BrowserCaller:
    """One call. Make it with `BrowserCaller.call`."""

    def __init__(self, script: Script, tally: Tally, ticker: Ticker, *, record: bool, phase: float) -> None:
        """`phase`: the point within each 20 ms at which pieces are sent, from 0 to 1."""
        self.player = Player(FORMAT, jitter_buffer=JITTER_BUFFER, record=record)
        self.ended: CallOutcome | None = None
        self.number = 0
        self.zero = 0.0
        self.turns: list[TurnDurations] = []
        self.part = script.part(script.format)
        self._tally = tally
        self._clock = ticker.clock
        self._record = record
        self._phase = phase
        self._over: asyncio.Future[CallOutcome] = asyncio.get_running_loop().create_future()
        self._ear = Ear(FORMAT)
        self._leaving = Leaving(self.part, Ear(FORMAT))
        self._inbound = Inbound(self._hear)
        self._arrivals: list[tuple[float, int]] = []  # when audio came, and its offset in the recording, in bytes
        self._lines: dict[int | str, Said] = {}
        self._connected_at = math.inf
        self._heard_at = math.inf
        self._transit: float | None = None
        self._heard = False
        self._muted = False
        self._interrupted: float | None = None  # when the caller did, until the agent's clear
        self._peer: Peer
        self._signaling: Signaling

    @classmethod
    async def call(
        cls,
        url: str,
        script: Script,
        tally: Tally,
        ticker: Ticker,
        *,
        record: bool,
        phase: float,
        relay_only: bool = False,
    ) -> BrowserCaller:
        """Call the server at `url`. Raises `ProviderConnectionError` where there is no call."""
        caller = cls(script, tally, ticker, record=record, phase=phase)
        signaling = caller._signaling = await connect(url)
        try:
            hello = await signaling.ask("hello_ack", type="hello")
            try:
                servers = read_servers(hello.get("ice_servers", []))
            except (msgspec.ValidationError, ValueError) as error:
                raise ProviderConnectionError(f"the server's ICE servers cannot be used: {error}") from error
            peer = caller._peer = Peer(servers, caller._speak, caller._arrive, caller._read, relay_only=relay_only)
            try:
                answer = await signaling.ask("webrtc_answer", type="webrtc_offer", sdp=await peer.offer())
                await peer.accept(answer.get("sdp", ""), script.network)
            except BaseException:
                await peer.close()
                raise
        except BaseException:
            signaling.tell(type="hangup")
            await signaling.close()
            raise
        caller._connected_at = caller._heard_at = ticker.clock()
        return caller

    @property
    def seconds(self) -> float:
        """How long the call has lasted, in seconds."""
        return self.number * PIECE

    @property
    def conversation(self) -> list[Said]:
        """What caller and agent said, as far as the server has told it."""
        return [line for line in self._lines.values() if line.text]

    def arrival(self, offset: int) -> float:
        """When the byte at `offset` in the recording came, on the phone's clock."""
        place = bisect_right(self._arrivals, offset, key=lambda arrival: arrival[1])
        return self._arrivals[max(0, place - 1)][0]

    def received(self, now: float) -> int:
        """How many bytes of the recording had come at the time `now`."""
        place = bisect_right(self._arrivals, now, key=lambda arrival: arrival[0])
        return self._arrivals[place][1] if place < len(self._arrivals) else self.player.size

    async def converse(self) -> None:
        """Conduct the call to its end."""
        ends: set[asyncio.Future[Any]] = {self._over, self._peer.lost}
        try:
            while not self._over.done():
                await asyncio.wait(ends, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                if self._peer.lost.done():
                    self._end(self._peer.lost.result(), failed=True)
                elif self._clock() - self._heard_at >= VANISHED:
                    self._end(f"no audio came from the server for {VANISHED:g} s", failed=True)
            self.ended = self._over.result()
        finally:
            self._end("stopped")
            self._inbound.close()
            self._tally.lost += self._inbound.lost / FORMAT.rate
            self.player.clear(self._clock())
            self._peer.tell(messages.PageHangup())
            self._signaling.tell(type="hangup")
            await self._peer.close()
            await self._signaling.close()

    def _end(self, reason: str, *, failed: bool = False) -> None:
        """End the call for this reason: from now on nothing is said and nothing heard."""
        if not self._over.done():
            self._over.set_result(CallOutcome(reason, failed))

    # Speaking

    async def _speak(self) -> bytes | None:
        now = self._clock()
        if not self.zero:
            self.zero = (math.ceil(now / PIECE) + self._phase) * PIECE
        deadline = self.zero + (self.number + 1) * PIECE  # a microphone has its last sample only then
        await asyncio.sleep(deadline - now)
        now, number, part = self._clock(), self.number, self.part
        part.advance(number, now)
        if self._leaving.is_due(number, now, self.player.end):
            self._end("hung up")
        if self._over.done():
            raise MediaStreamError
        self._tally.late.add(max(0.0, now - deadline))
        self._tally.sent += 1
        if number == part.barge_in:
            self._interrupted = now
        if number in part.keys:
            self._peer.tell(messages.PageDtmf(part.keys[number]))
        self.number = number + 1
        piece = part.piece(number)
        return None if piece == part.silence else piece

    # Listening

    def _arrive(self, packet: RtpPacket) -> None:
        now = self._heard_at = self._clock()
        self._tally.received += 1
        transit = now - packet.timestamp / FORMAT.rate
        if self._transit is not None and abs(transit - self._transit) < VANISHED:  # else the timestamps wrapped
            self._tally.jitter.add(abs(transit - self._transit))
        self._transit = transit
        self._inbound.arrive(packet)

    def _hear(self, audio: AudioRaw) -> None:
        if self._over.done():
            return
        now, data = self._clock(), audio.data
        if self._muted:
            data = bytes(len(data))
        if not self._heard and not self._ear.is_quiet(data):
            self._heard = True
            self._tally.first_audio.add(max(0.0, now - self._connected_at))
        if self._record:
            self._arrivals.append((now, self.player.size))
        self.player.audio(data, now)
        self._leaving.hear(data, self.number, self.player.end)
        self.part.hear(data, self.player.end)

    def _read(self, message: messages.ToPage) -> None:
        match message:
            case messages.PageClear():
                self._clear(self._clock())
            case messages.PageState(state):
                self._muted = self._muted and state != "speaking"
            case messages.PageTranscript(text, final) if final:
                self._lines[f"said {len(self._lines)}"] = Said("caller", text)
            case messages.PageReply():
                text = message.heard if message.done else message.text
                self._lines[message.id] = Said("agent", text, message.interrupted)
            case messages.PageLatency(_, stages):
                self._tally.turn.add(sum(stages.values()))
                in_ms = {name: round(seconds * 1000, 1) for name, seconds in stages.items()}
                self.turns.append(TurnDurations(round(sum(stages.values()) * 1000, 1), in_ms))
            case messages.PageEnded(reason):
                self._end(f"the server ended the call: {reason}", failed=reason == FAILURE)

    def _clear(self, now: float) -> None:
        """Mute the agent until its next reply, as the page does."""
        self._muted = True
        self._tally.clears += 1
        if self._interrupted is not None:
            self._tally.clear.add(now - self._interrupted)
            self._interrupted = None
        self.player.clear(now)
        self.part.cleared(now)
        while self._arrivals and self._arrivals[-1][1] >= self.player.size:
            self._arrivals.pop()


class BrowserLoad(Calls[BrowserCaller]):
    """Many calls at once, each from a browser of its own."""

    def __init__(self, url: str, count: int, script: Script, *, relay_only: bool = False) -> None:
        super().__init__(count, script)
        self._url = url
        self._relay_only = relay_only

    async def _begin(self, number: int, ticker: Ticker) -> BrowserCaller:
        return await BrowserCaller.call(
            self._url,
            self.script,
            self.tally,
            ticker,
            record=number == 0,
            phase=phase(number),
            relay_only=self._relay_only,
        )
