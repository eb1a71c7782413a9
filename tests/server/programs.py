"""Programs that mount the server, served by uvicorn as it is."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from server.serving import Uvicorn, until
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from voiceflow.server.embedding import Embedded

Program = Callable[[str, Embedded], ASGIApp]


def in_fastapi(path: str, voice: Embedded) -> ASGIApp:
    api = FastAPI(lifespan=voice.lifespan)
    api.mount(path, voice)
    return api


def in_fastapi_without_lifespan(path: str, voice: Embedded) -> ASGIApp:
    api = FastAPI()
    api.mount(path, voice)
    return api


def in_starlette(path: str, voice: Embedded) -> ASGIApp:
    return Starlette(routes=[Mount(path, voice)], lifespan=voice.lifespan)


def in_plain_asgi(path: str, voice: Embedded) -> ASGIApp:
    """As a program without a framework may do it: the paths stay as they are."""

    async def program(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"].startswith(path):
            await voice(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 404})
            await send({"type": "http.response.body"})

    return program


PROGRAMS = [in_fastapi, in_fastapi_without_lifespan, in_starlette, in_plain_asgi]


class Address:
    """Where a program is served on this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.http = f"http://127.0.0.1:{port}"
        self.ws = f"ws://127.0.0.1:{port}"

    def asking(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.http, trust_env=False)


class Running(Address):
    """A program that uvicorn serves."""

    def __init__(self, port: int, server: Uvicorn) -> None:
        super().__init__(port)
        self._server = server

    def stop(self) -> None:
        self._server.stop.set()

    async def idle(self) -> None:
        await until(lambda: not self._server.server_state.tasks)


@contextlib.asynccontextmanager
async def serving(program: ASGIApp, **settings: Any) -> AsyncIterator[Running]:
    """Serve with uvicorn's own settings but for these."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Uvicorn(uvicorn.Config(program, log_config=None, **settings))
    task = asyncio.create_task(server.serve([listener]))
    await until(lambda: server.started or task.done())
    try:
        yield Running(listener.getsockname()[1], server)
    finally:
        server.stop.set()
        await task
