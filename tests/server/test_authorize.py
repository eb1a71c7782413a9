"""A pipeline file's own `authorize`, and what `voiceflow run` says of who may come in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from aiortc import RTCSessionDescription
from cli.processes import command, serving
from server import programs
from server.programs import in_fastapi
from server.serving import closing, echo, run, until
from server.test_signaling_socket import peer
from websockets.asyncio.client import connect

from voiceflow.auth import AuthMiddleware, AuthResult
from voiceflow.auth.provider import Scope
from voiceflow.config.settings import Config
from voiceflow.server import app
from voiceflow.server.pipelinefile import PipelineFileError, load_file

ECHO = """
def pipeline(call):
    if call.user is not None:
        print("CALLED BY", call.user.user_id, call.user.provider, flush=True)
    return call.source | call.sink
"""
OWN = (
    ECHO
    + """
from voiceflow.auth import AuthResult

async def authorize(scope):
    names = [value.decode() for name, value in scope["headers"] if name == b"x-user"]
    if names == ["mallory"]:
        raise RuntimeError("a secret of mallory's")
    return AuthResult(True, names[0], provider="own") if names else None
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "echo_file.py").write_text(ECHO)
    return tmp_path


def who(log: str) -> str:
    found = re.search(r"^who may come in +(.+)$", log, re.MULTILINE)
    assert found, log
    return found[1]


def link(log: str) -> str:
    found = re.search(r"^talk to it +(\S+)$", log, re.MULTILINE)
    assert found, log
    return found[1]


def test_a_file_says_who_may_call_beside_what_is_configured(folder: Path) -> None:
    (folder / "voiceflow.yaml").write_text('auth: {provider: bearer, tokens: {bob: "${TOKEN}"}}\n')

    async def calls(address: str, headers: dict[str, str]) -> None:
        url = f"{address.replace('http', 'ws')}/ws"
        async with connect(url, additional_headers=headers, proxy=None) as socket, peer() as caller:
            await socket.send(json.dumps({"type": "webrtc_offer", "sdp": caller.localDescription.sdp}))
            answer = json.loads(await socket.recv())
            await caller.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
            await until(lambda: caller.connectionState == "connected")

    async def refused(address: str, query: str) -> None:
        async with connect(f"{address.replace('http', 'ws')}/ws{query}", proxy=None) as socket:
            assert await closing(socket) == (4001, "Unauthorized")

    with serving(folder, "own.py", "-p", 0, "--log-level", "debug", TOKEN="token-of-bob") as server:
        assert who(server.log) == "whoever has this link, and whoever is known to bearer tokens (1), authorize()"
        status = {
            name: httpx.get(server.address, headers=headers).status_code
            for name, headers in {
                "nobody": {},
                "ann": {"X-User": "ann"},
                "bob": {"Authorization": "Bearer token-of-bob"},
                "mallory": {"X-User": "mallory"},
            }.items()
        }
        assert status == {"nobody": 401, "ann": 200, "bob": 200, "mallory": 401}
        assert httpx.get(link(server.log)).status_code == 303
        run(calls(server.address, {"X-User": "ann"}))
        run(calls(server.address, {"Authorization": "Bearer token-of-bob"}))
        run(refused(server.address, "?token=token-of-mallory&google_jwt=e30.of-mallory.x"))
    assert "CALLED BY ann own" in server.log
    assert "CALLED BY bob bearer" in server.log
    assert "authorize() failed, so a request was refused: RuntimeError in" in server.log
    for secret in ("token-of", "secret of mallory", "of-mallory"):
        assert secret not in server.log


@pytest.mark.parametrize(
    ("config", "options", "said"),
    [
        ("", [], "browsers on this machine"),
        ("", ["--insecure"], "everybody (--insecure)"),
        ("auth: {provider: none}", [], "everybody (auth: none)"),
        ("public_ws_url: wss://calls.example.com", [], "whoever has this link"),
    ],
)
def test_the_start_says_who_may_come_in(folder: Path, config: str, options: list[str], said: str) -> None:
    (folder / "voiceflow.yaml").write_text(config)
    with serving(folder, "echo_file.py", "-p", 0, *options) as server:
        assert who(server.log) == said


def test_a_command_on_this_machine_still_calls_where_identities_are_asked_for(folder: Path) -> None:
    with serving(folder, "own.py", "-p", 0) as server:
        done = command(folder, *server.trial, "--seconds", 1)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function", ["def authorize(scope): ...", "authorize = True", "class authorize: ..."])
def test_what_cannot_authorize_keeps_the_server_from_starting(folder: Path, function: str) -> None:
    (folder / "own.py").write_text(f"{ECHO}\n{function}\n")
    with pytest.raises(PipelineFileError, match="and not asynchronous: write `async def authorize"):
        load_file(str(folder / "own.py"))


def test_a_provider_may_be_the_files_authorize(folder: Path) -> None:
    (folder / "own.py").write_text(f"{ECHO}\nfrom voiceflow.auth import Bearer\nauthorize = Bearer(['x'])\n")
    assert str(load_file(str(folder / "own.py")).authorize) == "bearer tokens (1)"


async def ann(scope: Scope) -> AuthResult | None:
    return AuthResult(True, "ann") if (b"x-user", b"ann") in scope["headers"] else None


def test_an_embedded_server_asks_what_it_is_given(folder: Path) -> None:
    voice = app(str(folder / "own.py"), config=Config(), authorize=ann)
    program = in_fastapi("/voice", voice)

    async def main() -> None:
        async with programs.serving(program) as running, running.asking() as client:
            assert (await client.get("/voice/")).json() == {"error": "Unauthorized"}
            assert (await client.get("/voice/", headers={"X-User": "ann"})).status_code == 200
            assert (await client.get("/voice/", headers={"X-User": "bob"})).status_code == 401  # whom the file knows
            assert (await client.get("/voice/health")).status_code == 200

    run(main())


def test_an_identity_that_a_program_has_found_before_us_calls_from_its_own_pages_alone() -> None:
    program = AuthMiddleware(app(echo, config=Config()), ann)

    async def main() -> None:
        async with programs.serving(program) as running, running.asking() as client:
            for headers, status in (
                ({}, 401),
                ({"X-User": "ann"}, 400),
                ({"X-User": "ann", "Origin": running.http}, 400),
                ({"X-User": "ann", "Origin": "https://evil.example"}, 403),
            ):
                assert (await client.post("/whip", headers=headers)).status_code == status

    run(main())


def test_a_file_that_loses_its_authorize_does_not_make_this_machine_trusted(folder: Path) -> None:
    """What comes through a tunnel looks as if it came from here."""
    with serving(folder, "own.py", "-p", 0, "--reload") as server:

        def status() -> int:
            try:
                return httpx.post(f"{server.address}/whip").status_code
            except httpx.TransportError:  # it starts again
                return 0

        assert status() == 401
        (folder / "own.py").write_text(ECHO)

        async def main() -> None:
            await until(lambda: status() not in (0, 401))

        run(main())
        assert status() == 403
