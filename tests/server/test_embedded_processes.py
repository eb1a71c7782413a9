"""The example in processes of its own, as uvicorn starts them; and another server than uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import httpx
import pytest
from cli.processes import environment
from hypercorn.asyncio import serve
from hypercorn.config import Config as Hypercorn
from hypercorn.typing import ASGIFramework
from launching import await_health, free_port, launched
from server.programs import Address, Program, in_fastapi, in_fastapi_without_lifespan, in_plain_asgi
from server.serving import SPEECH, carrier, closing, dialled, echo, hears, run
from server.test_embedding import AUTH_TOKEN, CALL, PUBLIC, call_by_carrier
from starlette.types import ASGIApp
from websockets.exceptions import InvalidStatus

from voiceflow.config.address import MEDIA
from voiceflow.config.settings import Config
from voiceflow.server import app

CONFIGURATION = f"""
public_ws_url: wss://calls.example.com
provider_config: {{twilio: {{auth_token: '{AUTH_TOKEN}'}}}}
stream_keys: 0e8fd1c9b27a4635d0f1a2b3c4d5e6f7
"""


def test_workers_of_uvicorn_take_each_others_calls_and_end_them_when_they_stop(tmp_path: Path) -> None:
    (tmp_path / "voiceflow.yaml").write_text(CONFIGURATION)
    log, place = tmp_path / "log", Address(free_port())
    program = [sys.executable, "-m", "uvicorn", "voiceflow.pipelines.embed_fastapi:api", "--workers", "2"]

    async def calls() -> None:
        for number in range(8):  # which of the workers takes each connection is up to the system
            assert await call_by_carrier(place, "/voice", call_id=f"CA{number:032}") == SPEECH

    async def stopped() -> None:
        secret = re.findall(r"\?key=(\S+)", log.read_text())[0]
        operator = {"Authorization": f"Bearer {secret}"}
        async with dialled(f"{place.ws}/voice{MEDIA}", additional_headers=operator) as websocket:
            assert await hears(websocket, carrier(call_sid=CALL)) == SPEECH
            process.send_signal(signal.SIGTERM)
            assert (await closing(websocket))[0] == 1012

    with launched(
        [*program, "--port", str(place.port)], tmp_path, log, environment(tmp_path, TMPDIR=str(tmp_path))
    ) as process:
        await_health(process, lambda: f"{place.http}/voice", log, seconds=60)
        run(calls())
        run(stopped())
        process.wait(30)
    told = re.findall(r"as long as the first of stream_keys stays: \S+\?key=(\S+)", log.read_text())
    assert (len(told), len(set(told))) == (2, 1)
    assert "Traceback" not in log.read_text()


@contextlib.asynccontextmanager
async def by_hypercorn(program: ASGIApp) -> AsyncIterator[Address]:
    place, stop = Address(free_port()), asyncio.Event()
    config = Hypercorn()
    config.bind, config.graceful_timeout, config.loglevel = [f"127.0.0.1:{place.port}"], 0.2, "ERROR"
    task = asyncio.create_task(serve(cast(ASGIFramework, program), config, shutdown_trigger=stop.wait))
    try:
        async with place.asking() as client:
            while not await _answers(client):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield place
    finally:
        stop.set()
        await task


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        await client.get("/")
    except httpx.TransportError:
        return False
    return True


@pytest.mark.parametrize("program", [in_fastapi, in_fastapi_without_lifespan, in_plain_asgi])
def test_hypercorn_serves_a_mounted_application(program: Program) -> None:
    async def main() -> None:
        voice = app(echo, config=PUBLIC, prefix="/voice" if program is in_plain_asgi else None)
        async with by_hypercorn(program("/voice", voice)) as place, place.asking() as client:
            assert await call_by_carrier(place, "/voice") == SPEECH
            assert 'src="page.js"' in (await client.get("/voice/")).text
            with pytest.raises(InvalidStatus):
                async with dialled(f"{place.ws}/voice/nothing"):
                    pass
            assert not voice.calls.active

    run(main())


def test_a_call_is_told_when_hypercorn_stops(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        voice = app(echo, config=Config(), trust_loopback=True)
        async with contextlib.AsyncExitStack() as server:
            place = await server.enter_async_context(by_hypercorn(in_fastapi("/voice", voice)))
            async with dialled(f"{place.ws}/voice{MEDIA}") as websocket:
                assert await hears(websocket, carrier(call_sid=CALL)) == SPEECH
                stopping = asyncio.create_task(server.aclose())
                code, _ = await closing(websocket)
                assert code is not None
                await stopping
        assert not voice.calls.active

    run(main())
