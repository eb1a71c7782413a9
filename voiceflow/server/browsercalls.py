"""Calls from browsers, from the offer to the end of the call."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from voiceflow.auth.middleware import EXPIRED, seconds_until
from voiceflow.call_limits import Limits
from voiceflow.config.routes import Found
from voiceflow.engine.loop_lag import lag_reported
from voiceflow.errors import CallRejectedError, VoiceflowError
from voiceflow.frames import Error, Frame
from voiceflow.logs import get_logger
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.session import PeerSession
from voiceflow.transports.webrtc.turn_servers import StaticICE
from voiceflow.turns.latency import TurnLatency

from .places import STOPPING

if TYPE_CHECKING:
    from voiceflow.auth import AuthResult
    from voiceflow.call import Build, Call
    from voiceflow.config.routes import Routes
    from voiceflow.pipeline import Element
    from voiceflow.route import Route
    from voiceflow.transports.webrtc.turn_servers import IceServer, ICEServers

    from .places import Places

log = get_logger("voiceflow.server")

GOODBYE: Final = 5.0
"""Seconds that a call has to end after its connection was closed; then it is cancelled."""
IDLE: Final = 1800.0
"""Seconds for which nothing may be said by either side. A caller who is muted, but there, may want to listen; and no
carrier is paid for the minutes."""


class BrowserCall:
    """One call from a browser, which runs in a task of its own."""

    def __init__(
        self,
        session: PeerSession,
        build: Build,
        route: Route,
        active: set[Call],
        *,
        local: bool,
        user: AuthResult | None = None,
    ) -> None:
        """`local`: the browser is on this machine, and may learn what fails. `user` is whoever calls, where that was
        asked; the call ends when their identity does."""
        self.id = uuid.uuid4().hex
        """Names the call to whom it concerns, who may then act on it: it cannot be guessed."""
        self._session = session
        self._build = build
        self._route = route
        self._active = active
        self._local = local
        self._user = user
        self._task = asyncio.create_task(self._run(), name=f"browser call {self.id}")

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        return self._task.done()

    def is_of(self, user: AuthResult | None) -> bool:
        """Whether `user` began this call."""
        return user is self._user is None or (self._user is not None and self._user.is_same_as(user))

    @property
    def sdp(self) -> str:
        """Our answer to the browser's last offer."""
        return self._session.sdp

    @property
    def username(self) -> str:
        """The browser's ICE username."""
        return self._session.username

    async def renegotiate(self, sdp: str, *, restart: bool = False) -> None:
        """Answer a further offer of the browser; `restart`: it is that of a new connection. Raises `OfferError`."""
        await self._session.renegotiate(sdp, restart=restart)

    async def add_candidate(self, candidate: str, mid: str | None, line: int | None) -> None:
        """Add a candidate that the browser found after its offer. Raises `OfferError`."""
        await self._session.add_candidate(candidate, mid, line)

    def on_end(self, callback: Callable[[BrowserCall], None]) -> None:
        """Call `callback(call)` when this call is over."""
        self._task.add_done_callback(lambda task: callback(self))

    async def hang_up(self) -> None:
        """Close the connection and wait for the end of the call, at most `GOODBYE` seconds: then it is cancelled."""
        await self._session.close()
        _, late = await asyncio.wait({self._task}, timeout=GOODBYE)
        for task in late:
            task.cancel()

    async def _run(self) -> None:
        async with self._session as session:
            call = session.call(route=self._route, user=self._user, limits=Limits(idle=IDLE))
            turns = itertools.count(1)
            call.on_turn(lambda latency: session.channel.tell(_for_page(next(turns), latency)))
            call.on_turn(lambda latency: call.log.info("turn: %s", latency))
            if self._local:
                call.observe(_Problems(session))
            call.log.info("from a browser")
            self._active.add(call)
            try:
                await session.connected()  # first: only a page that is connected can be told what fails
                with lag_reported(), self._ending(session):
                    ended = await call.run(self._build)
                call.log.info("ended: %s", ended.reason)
            except VoiceflowError as error:  # the call could not begin
                call.log.warning("%s", error)
            except Exception as error:
                call.log.error("%r", error, exc_info=error)
            finally:
                self._active.discard(call)

    @contextmanager
    def _ending(self, session: PeerSession) -> Iterator[None]:
        """End the call when the identity of its user ends."""
        if self._user is None or self._user.expires is None:
            yield
            return
        seconds = seconds_until(self._user.expires, time.time())
        timer = asyncio.get_running_loop().call_later(seconds, session.end, EXPIRED)
        try:
            yield
        finally:
            timer.cancel()


class _Problems:
    """Observes a call, and tells its page what fails in it."""

    def __init__(self, session: PeerSession) -> None:
        self._session = session
        self._last: Error | None = None

    def __call__(self, upstream: Element, downstream: Element, frame: Frame) -> None:
        if isinstance(frame, Error) and frame is not self._last:  # each boundary shows it again
            self._last = frame
            self._session.channel.tell(messages.PageProblem(frame.processor, frame.message))


class BrowserCalls:
    """Starts calls from browsers' offers. At the end of its context it accepts no more of them, and ends those that are
    on. It works outside of the context, too, and then no one ends them."""

    def __init__(self, build: Build, ice: ICEServers | None, active: set[Call], routes: Routes, places: Places) -> None:
        self._build = build
        self._ice = ice
        self._active = active
        self._routes = routes
        self._places = places
        self._calls: dict[str, BrowserCall] = {}
        self._stopping = False
        self.ends_calls = False
        """Whether this is the context, which ends calls when it is over."""

    async def ice_servers(self, *, local: bool) -> list[dict[str, Any]]:
        """The STUN and TURN servers for the browser, in the form that `RTCPeerConnection` takes. `local` says whether
        the browser is on this machine."""
        return [msgspec.to_builtins(server) for server in await self._servers(local)]

    async def _servers(self, local: bool) -> list[IceServer]:
        """The STUN and TURN servers for one call. A browser on this machine gets none unless they are configured: it
        needs no way through routers, and without a network it would wait seconds for a STUN server."""
        if self._ice is not None:
            return await self._ice.ice_servers()
        return [] if local else await StaticICE().ice_servers()

    async def start(self, sdp: str, *, local: bool, user: AuthResult | None = None) -> BrowserCall:
        """Answer an offer and start its call. `user` is whoever calls.

        Raises `OfferError` for an offer that cannot be used, `MissingExtraError` without aiortc, and
        `CallRejectedError` while the server stops, and where there is no place for the call.
        """
        if self._stopping:
            raise CallRejectedError(STOPPING)
        route = self._routes.default
        place = self._places.take(Found("", route))
        try:
            session = await PeerSession.answer(sdp, await self._servers(local), local=local)
            if self._stopping:
                await session.close()
                raise CallRejectedError(STOPPING)
        except BaseException:
            place.free()
            raise
        call = BrowserCall(session, self._build, route, self._active, local=local, user=user)
        self._calls[call.id] = call
        call.on_end(self._forget)
        call.on_end(lambda call: place.free())
        return call

    def find(self, id: str, user: AuthResult | None) -> BrowserCall | None:
        """The call of this id, while it is on, for the `user` who began it."""
        call = self._calls.get(id)
        return call if call is not None and call.is_of(user) else None

    def _forget(self, call: BrowserCall) -> None:
        del self._calls[call.id]

    async def __aenter__(self) -> None:
        self._stopping, self.ends_calls = False, True

    async def __aexit__(self, *error: object) -> None:
        self._stopping, self.ends_calls = True, False
        await asyncio.gather(*(call.hang_up() for call in self._calls.values()))


def _for_page(turn: int, latency: TurnLatency) -> messages.PageLatency:
    return messages.PageLatency(turn, msgspec.structs.asdict(latency))
