"""Simulates a bad network for the audio that a browser sends, below encryption, where a real network acts as well."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from aiortc.rtp import is_rtcp

from voiceflow.simulator.script import Network

if TYPE_CHECKING:
    from aiortc import RTCIceTransport

Send = Callable[[bytes], Awaitable[None]]

VERSION_2: Final = range(128, 192)
"""The first byte of RTP and RTCP packets (RFC 7983, section 7). All other packets are DTLS or STUN."""


class LossyPath:
    """Stands between DTLS and ICE, and passes packets of audio on with the loss, jitter and reordering of `network`."""

    def __init__(self, send: Send, network: Network) -> None:
        self._send = send
        self._network = network
        self._held: bytes | None = None  # a packet that another one overtakes
        self._late: set[asyncio.Task[None]] = set()

    async def send(self, data: bytes) -> None:
        network = self._network
        if data[0] not in VERSION_2 or is_rtcp(data):
            await self._send(data)
            return
        if random.random() < network.loss:
            return
        if self._held is None and random.random() < network.reorder:
            self._held = data
            return
        held, self._held = self._held, None
        for packet in (data,) if held is None else (data, held):
            if network.jitter:
                late = asyncio.create_task(self._send_late(packet, random.random() * network.jitter))
                self._late.add(late)
                late.add_done_callback(self._late.discard)
            else:
                await self._send(packet)

    async def close(self) -> None:
        """Drop the packets that are on their way."""
        late = set(self._late)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _send_late(self, data: bytes, delay: float) -> None:
        await asyncio.sleep(delay)
        with contextlib.suppress(ConnectionError):  # closed meanwhile
            await self._send(data)


def impair(transport: RTCIceTransport, network: Network) -> LossyPath:
    """Let everything that is sent over `transport` go through `network`."""
    path = LossyPath(transport._send, network)
    transport._send = path.send
    return path
