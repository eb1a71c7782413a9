"""The steps of a negotiation, which must not be cut short.

aioice opens a UDP socket for each address, one after the other, and only knows them when all are open. aiortc gives up
the transports that bundling makes superfluous before it closes their sockets. If either is cancelled meanwhile, sockets
stay open for ever, and uvloop never closes its loop. So each step runs to its end, in a task of its own, and the
connection is closed after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from aiortc import RTCRtpSender

from voiceflow.logs import get_logger
from voiceflow.transports.webrtc.ice import stop_asking

if TYPE_CHECKING:
    from aiortc import RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription

LONGEST: Final = 8.0
"""Seconds that a step may take: aioice gives STUN and TURN servers 5, and resolves their names before."""
CLOSE: Final = 5.0
"""Seconds within which a connection must close. It takes time only if a TURN server does not answer."""

log = get_logger("voiceflow.webrtc")


class Negotiation:
    """The negotiation of one connection. Each step may be cancelled: it goes on until `end`."""

    def __init__(self, connection: RTCPeerConnection) -> None:
        self._connection = connection
        self._step: asyncio.Task[None] | None = None

    async def accept(self, description: RTCSessionDescription) -> None:
        """Make `description` the connection's remote one."""
        await self._run(self._connection.setRemoteDescription(description))

    async def gather(self, description: RTCSessionDescription) -> None:
        """Make `description` the connection's local one, with all candidates."""
        await self._run(self._connection.setLocalDescription(description))

    async def end(self) -> None:
        """Wait until the sockets are known, so that closing the connection closes them. Raises nothing."""
        if self._step is None:
            return
        _, late = await asyncio.wait({self._step}, timeout=LONGEST)
        if late:
            log.warning("the negotiation did not end within %g s: sockets may stay open", LONGEST)
            self._step.cancel()
        elif not self._step.cancelled():
            self._step.exception()  # whoever waited has been told, or is not interested any more

    async def _run(self, step: Coroutine[Any, Any, None]) -> None:
        self._step = asyncio.get_running_loop().create_task(step, name="negotiating a peer connection")
        await asyncio.shield(self._step)


def allow_opus_only(audio: RTCRtpTransceiver) -> None:
    """Have Opus negotiated for `audio`, and no other codec."""
    codecs = RTCRtpSender.getCapabilities("audio").codecs
    audio.setCodecPreferences([codec for codec in codecs if codec.mimeType == "audio/opus"])


async def close(connection: RTCPeerConnection) -> None:
    """Close a connection whose negotiation has ended, and wait until it is closed."""
    transports = {transceiver.receiver.transport for transceiver in connection.getTransceivers()}
    if connection.sctp is not None:
        transports.add(connection.sctp.transport)  # another one, until they are bundled
    for transport in transports:
        stop_asking(transport.transport)
    try:
        async with asyncio.timeout(CLOSE):
            await connection.close()
    except TimeoutError:
        log.warning("a peer connection did not close within %g s", CLOSE)
