"""Gathering of ICE candidates, which must not be cut short.

aioice opens a UDP socket for each address, one after the other, and only knows them when all are open. If it is
cancelled meanwhile, they stay open for ever, and uvloop never closes its loop. So gathering runs to its end, in a task
of its own, and the connection is closed after that.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiortc import RTCPeerConnection, RTCSessionDescription

LONGEST: Final = 8.0
"""Seconds that gathering may take: aioice gives STUN and TURN servers 5, and resolves their names before."""

log = logging.getLogger("voiceflow.webrtc")


class Gathering:
    """The gathering of one connection."""

    def __init__(self, connection: RTCPeerConnection) -> None:
        self._connection = connection
        self._task: asyncio.Task[None] | None = None

    async def run(self, description: RTCSessionDescription) -> None:
        """Make `description` the connection's local one, with all candidates. May be cancelled: the gathering goes on
        until `end`."""
        self._task = asyncio.get_running_loop().create_task(
            self._connection.setLocalDescription(description), name="gathering ICE candidates"
        )
        await asyncio.shield(self._task)

    async def end(self) -> None:
        """Wait until the sockets are known, so that closing the connection closes them. Raises nothing."""
        if self._task is None or self._task.done():
            return
        _, late = await asyncio.wait({self._task}, timeout=LONGEST)
        if late:
            log.warning("gathering ICE candidates did not end within %g s: sockets may stay open", LONGEST)
            self._task.cancel()
        elif not self._task.cancelled():
            self._task.exception()  # whoever waited has been told, or is not interested any more
