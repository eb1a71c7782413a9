"""The ASGI application. Media streams are served through bare ASGI, everything else through Starlette."""

from __future__ import annotations

import gc
import logging
from typing import Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from voiceflow.call import Build, Call
from voiceflow.config.address import MEDIA
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.engine.loop_lag import LagGauge
from voiceflow.engine.runner import preload
from voiceflow.errors import VoiceflowError
from voiceflow.processors.llm.ollama import address
from voiceflow.security.tokens import StreamTokens
from voiceflow.security.trust import Trust, secret_of
from voiceflow.transports.dry_call import nominal_call

from .admission import Admission
from .answers import Answers, who_answers
from .browsercalls import BrowserCalls
from .callroutes import call_routes
from .elsewhere import not_found, refuse_stream
from .headers import with_headers
from .iceservers import ice_servers
from .listening import is_exposed
from .mediastreams import CarrierCalls
from .page import page
from .prefix import at_prefix, prefix_of
from .signaling import SignalingEndpoint
from .webhooks import Webhooks

log = logging.getLogger("voiceflow.server")

OLLAMA_SECONDS: Final = 0.5
"""Seconds within which an Ollama server must answer to count as there."""


class Server:
    """Serves one pipeline to carriers and browsers."""

    def __init__(self, build: Build, config: Config, routes: Routes, key: bytes, *, open: bool = False) -> None:
        """`key` is that of the run (`run_key`). `open` admits calls from anybody, without signature or token."""
        self._build = build
        self._routes = routes
        self._provider = config.provider
        tokens = StreamTokens(key)
        self._client = httpx.AsyncClient()
        trust = self._trust = Trust(
            secret_of(key), exposed=is_exposed(config), open=open, origins=config.allowed_origins
        )
        self.calls = CarrierCalls(build, config, routes, tokens, self._client, trust)
        self._browsers = BrowserCalls(build, ice_servers(config, self._client), self.calls.active, routes)
        admission = Admission(trust, config.allowed_origins)
        signaling = SignalingEndpoint(self._browsers, admission)
        webhooks = Webhooks(config, routes, tokens, trust)
        self._answers: Answers = "agent"
        self.routes: tuple[Route | WebSocketRoute, ...] = (
            Route("/health", self._health),
            Route("/api/about", self._about),
            *webhooks.routes(),
            *call_routes(self._browsers, admission),
            WebSocketRoute("/ws", signaling.websocket),
            *page(trust),
            WebSocketRoute("/{path:path}", refuse_stream),
        )
        app = Starlette(routes=self.routes, exception_handlers={404: not_found})
        app.router.redirect_slashes = False  # such redirects lead to whatever host the request names
        self._app: ASGIApp = app
        self._prefix = prefix_of(config.public_ws_url)
        self._paths = {MEDIA, *(route.path for route in self.routes)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        send = with_headers(send)
        if self._prefix:
            scope = at_prefix(scope, self._prefix, self._paths)
        below = scope["path"].removeprefix(scope.get("root_path", ""))
        if scope["type"] == "websocket" and below == MEDIA:
            await self.calls.serve(dict(scope), receive, send)
        elif scope["type"] == "http" and not below:  # what a page names beside itself is below the prefix
            await RedirectResponse(f"{self._prefix}/")(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start up and shut down by ASGI's lifespan protocol (asgi.readthedocs.io, "Lifespan Protocol"). Models are in
        memory before the first call is accepted. A failure to start is reported in one line."""
        await receive()  # lifespan.startup
        try:
            for route in self._routes.all():
                await self._preload(nominal_call(self._provider, route))
            self._answers = await who_answers(self._build)
        except Exception as error:
            log.debug("cannot serve", exc_info=error)
            told = isinstance(error, VoiceflowError | TypeError)
            message = str(error) if told else f"{type(error).__name__}: {error}"
            await send({"type": "lifespan.startup.failed", "message": message})
            return
        gc.collect()
        gc.freeze()  # modules and models stay in memory: each collection would scan them and delay calls
        with LagGauge():
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
        await self._browsers.stop()
        await self._client.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _about(self, request: Request) -> Response:
        """What the page says of the pipeline before a call."""
        return JSONResponse({"answers": self._answers})

    async def _preload(self, call: Call) -> None:
        await preload(self._build(call), call)

    async def _health(self, request: Request) -> Response:
        dids = self._routes.dids
        return JSONResponse(
            {
                "status": "ok",
                "dids": dids if self._trust.is_operators(request.scope) else len(dids),
                "active_calls": len(self.calls.active),
                "ollama": await self._ollama(),
            }
        )

    async def _ollama(self) -> bool:
        """Whether an Ollama server answers."""
        try:
            answer = await self._client.get(address(), timeout=OLLAMA_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.is_success
