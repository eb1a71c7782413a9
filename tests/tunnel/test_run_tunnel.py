"""`voiceflow run --tunnel` as a process: what it prints, who is trusted, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cli.processes import COMMAND, Serving, command, environment, serving
from launching import await_health, launched
from server.serving import FROM, TO, begin, carrier, closing, dialled
from settling import settled
from tunnel.double import ADDRESS, ANOTHER, OPEN, Double
from twilio.request_validator import RequestValidator

from voiceflow.tunnel.binary import install_command

FORWARDED = {"Host": ADDRESS.removeprefix("https://"), "X-Forwarded-For": "203.0.113.9", "Cf-Ray": "8", "Cdn-Loop": "x"}
"""What cloudflared passes on."""
CLOSED = "http://127.0.0.1:9"
"""No proxy: no request leaves this machine."""
TURNS = f"banner; if [ $time = 1 ]; then box {ADDRESS}; else box {ANOTHER}; fi; registered; wait_for_ever"
FAILING = """
from voiceflow import AudioRaw, Processor

class Failing(Processor):
    def load(self):
        raise RuntimeError("no model")

    def process(self, frame: AudioRaw) -> AudioRaw:
        return frame

def pipeline(call):
    return call.source | Failing() | call.sink
"""
NEW = "the tunnel has a new address"


@contextlib.contextmanager
def tunnelled(folder: Path, double: Double, *options: object) -> Iterator[Serving]:
    variables = {"PATH": double.path, "HTTPS_PROXY": CLOSED, "TWILIO_AUTH_TOKEN": "key"}
    with serving(folder, "echo", "-p", 0, "--tunnel", *options, stop=signal.SIGINT, **variables) as server:
        yield server


def run(folder: Path, double: Double, *options: object) -> subprocess.CompletedProcess[str]:
    return command(folder, "run", "echo", "--tunnel", *options, PATH=double.path, HTTPS_PROXY=CLOSED)


def called(server: Serving, address: str | None, headers: dict[str, str] | None = None) -> httpx.Response:
    """The answer to a webhook of Twilio's, signed for a request at `address`; None: not signed."""
    form = {"CallSid": "CA" + "0" * 32, "From": FROM, "To": TO}
    signed = {}
    if address is not None:
        signature = RequestValidator("key").compute_signature(f"{address}/sip/twilio/answer", form)
        signed = {"X-Twilio-Signature": signature}
    return httpx.post(
        f"{server.address}/sip/twilio/answer", data=form, headers=signed | (headers or {}), trust_env=False
    )


def printed(server: Serving, line: str) -> None:
    asyncio.run(settled(lambda: line in server.log))


@pytest.mark.parametrize("options", [[], ["--workers", 2], ["--reload"]], ids=str)
def test_a_new_address_of_the_tunnel_is_that_of_webhooks_and_signatures(tmp_path: Path, options: list[object]) -> None:
    double = Double(tmp_path / "double", TURNS)
    with tunnelled(tmp_path, double, *options) as server:
        assert re.search(rf"^for twilio +{ADDRESS}/sip/twilio/answer$", server.log, re.MULTILINE)
        answer = called(server, ADDRESS, FORWARDED)
        assert answer.status_code == 200, answer.text
        assert f"wss://{ADDRESS.removeprefix('https://')}/sip/media-stream" in answer.text
        os.killpg(double.pids[0], signal.SIGKILL)
        printed(server, NEW)
        again = server.log.partition(NEW)[2]
        assert re.search(
            rf"^publicly +{ANOTHER}/\?key=\S+\nfor twilio +{ANOTHER}/sip/twilio/answer\n", again, re.MULTILINE
        )
        answer = called(server, ANOTHER)
        assert answer.status_code == 200, answer.text
        assert f"wss://{ANOTHER.removeprefix('https://')}/sip/media-stream" in answer.text
        assert called(server, ADDRESS).status_code == 403
    assert server.exit_code == 0
    assert "cloudflared ended, by signal 9" in server.log
    assert "Traceback" not in server.log
    asyncio.run(settled(lambda: not double.lives))


def test_what_comes_through_it_is_never_local(tmp_path: Path) -> None:
    async def refused(headers: dict[str, str]) -> None:
        async with dialled(server.media, additional_headers=headers) as websocket:
            await begin(websocket, carrier())
            assert (await closing(websocket))[0] == 1008

    double = Double(tmp_path / "double")
    with tunnelled(tmp_path, double) as server:
        found = re.search(rf"^publicly +{ADDRESS}/\?key=(\S+)$", server.log, re.MULTILINE)
        assert found
        port = server.address.rpartition(":")[2]
        for headers in ({}, FORWARDED, {"Host": f"localhost:{port}"}, {"Host": FORWARDED["Host"]}):
            assert called(server, None, headers).status_code == 403
            offer = httpx.post(f"{server.address}/api/offer", json={}, headers=headers, trust_env=False)
            assert offer.status_code == 403
            asyncio.run(refused(headers))
            shown = headers | {"Authorization": f"Bearer {found[1]}"}
            assert called(server, None, shown).status_code == 200
        assert "from another network they need a TURN server" in server.log
        assert f"waiting for {ADDRESS}/health to answer" in server.log
        assert double.arguments[0].endswith(f"--url http://127.0.0.1:{port}")
        assert "TWILIO_AUTH_TOKEN" not in double.environment


def test_a_named_tunnel_is_run_by_its_id_at_its_address(tmp_path: Path) -> None:
    (tmp_path / ".tunnel-config").write_text(
        "TUNNEL_NAME=voice\nTUNNEL_ID=6ff42ae2-765d-4adf-8112-31c55c1551ef\nTUNNEL_URL=https://voice.example.com\n"
    )
    (tmp_path / "voiceflow.yaml").write_text(
        "ice: [{urls: 'turn:turn.example.com', username: ann, credential: x}]\npublic_ws_url: wss://other.example.com\n"
    )
    double = Double(tmp_path / "double", "registered; wait_for_ever")
    with tunnelled(tmp_path, double) as server:
        assert "opening the tunnel 6ff42ae2-765d-4adf-8112-31c55c1551ef" in server.log
        assert re.search(r"^for telnyx +https://voice.example.com/sip/telnyx/answer$", server.log, re.MULTILINE)
        assert "in place of the configured one, wss://other.example.com/sip/media-stream" in server.log
        assert "TURN" not in server.log
        assert called(server, "https://voice.example.com").status_code == 200
        (line,) = double.arguments
        assert re.search(r" run --url http://127.0.0.1:\d+ 6ff42ae2-765d-4adf-8112-31c55c1551ef$", line)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("does", [OPEN, "banner; wait_for_ever"], ids=["open", "not open yet"])
def test_however_the_command_ends_no_process_is_left(tmp_path: Path, number: signal.Signals, does: str) -> None:
    if number is signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux ends a child whose parent was killed")
    double, log = Double(tmp_path / "double", does), tmp_path / "log"
    start = [*COMMAND, "run", "echo", "-p", "0", "--tunnel"]
    with launched(start, tmp_path, log, environment(tmp_path, PATH=double.path, HTTPS_PROXY=CLOSED)) as process:
        asyncio.run(settled(lambda: bool(double.pids)))
        if does == OPEN:
            await_health(process, lambda: Serving(process, log).address, log, seconds=30)
        process.send_signal(number)
        process.wait(30)
        asyncio.run(settled(lambda: not double.lives))
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("banner; says too_many; exit 1", "exit code 1, its last line: failed to unmarshal quick Tunnel: .* (429)"),
        ("banner; says unknown_host; exit 1", "exit code 1, its last line: failed to request quick Tunnel: Post"),
        (r"printf '\033[2Jodd\n' >&2; exit 1", r"its last line: \x1b[2Jodd"),
    ],
)
def test_a_tunnel_that_is_not_opened_is_one_error(tmp_path: Path, does: str, said: str) -> None:
    double = Double(tmp_path / "double", does)
    done = run(tmp_path, double, "-p", 0)
    assert done.returncode == 2
    error = done.stderr.rpartition("Error: ")[2]
    for part in said.split(" .* "):
        assert part in error
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "talk to it" not in done.stderr


def test_what_does_not_go_with_it_is_refused(tmp_path: Path) -> None:
    double = Double(tmp_path / "double")
    done = run(tmp_path, double, "--ws-url", "wss://a.example.com")
    assert (done.returncode, double.pids) == (2, [])
    assert "--tunnel makes the public address, and --ws-url gives another: leave one of them out" in done.stderr
    done = run(tmp_path, double, "--wav", "in.wav", "out.wav")
    assert (done.returncode, double.pids) == (2, [])
    assert "--tunnel is about serving" in done.stderr
    (tmp_path / ".tunnel-config").write_text("\nTUNNEL_NAME\n")
    done = run(tmp_path, double)
    assert (done.returncode, double.pids) == (2, [])
    assert ".tunnel-config, line 2: expected KEY=VALUE" in done.stderr


def test_a_cloudflared_that_cannot_be_used_is_refused_with_the_command_that_installs_it(tmp_path: Path) -> None:
    double = Double(tmp_path / "double", version="2021.1.0")
    done = run(tmp_path, double, "-p", 0)
    assert (done.returncode, double.pids) == (2, [])
    assert f"{double.program} is too old: cloudflared version 2021.1.0 (built" in done.stderr
    assert f"Install a new one: {install_command()}" in done.stderr
    double.program.unlink()
    done = command(tmp_path, "run", "echo", "--tunnel", "-p", 0, PATH=str(double.folder))
    assert done.returncode == 2
    assert f"Error: cloudflared is not installed: {install_command()}" in done.stderr


def test_a_server_that_cannot_start_leaves_no_tunnel(tmp_path: Path) -> None:
    double = Double(tmp_path / "double")
    (tmp_path / "file.py").write_text(FAILING)
    variables = {"PATH": double.path, "HTTPS_PROXY": CLOSED}
    done = command(tmp_path, "run", "file.py", "--tunnel", "-p", 0, **variables)
    assert done.returncode == 2
    assert double.pids
    asyncio.run(settled(lambda: not double.lives))
