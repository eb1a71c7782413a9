"""The caller's audio: from RTP packets, in the order and with the losses of the network, to audio without gaps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from voiceflow.frames import AudioRaw
from voiceflow.transports.webrtc.jitter import JitterBuffer, Lost, Packet, Piece
from voiceflow.transports.webrtc.opus import FORMAT, Decoder, samples_in

if TYPE_CHECKING:
    from aiortc.rtp import RtpPacket

CONCEALED: Final = FORMAT.rate // 10
"""How many samples of a gap the decoder conceals, fading to nothing. The rest of a gap is silence."""


class Inbound:
    """One RTP stream from the peer. `deliver` is called with its audio, at once where no packet is missing."""

    def __init__(self, deliver: Callable[[AudioRaw], None]) -> None:
        self.lost = 0
        """Samples that never came or came too late."""
        self._gap = 0  # samples that were concealed since the last packet
        self._deliver = deliver
        self._buffer = JitterBuffer(FORMAT.rate)
        self._decoder = Decoder()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def arrive(self, packet: RtpPacket) -> None:
        """Take in a packet that has come. A packet that is not Opus counts as lost."""
        samples = samples_in(packet.payload)
        if samples:
            known = Packet(packet.sequence_number, packet.timestamp, samples, packet.payload)
            self._take(self._buffer.push(known, self._loop.time()))

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._take(self._buffer.expire(self._loop.time()))

    def _take(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            data = self._conceal(piece.samples) if isinstance(piece, Lost) else self._decode(piece)
            self._deliver(AudioRaw(data, FORMAT))
        self.close()  # the timer was set for what was due before
        due = self._buffer.due
        if due is not None:
            self._timer = self._loop.call_at(due, self._expire)

    def _decode(self, packet: Packet) -> bytes:
        data = self._decoder.decode(packet.payload)
        if not data:
            return self._conceal(packet.samples)
        self._gap = 0
        return data

    def _conceal(self, samples: int) -> bytes:
        """Audio for `samples` of a gap, or of a further part of it."""
        self.lost += samples
        size, data = samples * FORMAT.frame_bytes, b""
        while len(data) < size and self._gap < CONCEALED:
            made_up = np.frombuffer(self._decoder.conceal(), "<i2")
            gain = 1 - np.arange(self._gap, self._gap + len(made_up)) / CONCEALED
            data += (made_up * gain.clip(0)).astype("<i2").tobytes()
            self._gap += len(made_up)
        return data[:size].ljust(size, b"\0")
