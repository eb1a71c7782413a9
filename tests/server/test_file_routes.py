"""The routes of a pipeline file, beside ours."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest
from cli.processes import command
from server.programs import in_fastapi, serving
from server.running import Running, running
from server.serving import SPEECH, dialled, echo, run
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.server import app
from voiceflow.server.file_routes import RouteTakenError
from voiceflow.server.pipelinefile import PipelineFileError, load_file
from voiceflow.server.server import Server

FILE = """
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

def pipeline(call):
    return call.source | call.sink

async def booking(request):
    return PlainTextResponse(f"{request.path_params['id']} {request.url_for('booking', id=1)}")

async def broken(request):
    raise RuntimeError("the database is gone")

async def leaving(request):
    raise SystemExit(3)

async def cut(request):
    async def parts():
        yield "half"
        raise RuntimeError("the database is gone")
    return StreamingResponse(parts())

async def talk(websocket):
    await websocket.accept()
    await websocket.send_text("hello")
    raise RuntimeError("the database is gone")

routes = [
    Route("/bookings/{id:int}", booking, name="booking"),
    Mount("/own", routes=[
        Route("/broken", broken), Route("/leaving", leaving), Route("/cut", cut), WebSocketRoute("/ws", talk),
    ]),
]
"""


async def answer(request: Request) -> Response:
    return PlainTextResponse("ours")


async def missing(request: Request) -> Response:
    raise HTTPException(404, "no such booking", {"X-Own": "yes"})


async def talking(websocket: WebSocket) -> None:
    await websocket.accept()


def server(*routes: BaseRoute) -> Server:
    return Server(echo, Config(), Routes(), b"key of this run", beside=routes)


TAKEN: list[tuple[BaseRoute, str]] = [
    (Route("/health", answer, methods=["POST"]), "/health"),
    (Route("/", answer), "/"),
    (Route("/{page}", answer), "/health"),
    (Route("/api/{name:path}", answer), "/api/about"),
    (Route("/api/offer/{id:int}", answer), "/api/offer/{id}"),
    (Route("/sip/{carrier}/answer", answer), "/sip/telnyx/answer"),
    (Route("/sip/media-stream", answer), "/sip/media-stream"),
    (WebSocketRoute("/ws", talking), "/ws"),
    (WebSocketRoute("/sip/media-stream", talking), "/sip/media-stream"),
    (Mount("/", Starlette()), "/health"),
    (Mount("/api", Starlette()), "/api/about"),
    (Mount("/sip", routes=[]), "/sip/telnyx/answer"),
]


@pytest.mark.parametrize(("route", "ours"), TAKEN, ids=[f"{type(route).__name__} {ours}" for route, ours in TAKEN])
def test_a_path_of_ours_is_refused(route: BaseRoute, ours: str) -> None:
    with pytest.raises(RouteTakenError) as raised:
        server(Route("/fine", answer), route)
    assert f"the route {getattr(route, 'path', '') or '/'} of the pipeline's file collides with" in str(raised.value)


@pytest.mark.parametrize("path", ["/healthy", "/api", "/api/offers", "/sip/status", "/wss", "/health/of/us", "/x.js"])
def test_a_path_that_only_looks_like_one_of_ours_is_served(path: str) -> None:
    async def main() -> None:
        transport = httpx.ASGITransport(server(Route(path, answer)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.get(path)).text == "ours"
            assert (await client.get("/health")).json()["status"] == "ok"

    run(main())


def test_a_route_says_itself_what_it_does_not_find(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        transport = httpx.ASGITransport(server(Route("/bookings", missing, methods=["POST"])))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            found = await client.post("/bookings")
            assert (found.status_code, found.text, found.headers["X-Own"]) == (404, "no such booking", "yes")
            assert not caplog.records
            assert (await client.post("/elsewhere")).text == "Not Found"
            assert "webhooks are served at" in caplog.text

    run(main())


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("routes = {}", "`routes` in pipeline.py is an object of type dict: write a list of Starlette's routes"),
        ("routes = ['/health']", "`routes` in pipeline.py holds an object of type str: write a list"),
        ("import fastapi\nroutes = fastapi.FastAPI()", "`routes` in pipeline.py is an object of type FastAPI"),
    ],
)
def test_what_is_no_list_of_routes_is_refused(
    written: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pipeline.py").write_text(f"def pipeline(call):\n    return call.source | call.sink\n{written}\n")
    with pytest.raises(PipelineFileError) as raised:
        load_file("pipeline.py")
    assert words in str(raised.value)


async def _try(client: httpx.AsyncClient, ws: str, path: str) -> None:
    """Ask all that FILE serves, below `path`."""
    found = await client.get(f"{path}/bookings/7")
    assert found.text == f"7 {str(client.base_url).rstrip('/')}{path}/bookings/1"
    for name in ("broken", "leaving"):
        assert (await client.get(f"{path}/own/{name}")).status_code == 500
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(f"{path}/own/cut")
    async with dialled(f"{ws}{path}/own/ws") as websocket:
        assert await websocket.recv() == "hello"
        with pytest.raises(ConnectionClosed):
            await websocket.recv()
    with pytest.raises(InvalidStatus):
        async with dialled(f"{ws}{path}/own/elsewhere"):
            pass
    assert (await client.get(f"{path}/health")).is_success


def test_routes_are_served_below_the_prefix_and_their_errors_end_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "pipeline.py").write_text(FILE)

    async def main() -> None:
        voice = app(tmp_path / "pipeline.py", config=Config())
        async with serving(in_fastapi("/voice", voice)) as program, program.asking() as client:
            await _try(client, program.ws, "/voice")

    run(main())
    failed = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    gone = "the route /own failed: RuntimeError('the database is gone')"
    left = "the route /own failed: RuntimeError('it raised SystemExit: 3')"
    assert [line for line in failed if line.startswith("the route")] == [gone, left, gone, gone]


def test_voiceflow_run_serves_the_routes_of_its_file(tmp_path: Path) -> None:
    async def main(process: Running) -> None:
        async with httpx.AsyncClient(base_url=process.http, trust_env=False) as client:
            await _try(client, process.media.removesuffix("/sip/media-stream"), "")
        assert await process.hears() == SPEECH

    with running(tmp_path, content=FILE) as process:
        run(main(process))
        assert process.interrupt() == 0
        assert "the database is gone" in process.log


def test_voiceflow_run_does_not_start_with_a_route_at_a_path_of_ours(tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text(FILE + 'routes.append(Route("/health", booking))\n')
    done = command(tmp_path, "run", "pipeline.py", "--port", 0)
    assert done.returncode == 2
    assert "the route /health of the pipeline's file collides with /health, which is served already" in done.stderr
    assert "Traceback" not in done.stderr
