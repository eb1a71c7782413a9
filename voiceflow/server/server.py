"""The ASGI application. Media streams are served through bare ASGI, everything else through Starlette."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final
from urllib.parse import quote

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from voiceflow.auth import Authorize
from voiceflow.call import Build
from voiceflow.config.address import MEDIA
from voiceflow.config.current_address import current_address
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.logs import get_logger, show_numbers
from voiceflow.security.tokens import StreamTokens
from voiceflow.security.trust import Trust, secret_of
from voiceflow.transports.carriers import carriers
from voiceflow.variables import DIRECT

from .admission import Admission
from .browsercalls import BrowserCalls
from .callroutes import OFFER, WHIP, call_routes
from .drain import drained
from .elsewhere import Elsewhere, gone, unavailable
from .file_routes import Contained, refuse_taken
from .headers import with_headers
from .health import OllamaStatus
from .iceservers import ice_servers
from .identities import provider_of
from .listening import is_exposed
from .mediastreams import CarrierCalls
from .page import page
from .places import Places
from .prefix import at_prefix, below_prefix, prefix_of
from .refusals import RefusalLog
from .signaling import SignalingEndpoint
from .startup import Startup, explained
from .webhooks import Webhooks

log = get_logger("voiceflow.server")

OPEN: Final = ("/health", "/ready")
"""What everybody may ask: it tells strangers no more than whether the server works."""


class Server:
    """Serves one pipeline to carriers and browsers."""

    def __init__(
        self,
        build: Build,
        config: Config,
        routes: Routes,
        key: bytes,
        *,
        open: bool = False,
        exposed: bool | None = None,
        prefix: str | None = None,
        beside: Sequence[BaseRoute] = (),
        authorize: Authorize | None = None,
    ) -> None:
        """`key` is that of the run (`run_key`), which signs stream tokens unless `stream_keys` do. `open` admits calls
        from anybody, without signature or token.
        `exposed`: others than this machine's user may reach the server; None: if the configuration says so.
        `prefix` is the path below which everything is publicly; None: that of the public address, or else where the
        server is mounted. `beside` are routes that are served beside ours. `authorize` is one more provider of
        identities, besides those of the configuration. Raises `VoiceflowError` for what cannot be served."""
        show_numbers(config.log_numbers)
        self._routes = routes
        tokens = StreamTokens(*([each.text.encode() for each in config.stream_keys] or [key]))
        # Connections are not kept: there is none to be closed, whether or not anybody runs the lifespan.
        limits, certificates = httpx.Limits(max_keepalive_connections=0), httpx.create_ssl_context()
        client = httpx.AsyncClient(limits=limits, verify=certificates, mounts=DIRECT)
        self._drain_timeout = config.drain_timeout
        self._ollama = OllamaStatus(httpx.AsyncClient(limits=limits, verify=certificates, mounts=DIRECT))
        trust = self._trust = Trust(
            secret_of(key),
            exposed=is_exposed(config) or authorize is not None if exposed is None else exposed,
            open=open,
            origins=config.allowed_origins,
            address=partial(current_address, config),
        )
        refusals = self._refusals = RefusalLog()
        places = self._places = Places(config.max_calls)
        self.calls = CarrierCalls(build, config, routes, tokens, client, trust, refusals, places)
        self._browsers = BrowserCalls(build, ice_servers(config, client), self.calls.active, routes, places)
        provider = provider_of((*config.auth, authorize))
        admission = Admission(trust, config.allowed_origins, refusals, provider, config.auth_exclude)
        signaling = SignalingEndpoint(self._browsers, admission)
        webhooks = Webhooks(config, routes, tokens, trust, refusals, places)
        elsewhere = Elsewhere(trust, refusals)
        self._startup = Startup(build, routes, config.provider)
        self.routes: tuple[Route | WebSocketRoute, ...] = (
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/api/about", self._about),
            *webhooks.routes(),
            *call_routes(self._browsers, admission),
            WebSocketRoute("/ws", signaling.websocket),
            *page(trust),
        )
        unserved = WebSocketRoute("/{path:path}", elsewhere.refuse_stream)
        refuse_taken(beside, [*self.routes, WebSocketRoute(MEDIA, elsewhere.refuse_stream)])
        app = Starlette(
            routes=[*self.routes, *map(Contained, beside), unserved],
            exception_handlers={404: elsewhere.not_found, ClientDisconnect: gone},
        )
        app.router.redirect_slashes = False  # such redirects lead to whatever host the request names
        verified = [carrier.webhook_path for carrier in carriers()]  # by their carriers' signatures
        self._app = admission.before(app, open=(*verified, *OPEN), calls=(OFFER, WHIP))
        self._prefix = prefix if prefix is not None else prefix_of(config.public_ws_url) or None
        self._paths = {MEDIA, *(getattr(route, "path", "") for route in (*self.routes, *beside))}

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """What has to be around the time in which the server is asked: models are in memory before it begins, and calls
        have ended after it. Servers run it by ASGI's lifespan protocol. `app` is an application around this one, which
        has to run it where it mounts this one: Starlette and FastAPI take it as their `lifespan`."""
        async with self._ollama:
            await self._startup.run()
            await self._ollama.known()
            async with self._browsers:
                yield
        self._refusals.close()

    async def drain(self) -> None:
        """Take no new calls, but those that were announced before, and wait until all are over, for as long as the
        configuration says. Then tell those that are left, and hang up."""
        await drained(self._places, self.calls.active, self._drain_timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        send = with_headers(send)
        if not (self._startup.done or await self._begin()):
            await unavailable(scope, receive, send)
            return
        scope = at_prefix(scope, self._prefix, self._paths)
        below = below_prefix(scope)
        if scope["type"] == "websocket" and below == MEDIA:
            await self.calls.serve(dict(scope), receive, send)
        elif scope["type"] == "http" and not below:  # what a page names beside itself is below the prefix
            await RedirectResponse(f"/{quote(scope['root_path'].strip('/'))}/".replace("//", "/"))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start up and shut down by ASGI's lifespan protocol (asgi.readthedocs.io, "Lifespan Protocol"). A failure to
        start is reported in one line."""
        await receive()  # lifespan.startup
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self.lifespan())
            except Exception as error:
                log.debug("cannot serve", exc_info=error)
                await send({"type": "lifespan.startup.failed", "message": explained(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
        await send({"type": "lifespan.shutdown.complete"})

    async def _begin(self) -> bool:
        """Start for the first request, since nobody has run the lifespan. Returns whether everything can be served."""
        return await self._startup.run_for_request()

    async def _about(self, request: Request) -> Response:
        """What the page says of the pipeline before a call."""
        return JSONResponse({"answers": self._startup.answers})

    async def _ready(self, request: Request) -> Response:
        """Whether another call can be taken, for balancers."""
        if self._places.closed:
            status = "draining"
        else:
            status = "starting" if not self._startup.done else "full" if self._places.is_full else "ready"
        return JSONResponse(
            {"status": status, "active_calls": len(self.calls.active), "max_calls": self._places.most},
            status_code=200 if status == "ready" else 503,
        )

    async def _health(self, request: Request) -> Response:
        dids = self._routes.dids
        return JSONResponse(
            {
                "status": "ok",
                "run": self._trust.run,
                "dids": dids if self._trust.is_operators(request.scope) else len(dids),
                "active_calls": len(self.calls.active),
                "ollama": self._ollama.answers(),
            }
        )
