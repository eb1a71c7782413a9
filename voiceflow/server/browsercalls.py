"""Calls from browsers: from an offer to a running call, and to its end."""

from __future__ import annotations

import asyncio
import itertools
import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from voiceflow.errors import CallRejectedError, VoiceflowError
from voiceflow.route import Route
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.session import PeerSession
from voiceflow.transports.webrtc.turn import StaticICE
from voiceflow.turns.latency import TurnLatency

if TYPE_CHECKING:
    from voiceflow.call import Build, Call
    from voiceflow.transports.webrtc.turn import IceServer, ICEServers

log = logging.getLogger("voiceflow.server")

STOPPING: Final = "the server is stopping: call again in a moment"
GOODBYE: Final = 5.0
"""Seconds that calls have to end when the server stops."""


class BrowserCall:
    """One of them."""

    def __init__(self, session: PeerSession, build: Build, active: set[Call]) -> None:
        self.id = uuid.uuid4().hex
        self.sdp = session.sdp
        """Our answer to the browser's offer."""
        self._session = session
        self._build = build
        self._active = active
        self._task = asyncio.create_task(self._run(), name=f"browser call {self.id}")

    @property
    def ended(self) -> bool:
        return self._task.done()

    def on_end(self, callback: Callable[[BrowserCall], None]) -> None:
        self._task.add_done_callback(lambda task: callback(self))

    async def hang_up(self) -> None:
        """End it and wait until nothing of it is left."""
        await self._session.close()
        _, late = await asyncio.wait({self._task}, timeout=GOODBYE)
        for task in late:
            task.cancel()

    async def _run(self) -> None:
        async with self._session as session:
            call = session.call(route=Route())
            turns = itertools.count(1)
            call.on_turn(lambda latency: session.channel.tell(_told(next(turns), latency)))
            call.on_turn(lambda latency: call.log.info("turn: %s", latency))
            call.log.info("from a browser")
            self._active.add(call)
            try:
                await session.connected()  # first: only a page that is connected can be told what fails
                ended = await call.run(self._build)
                call.log.info("ended: %s", ended.reason)
            except VoiceflowError as error:  # before it began
                call.log.warning("%s", error)
            except Exception as error:
                call.log.error("%r", error, exc_info=error)
            finally:
                self._active.discard(call)


class BrowserCalls:
    """Makes calls of offers, and ends them with the server."""

    def __init__(self, build: Build, ice: ICEServers | None, active: set[Call]) -> None:
        self._build = build
        self._ice = ice
        self._active = active
        self._calls: set[BrowserCall] = set()
        self._stopping = False

    async def ice_servers(self, *, local: bool) -> list[dict[str, Any]]:
        """For the browser, as `RTCPeerConnection` takes them."""
        return [msgspec.to_builtins(server) for server in await self._servers(local)]

    async def _servers(self, local: bool) -> list[IceServer]:
        """None for a browser on this machine, unless they were asked for: it needs no way through routers, and who is
        offline would wait seconds for a STUN server."""
        if self._ice is not None:
            return await self._ice.ice_servers()
        return [] if local else await StaticICE().ice_servers()

    async def start(self, sdp: str, *, local: bool) -> BrowserCall:
        """Answer an offer. Raises `OfferError`, `MissingExtraError`, `CallRejectedError`."""
        if self._stopping:
            raise CallRejectedError(STOPPING)
        session = await PeerSession.answer(sdp, await self._servers(local))
        if self._stopping:
            await session.close()
            raise CallRejectedError(STOPPING)
        call = BrowserCall(session, self._build, self._active)
        self._calls.add(call)
        call.on_end(self._calls.discard)
        return call

    async def stop(self) -> None:
        """Take no more calls, and end those that are on."""
        self._stopping = True
        await asyncio.gather(*(call.hang_up() for call in self._calls))


def _told(turn: int, latency: TurnLatency) -> messages.PageLatency:
    return messages.PageLatency(turn, msgspec.structs.asdict(latency))
