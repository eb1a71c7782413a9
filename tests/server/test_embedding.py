"""The server inside of other programs: FastAPI, Starlette and a plain ASGI application, served by uvicorn as it is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest
from fastapi import FastAPI
from server.programs import (
    PROGRAMS,
    Address,
    Program,
    in_fastapi,
    in_fastapi_without_lifespan,
    in_plain_asgi,
    serving,
)
from server.serving import FROM, SPEECH, TO, TUNNEL, carrier, dialled, echo, hears, parameters, run, until
from starlette.types import Message, Receive, Scope, Send
from twilio.request_validator import RequestValidator
from webrtc.browser import Browser
from websockets.exceptions import ConnectionClosed

from voiceflow import Call, Element
from voiceflow.auth import AuthMiddleware, AuthResult
from voiceflow.config.address import MEDIA
from voiceflow.config.settings import Config
from voiceflow.config.stream_keys import StreamKey
from voiceflow.errors import VoiceflowError
from voiceflow.server import app, uvicorn_settings
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

AUTH_TOKEN = "12345"
PUBLIC = Config(
    public_ws_url=f"wss://calls.example.com{MEDIA}", provider_config=(TwilioSettings(auth_token=AUTH_TOKEN),)
)
LOCAL = Config()
CALL = "CA" + "1" * 32


@pytest.fixture(autouse=True)
def _marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that were used are noted here, and not in the system's folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


LEFT_ALONE = """
import asyncio, gc, logging, os, signal
import voiceflow  # switches telemetry off by variables

def state():
    levels = {name: logging.getLogger(name).level for name in ("uvicorn.error", "httpx", "aiortc", "voiceflow")}
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    loggers = levels, list(logging.root.handlers), logging.root.level
    return loggers, handlers, dict(os.environ), gc.get_freeze_count()

logging.getLogger("voiceflow.server").setLevel("ERROR")  # not the link

async def main():
    before = state()
    from voiceflow.server import app
    async with app("echo").lifespan():
        assert state() == before, (state(), before)

asyncio.run(main())
"""


def signed(url: str, form: dict[str, str]) -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(url, form)}


async def call_by_carrier(running: Address, path: str, other: Address | None = None, *, call_id: str = CALL) -> bytes:
    """Have Twilio's webhook answered, and the stream that it asks for, by an `other` process. Returns what the caller
    hears."""
    form = {"CallSid": call_id, "From": FROM, "To": TO, "CallStatus": "ringing"}
    headers = signed(f"https://calls.example.com{path}/sip/twilio/answer", form)
    async with running.asking() as client:
        answer = await client.post(f"{path}/sip/twilio/answer", data=form, headers=TUNNEL | headers)
    assert answer.status_code == 200, answer.text
    assert f'url="wss://calls.example.com{path}{MEDIA}"' in answer.text
    upgrade = TUNNEL | signed(f"wss://calls.example.com{path}{MEDIA}", {})
    async with dialled(f"{(other or running).ws}{path}{MEDIA}", additional_headers=upgrade) as websocket:
        return await hears(websocket, carrier(call_sid=call_id, token=parameters(answer)["token"]))


async def call_from_page(client: httpx.AsyncClient, path: str, browser: Browser) -> None:
    """Call as the page does that `client` has opened."""
    body = {"sdp": await browser.offer(), "type": "offer"}
    answer = await client.post(f"{path}/api/offer", json=body)
    assert answer.status_code == 200, answer.text
    await browser.accept(answer.json()["sdp"])
    await until(lambda: len(browser.heard()) > 0)


def links(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The queries of the links by which the page opens, as they were logged."""
    return re.findall(r"this link, .*/(\?key=\S+)", caplog.text)


@pytest.mark.parametrize("settings", [{}, uvicorn_settings(Config())], ids=["as it is", "with our limits"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_carriers_call_a_mounted_application(program: Program, settings: dict[str, Any]) -> None:
    async def main() -> None:
        voice = app(echo, config=PUBLIC, prefix="/voice" if program is in_plain_asgi else None)
        async with serving(program("/voice", voice), **settings) as running:
            assert await call_by_carrier(running, "/voice") == SPEECH
            await running.idle()
            async with running.asking() as client:
                assert (await client.get("/voice/health")).json()["active_calls"] == 0

    run(main())


@pytest.mark.parametrize("program", [in_fastapi, in_fastapi_without_lifespan, in_plain_asgi])
def test_the_page_opens_by_the_link_that_is_logged_and_calls(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        voice = app(echo, config=Config(), prefix="/voice" if program is in_plain_asgi else None)
        async with serving(program("/voice", voice)) as running, running.asking() as client, Browser() as browser:
            page = await client.get("/voice/")
            assert 'src="page.js"' in page.text
            body = {"sdp": await browser.offer(), "type": "offer"}
            assert (await client.post("/voice/api/offer", json=body)).status_code == 403
            (query,) = links(caplog)
            opened = await client.get(f"/voice/{query}", follow_redirects=True)
            assert str(opened.url) == f"{running.http}/voice/"
            await call_from_page(client, "/voice", browser)
            browser.send(type="hangup")
            await until(lambda: browser.connection.connectionState == "closed")
            await until(lambda: not voice.calls.active)

    run(main())


@pytest.mark.parametrize("program", [in_fastapi, in_fastapi_without_lifespan])
def test_a_call_from_the_page_ends_with_the_program(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    """Without a lifespan, too: the server says on the page's WebSocket that it stops."""

    async def main() -> None:
        voice = app(echo, config=Config(), trust_loopback=True)
        async with Browser() as browser:
            async with serving(program("/voice", voice)) as running, dialled(f"{running.ws}/voice/ws") as websocket:
                await websocket.send(json.dumps({"type": "webrtc_offer", "sdp": await browser.offer()}))
                await browser.accept(json.loads(await websocket.recv())["sdp"])
                await until(lambda: len(browser.heard()) > 0)
                running.stop()
                with pytest.raises(ConnectionClosed):
                    await websocket.recv()
            await until(lambda: browser.connection.connectionState == "closed")
            assert not voice.calls.active

    run(main())


def test_a_browsers_call_whose_task_is_cancelled_ends_with_a_goodbye() -> None:
    """So event loops end what is left when a program ends."""

    async def main() -> None:
        voice = app(echo, config=Config(), trust_loopback=True)
        program = in_fastapi_without_lifespan("/voice", voice)
        async with serving(program) as running, running.asking() as client, Browser() as browser:
            await call_from_page(client, "/voice", browser)
            (task,) = [task for task in asyncio.all_tasks() if task.get_name().startswith("browser call")]
            task.cancel()
            await until(lambda: browser.connection.connectionState == "closed")

    run(main())


def test_nobody_is_trusted_for_their_address(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever sits in front of the program may be on its machine, and uvicorn believes it when it names an address."""
    forwarded = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}

    async def main(trust: bool, headers: dict[str, str], admitted: bool, config: Config = LOCAL) -> None:
        voice = app(echo, config=config, trust_loopback=trust)
        async with serving(in_fastapi("/voice", voice), proxy_headers=True) as running, running.asking() as client:
            form = {"CallSid": CALL, "From": FROM, "To": TO}
            answer = await client.post("/voice/sip/twilio/answer", data=form, headers=headers)
            assert (answer.status_code == 200) == admitted
            async with dialled(f"{running.ws}/voice{MEDIA}", additional_headers=headers) as websocket:
                if admitted:
                    assert await hears(websocket, carrier(call_sid=CALL)) == SPEECH
                else:
                    with pytest.raises(ConnectionClosed):
                        await hears(websocket, carrier(call_sid=CALL))

    run(main(trust=False, headers={}, admitted=False))
    run(main(trust=False, headers=forwarded, admitted=False))
    run(main(trust=True, headers=forwarded, admitted=False))
    run(main(trust=True, headers={}, admitted=False, config=PUBLIC))
    run(main(trust=True, headers={}, admitted=True))


def test_two_applications_in_one_program_know_nothing_of_each_other(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        first, second = app(echo, config=PUBLIC), app(echo, config=PUBLIC)

        @contextlib.asynccontextmanager
        async def both(api: FastAPI) -> AsyncIterator[None]:
            async with first.lifespan(api), second.lifespan(api):
                yield

        api = FastAPI(lifespan=both)
        api.mount("/first", first)
        api.mount("/second", second)
        async with serving(api) as running, running.asking() as client:
            assert await call_by_carrier(running, "/first") == SPEECH
            form = {"CallSid": CALL, "From": FROM, "To": TO, "CallStatus": "ringing"}
            headers = TUNNEL | signed("https://calls.example.com/first/sip/twilio/answer", form)
            assert (await client.post("/second/sip/twilio/answer", data=form, headers=headers)).status_code == 403
            token = parameters(await client.post("/first/sip/twilio/answer", data=form, headers=headers))["token"]
            async with dialled(f"{running.ws}/second{MEDIA}", additional_headers=TUNNEL) as websocket:
                with pytest.raises(ConnectionClosed):
                    await hears(websocket, carrier(call_sid=CALL, token=token))
            assert "processes that are started apart share tokens by `stream_keys`" in caplog.text
            one, other = links(caplog)
            await client.get(f"/first/{one}")
            await client.get(f"/second/{one}")
            assert [(cookie.path, cookie.name) for cookie in client.cookies.jar] == [
                ("/first/", next(iter(client.cookies)))
            ]
            await client.get(f"/second/{other}")
            assert len({cookie.name for cookie in client.cookies.jar}) == 2

    run(main())


def test_a_pipeline_is_given_by_name_or_file_and_its_configuration_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voiceflow.yaml").write_text("public_ws_url: wss://found.example.com\n")
    (tmp_path / ".env").write_text("SIP_SERVER_PORT=1\n")
    (tmp_path / "other.yaml").write_text("dids:\n  '+12025550199': {}\n")
    (tmp_path / "own.py").write_text("def pipeline(call):\n    return call.source | call.sink\n")
    before = dict(os.environ)

    async def main() -> None:
        for pipeline in ("echo", tmp_path / "own.py", "own.py"):
            for config, numbers in (("other.yaml", 1), (None, 0)):
                voice = app(pipeline, config=config)
                async with serving(in_fastapi("/voice", voice)) as running, running.asking() as client:
                    assert (await client.get("/voice/health")).json()["dids"] == numbers

    run(main())
    assert dict(os.environ) == before


async def asynchronous(call: Call) -> Element:
    return call.source | call.sink


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda: app(asynchronous), "write `def`, not `async def`"),
        (lambda: app(None), "expected a function pipeline(call), a file or a name; got NoneType"),  # type: ignore[arg-type]
        (lambda: app(echo, config={}), "expected config as a path or a Config; got dict"),  # type: ignore[arg-type]
        (lambda: app(echo, authorize="ann"), "asynchronous callable; got str"),  # type: ignore[arg-type]
        (lambda: app("no_such_pipeline"), "there is no file no_such_pipeline"),
        (lambda: app(echo, config="no_such.yaml"), "there is no configuration file no_such.yaml"),
        (lambda: app(echo, config=Config(), prefix="voice"), "expected a path such as '/voice'"),
        (lambda: app(echo, config=Config(), prefix="/voice/"), "expected a path such as '/voice'"),
        (
            lambda: app(echo, config=Config(public_ws_url=f"wss://example.com/a{MEDIA}"), prefix="/b"),
            "prefix is '/b', and public_ws_url has '/a'",
        ),
    ],
)
def test_what_cannot_be_served_is_told_when_it_is_made(mistake: Callable[[], object], words: str) -> None:
    with pytest.raises((VoiceflowError, TypeError)) as raised:
        mistake()
    assert words in str(raised.value)


def test_the_link_names_the_public_address(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        host = "wss://calls.example.com"
        for address, prefix, link in (
            (f"{host}/voice", "/voice", "https://calls.example.com/voice/?key="),
            (f"{host}/voice", None, "https://calls.example.com/voice/?key="),
            (host, "/voice", "https://calls.example.com/voice/?key="),
            (host, "", "https://calls.example.com/?key="),
            (host, None, "https://calls.example.com/PATH/?key="),
            (None, "/voice", "http://HOST:PORT/voice/?key="),
            (None, None, "http://HOST:PORT/PATH/?key="),
        ):
            caplog.clear()
            config = Config(public_ws_url=address and f"{address}{MEDIA}")
            async with app(echo, config=config, prefix=prefix).lifespan():
                assert link in caplog.text

    run(main())


async def by_header(scope: MutableMapping[str, Any]) -> AuthResult | None:
    """A program's own idea of who its users are."""
    name = dict(scope["headers"]).get(b"x-user")
    return AuthResult(True, user_id=name.decode()) if name else None


@pytest.mark.parametrize("where", ["authorize", "configuration", "middleware"])
def test_browsers_show_an_identity_that_the_program_knows(where: str, caplog: pytest.LogCaptureFixture) -> None:
    users: list[Any] = []

    def pipeline(call: Call) -> Element:
        users.append(call.user)
        return call.source | call.sink

    async def main() -> None:
        config = msgspec.structs.replace(PUBLIC, auth=(by_header,)) if where == "configuration" else PUBLIC
        # Whoever is on this machine is trusted no more once there are identities.
        authorize = by_header if where == "authorize" else None
        voice = app(pipeline, config=config, authorize=authorize, trust_loopback=True)
        program = in_fastapi("/voice", voice)
        if where == "middleware":
            exclude = ("/voice/sip", "/voice/health")
            program = AuthMiddleware(program, by_header, exclude)
        async with serving(program) as running, running.asking() as client, Browser() as browser:
            for path in ("/voice/", "/voice/api/about"):
                assert (await client.get(path)).status_code == 401
            assert (await client.get("/voice/health")).is_success
            client.headers["X-User"] = "ann"
            assert (await client.get("/voice/")).is_success
            await call_from_page(client, "/voice", browser)
            assert users[-1].user_id == "ann"
            assert await call_by_carrier(running, "/voice") == SPEECH
            assert users[-1] is None
        assert links(caplog) == [] or where == "middleware"

    run(main())


@pytest.mark.parametrize("around", ["asyncio", "anyio", "lock"])
def test_middleware_may_send_as_only_a_task_can(around: str) -> None:
    async def main() -> None:
        api = in_fastapi("/voice", app(echo, config=PUBLIC))
        lock = anyio.Lock()

        async def program(scope: Scope, receive: Receive, send: Send) -> None:
            async def guarded(message: Message) -> None:
                async with AsyncExitStack() as stack:
                    if around == "asyncio":
                        await stack.enter_async_context(asyncio.timeout(5))
                    elif around == "anyio":
                        stack.enter_context(anyio.fail_after(5))
                    else:
                        await stack.enter_async_context(lock)
                    await send(message)

            await api(scope, receive, guarded if scope["type"] == "websocket" else send)

        async with serving(program) as running:
            assert await call_by_carrier(running, "/voice") == SPEECH

    run(main())


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    written = """
import dataclasses, typing
class {name}: pass
@dataclasses.dataclass
class Kept:
    it: "{name}"
def pipeline(call):
    assert typing.get_type_hints(Kept)["it"] is {name}
    return call.source | call.sink
"""

    async def main() -> None:
        voices = []
        for name in ("First", "Second"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "pipeline.py").write_text(written.format(name=name))
            voices.append(app(tmp_path / name / "pipeline.py", config=Config()))
        for voice in voices:
            async with voice.lifespan():
                pass

    run(main())


def test_processes_with_the_same_keys_take_each_others_tokens_and_link(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        config = msgspec.structs.replace(PUBLIC, stream_keys=(StreamKey(text="0e8fd1c9b27a4635d0f1a2b3c4d5e6f7"),))
        one, other = app(echo, config=config), app(echo, config=config)
        async with serving(in_fastapi("/voice", one)) as first, serving(in_fastapi("/voice", other)) as second:
            assert await call_by_carrier(first, "/voice", second) == SPEECH
            assert len(set(links(caplog))) == 1

    run(main())


def test_the_process_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("program.py").write_text(LEFT_ALONE)
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_serves_its_own_and_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    from voiceflow.pipelines.embed_fastapi import api

    async def main() -> None:
        async with serving(api) as running, running.asking() as client:
            path = (await client.get("/")).json()["talk to it"]
            assert "voiceflow" in (await client.get(path)).text
            assert (await client.get(f"{path}health")).json()["status"] == "ok"

    run(main())
