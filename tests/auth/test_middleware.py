"""Authentication before an application: what passes, what is answered, and when a socket is closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from auth.issuing import request
from fastapi import Depends, FastAPI, WebSocket
from server.serving import Uvicorn, closing, run, until
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Scope
from websockets.asyncio.client import connect

from voiceflow import ConfigError
from voiceflow.auth import AuthMiddleware, AuthResult, Bearer, require_auth
from voiceflow.testing.virtualloop import VirtualLoop

TOKEN = "a-token-of-ours"
PROVIDER = Bearer({"ann": TOKEN})
OURS = {"Authorization": f"Bearer {TOKEN}"}


async def who(request: Request) -> Response:
    user = request.scope.get("user")
    return JSONResponse({"path": request.scope["path"], "user": user and user.user_id})


async def talk(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol=next(iter(websocket.scope["subprotocols"]), None))
    await websocket.send_text(websocket.scope["user"].user_id)
    with contextlib.suppress(Exception):
        while True:
            await websocket.send_text(await websocket.receive_text())


APP = Starlette(routes=[WebSocketRoute("/ws", talk), Route("/{path:path}", who, methods=["GET", "POST", "OPTIONS"])])


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """HOST:PORT of a real server."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Uvicorn(uvicorn.Config(app, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve([listener]))
    await until(lambda: server.started)
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop.set()
        await task


def against(app: ASGIApp, body: Callable[[str, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with served(app) as host, httpx.AsyncClient(base_url=f"http://{host}") as client:
            await body(host, client)

    run(main())


def test_a_request_needs_an_identity_and_the_application_learns_it() -> None:
    async def body(host: str, client: httpx.AsyncClient) -> None:
        for answer in (
            await client.get("/"),
            await client.post("/x", headers={"Authorization": "Bearer wrong"}),
            await client.options("/x", headers={"Origin": "https://x.com", "Access-Control-Request-Method": "GET"}),
        ):
            assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert answer.headers["Cache-Control"] == "no-store"
        assert (await client.get("/x", headers=OURS)).json() == {"path": "/x", "user": "ann"}

    against(AuthMiddleware(APP, PROVIDER), body)


@pytest.mark.parametrize("subprotocols", [None, ["one", "two"]])
def test_a_websocket_without_an_identity_is_closed_with_4001(subprotocols: Any) -> None:
    async def body(host: str, client: httpx.AsyncClient) -> None:
        for path in ("/ws", "/ws?token=wrong", "/nowhere"):
            async with connect(f"ws://{host}{path}", subprotocols=subprotocols) as websocket:
                assert await closing(websocket) == (4001, "Unauthorized")
        async with connect(f"ws://{host}/ws?token={TOKEN}", subprotocols=subprotocols) as websocket:
            assert await websocket.recv() == "ann"

    against(AuthMiddleware(APP, PROVIDER), body)


def test_neither_token_nor_query_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    async def body(host: str, client: httpx.AsyncClient) -> None:
        for path in (f"/?google_jwt={TOKEN}", f"/{'x' * 500}?token={TOKEN}"):
            assert (await client.get(path)).status_code == 401
        async with connect(f"ws://{host}/ws?token={TOKEN}x") as websocket:
            assert (await closing(websocket))[0] == 4001

    against(AuthMiddleware(APP, PROVIDER), body)
    assert TOKEN not in caplog.text
    assert "x" * 200 not in caplog.text
    assert "a GET to '/' was refused: it shows no identity" in caplog.text


# Paths that are excluded


@pytest.mark.parametrize(
    ("path", "open"),
    [
        ("/health", True),
        ("/health/", True),
        ("/health/live", True),
        ("/health?token=x", True),
        ("/assets/icons/a.svg", True),
        ("/assets/icons/a%20b.svg", True),
        ("/healthy", False),
        ("/health.json", False),
        ("/health;x", False),
        ("/HEALTH", False),
        ("/", False),
        ("//health", False),
        ("/health//x", False),
        ("/health//", False),
        ("/x/../health", False),
        ("/health/../ws", False),
        ("/health/..", False),
        ("/health/./x", False),
        ("/health/%2e%2e/x", False),
        ("/health%2fx", False),
        ("/health%2F..%2Fx", False),
        ("/health/..%2fx", False),
        ("/health/%252e%252e/x", False),
        ("/health/\\..\\x", False),
        ("/health/%5c..%5cx", False),
        ("/health/%00", False),
        ("/%68ealth", True),
        ("/assets", False),
        ("/assets/", False),
        ("/x/health", False),
    ],
)
def test_paths_are_excluded_by_segments_and_never_by_a_trick(path: str, open: bool) -> None:
    async def body(host: str, client: httpx.AsyncClient) -> None:
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        status = int((await reader.read()).split()[1])
        writer.close()
        assert status == (200 if open else 401)

    against(AuthMiddleware(APP, PROVIDER, exclude=("/health", "/assets/icons/")), body)


def test_what_is_excluded_has_no_user() -> None:
    async def body(host: str, client: httpx.AsyncClient) -> None:
        assert (await client.get("/health", headers=OURS)).json() == {"path": "/health", "user": None}

    against(AuthMiddleware(APP, PROVIDER, "/health"), body)


def test_below_a_mount_the_path_is_that_of_the_application() -> None:
    async def body(host: str, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/health")).status_code == 200
        assert (await client.get("/api/api/health")).status_code == 401
        assert (await client.get("/api/x")).status_code == 401

    inner = AuthMiddleware(APP, PROVIDER, ["/health"])
    against(Starlette(routes=[Mount("/api", app=inner)]), body)


@pytest.mark.parametrize(
    "path", ["", "/", "health", "/health/../x", "/a//b", "/*", "/a?b", "/a#b", "/a b", "/%68", "//"]
)
def test_a_path_that_cannot_be_meant_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="cannot be excluded"):
        AuthMiddleware(APP, PROVIDER, exclude=[path])


# Identities that end


class Peer:
    """A WebSocket's server side, without a server, for virtual time."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, Message]] = []
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})

    async def receive(self) -> Message:
        return await self._incoming.get()

    async def send(self, message: Message) -> None:
        self.sent.append((asyncio.get_running_loop().time(), message))

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})

    @property
    def closed(self) -> list[tuple[float, int, str]]:
        return [(at, each["code"], each["reason"]) for at, each in self.sent if each["type"] == "websocket.close"]


def until_expiry(expires: float, app: ASGIApp, leave: float | None = None) -> tuple[Peer, float]:
    """Serve a WebSocket whose identity expires at `expires`; it is 100 now. Returns when it was over, too."""
    peer = Peer()

    async def ann(scope: Scope) -> AuthResult:
        return AuthResult(True, "ann", expires=expires + 4e9)

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if leave is not None:
            loop.call_later(leave, peer.leave)
        middleware = AuthMiddleware(app, ann, clock=lambda: 4e9 + 100.0 + loop.time() - began)
        await middleware(request("websocket"), peer.receive, peer.send)
        peer.sent = [(at - began, each) for at, each in peer.sent]
        return loop.time() - began

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return peer, runner.run(main())


async def waits(scope: Scope, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


def test_a_websocket_is_closed_when_its_identity_expires() -> None:
    peer, over = until_expiry(160.0, waits)
    assert peer.closed == [(60.0, 4001, "the identity has expired")]
    assert over == 60.0


def test_a_websocket_that_ends_before_its_identity_leaves_no_timer() -> None:
    peer, over = until_expiry(160.0, waits, leave=10.0)
    assert (peer.closed, over) == ([], 10.0)


def test_a_websocket_whose_application_has_closed_it_is_not_closed_again() -> None:
    async def closes(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000, "reason": ""})
        await asyncio.sleep(1_000)

    peer, _ = until_expiry(160.0, closes)
    assert [code for _, code, _ in peer.closed] == [1000]


def test_an_application_that_fails_is_not_taken_for_an_identity_that_expires() -> None:
    async def fails(scope: Scope, receive: Any, send: Any) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        until_expiry(160.0, fails)


# Single routes


fast = FastAPI()


@fast.get("/report")
async def report(user: Annotated[AuthResult, Depends(require_auth(PROVIDER))]) -> dict[str, str | None]:
    return {"user": user.user_id}


@fast.get("/open")
async def open_to_all() -> str:
    return "open"


async def soon(scope: Scope) -> AuthResult | None:
    found = await PROVIDER(scope)
    return None if found is None else AuthResult(True, found.user_id, expires=time.time() + 1.0)


@fast.websocket("/ws")
async def fast_talk(websocket: WebSocket, user: Annotated[AuthResult, Depends(require_auth(soon))]) -> None:
    await websocket.accept()
    await websocket.send_text(str(user.user_id))
    with contextlib.suppress(Exception):
        await websocket.receive_text()


def test_a_route_of_fastapi_needs_an_identity() -> None:
    async def body(host: str, client: httpx.AsyncClient) -> None:
        refused = await client.get("/report")
        assert (refused.status_code, refused.json()) == (401, {"detail": "Unauthorized"})
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await client.get("/report", headers=OURS)).json() == {"user": "ann"}
        assert (await client.get("/open")).status_code == 200
        async with connect(f"ws://{host}/ws") as websocket:
            assert await closing(websocket) == (4001, "Unauthorized")
        async with connect(f"ws://{host}/ws?token={TOKEN}") as websocket:
            assert await websocket.recv() == "ann"
            assert await closing(websocket) == (4001, "the identity has expired")

    against(fast, body)


def test_a_route_of_starlette_needs_an_identity() -> None:
    dependency = require_auth(PROVIDER)

    async def get(request: Request) -> Response:
        return JSONResponse((await dependency(request)).user_id)

    async def websocket(socket: WebSocket) -> None:
        user = await dependency(socket)
        await socket.accept()
        await socket.send_text(str(user.user_id))
        await socket.close()

    async def body(host: str, client: httpx.AsyncClient) -> None:
        assert (await client.get("/")).status_code == 401
        assert (await client.get("/", headers=OURS)).json() == "ann"
        async with connect(f"ws://{host}/ws") as refused:
            assert await closing(refused) == (4001, "Unauthorized")
        async with connect(f"ws://{host}/ws", additional_headers=OURS) as socket:
            assert await socket.recv() == "ann"

    against(Starlette(routes=[Route("/", get), WebSocketRoute("/ws", websocket)]), body)
