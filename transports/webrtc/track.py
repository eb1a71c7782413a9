"""The agent's audio: from the playout queue to Opus packets, one every 20 ms, silence included.

aiortc does not pace what it sends: it sends a packet whenever `recv` returns, so `recv` sets the pace of the call.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import Packet

from voiceflow.transports.webrtc.opus import FORMAT, FRAME, TIME_BASE, Encoder
from voiceflow.transports.webrtc.pacer import Pacer
from voiceflow.transports.webrtc.playoutqueue import PlayoutQueue


class AgentTrack(MediaStreamTrack):
    """The track that aiortc sends to the peer."""

    kind = "audio"

    def __init__(self, queue: PlayoutQueue) -> None:
        super().__init__()
        self._queue = queue
        self._encoder = Encoder()
        self._pacer = Pacer(FRAME / FORMAT.rate)

    async def recv(self) -> Packet[Any]:
        step, wait = self._pacer.next(asyncio.get_running_loop().time())
        await asyncio.sleep(wait)
        if self.readyState != "live":
            raise MediaStreamError
        packet = Packet(self._encoder.encode(self._queue.take()))
        packet.pts = step * FRAME
        packet.time_base = TIME_BASE
        return packet
