"""`voiceflow doctor`: what it finds, what it advises, and how it exits."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from click.testing import CliRunner, Result
from doubles import virtual
from launching import free_port
from simulator.relay import SECRET, coturn, needs_coturn
from weights.hub import isolate

from voiceflow.cli import main
from voiceflow.doctor import Finding, Setting, examine

KEPT = ("PATH", "VOICEFLOW_CACHE", "HF_HUB_CACHE", "HF_ENDPOINT", "NO_PROXY")
MEDIA = "/sip/media-stream"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty working folder, home and cache, nothing configured, a free port, and no Ollama. The patches of the tests
    themselves are undone before those made here."""
    ours = {"HOME": str(tmp_path / "home"), "OLLAMA_URL": "http://127.0.0.1:9", "SIP_SERVER_PORT": str(free_port())}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        isolate(tmp_path, patch)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        with mock.patch.dict(os.environ, kept | ours | {"COLUMNS": "200"}, clear=True):
            yield tmp_path


@contextmanager
def answering(answers: dict[str, Any]) -> Iterator[int]:
    """A server that answers these paths with JSON, and the rest with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path in answers
            data = json.dumps(answers.get(self.path)).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ollama(*models: str) -> dict[str, Any]:
    return {"/api/tags": {"models": [{"name": name} for name in models]}}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments], prog_name="voiceflow")


def findings(*arguments: str) -> dict[str, tuple[str, str, str | None]]:
    """Status, what is said and the remedy of each check."""
    told = json.loads(run("--json", *arguments).stdout)["findings"]
    return {finding["check"]: (finding["status"], finding["said"], finding["remedy"]) for finding in told}


def test_nothing_configured_is_nothing_that_fails() -> None:
    result = run()
    assert result.exit_code == 0
    rows = [line.split(maxsplit=1) for line in result.stdout.splitlines() if not line.startswith((" ", "->"))]
    assert {status for status, _ in rows} <= {"ok", "warn"}
    checks = ("python", "configuration", "extra webrtc", "whisper", "voice", "ollama", "port", "twilio", "cloudflared")
    for check in checks:
        assert any(rest.startswith(check) for _, rest in rows), check


def test_what_fails_is_exit_code_1_in_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_PROVIDER", "gemini")
    assert run().exit_code == 1
    result = run("--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["ok"] is False
    assert {
        "check": "language model",
        "status": "fail",
        "said": "LLM_PROVIDER is gemini: expected claude, openai or ollama",
        "remedy": "correct LLM_PROVIDER",
    } in told["findings"]


def test_no_key_is_ever_shown(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    names = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TELNYX_API_KEY")
    (folder / ".env").write_text("".join(f"{name}=hush-{name}\n" for name in names))
    with mock.patch.dict(os.environ):
        monkeypatch.setenv("OLLAMA_URL", "http://ann:hush@127.0.0.1:9")
        shown = [run(), run("--json")]
    assert all("hush" not in result.output for result in shown)
    assert all("claude, because ANTHROPIC_API_KEY is set" in result.output for result in shown)


@pytest.mark.parametrize(
    ("environment", "status", "said"),
    [
        ({}, "ok", "ollama, because neither LLM_PROVIDER nor a key is set"),
        ({"OPENAI_API_KEY": "k"}, "ok", "openai, because OPENAI_API_KEY is set; "),
        ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}, "ok", "claude, because ANTHROPIC_API_KEY is set; "),
        ({"LLM_PROVIDER": "Ollama", "OPENAI_API_KEY": "k"}, "ok", "ollama, because LLM_PROVIDER is ollama"),
        ({"LLM_PROVIDER": "openai"}, "fail", "openai, because LLM_PROVIDER is openai, but OPENAI_API_KEY is not set"),
    ],
)
def test_the_language_model_is_named_with_the_reason(environment: dict[str, str], status: str, said: str) -> None:
    with mock.patch.dict(os.environ, environment):
        found = findings()["language model"]
    assert found[0] == status
    assert found[1].startswith(said)


def test_ollama_that_does_not_answer_is_a_warning_unless_somebody_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    status, said, remedy = findings()["ollama"]
    assert status == "warn"
    assert said.startswith("no answer from http://127.0.0.1:9: ")
    assert remedy in ("ollama serve", "install it from https://ollama.com/download")
    monkeypatch.setenv("LLM_PROVIDER", "ollama")
    assert findings()["ollama"][0] == "fail"
    monkeypatch.setenv("LLM_PROVIDER", "claude")
    status, said, _ = findings()["ollama"]
    assert status == "ok"
    assert said.endswith("(not needed, because LLM_PROVIDER is claude)")


def test_a_model_that_ollama_does_not_have_is_to_be_pulled(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "voiceflow.yaml").write_text("dids:\n  +1 512 555 1234:\n    llm_model: qwen3:8b\n")
    with answering(ollama("llama3.2:latest")) as port:
        monkeypatch.setenv("OLLAMA_URL", f"http://127.0.0.1:{port}/")
        assert findings()["ollama"] == (
            "warn",
            f"http://127.0.0.1:{port} answers, but does not have qwen3:8b",
            "ollama pull qwen3:8b",
        )
        (folder / "voiceflow.yaml").unlink()
        assert findings()["ollama"] == ("ok", f"http://127.0.0.1:{port} answers, with llama3.2", None)


@pytest.mark.parametrize("answers", [{}, {"/api/tags": []}, {"/api/tags": {"models": [3]}}])
def test_another_server_in_ollamas_place_is_no_answer(answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(answers) as port:
        monkeypatch.delenv("OLLAMA_URL")
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{port}")
        status, said, _ = findings()["ollama"]
    assert status == "warn"
    assert said.startswith(f"no answer from http://127.0.0.1:{port}: ")


def test_a_configuration_that_cannot_be_used_fails_and_the_rest_is_looked_at(folder: Path) -> None:
    (folder / "voiceflow.yaml").write_text("log_level: loud\n")
    found = findings()
    status, said, _ = found["configuration"]
    assert status == "fail"
    assert said == "voiceflow.yaml, line 1: log_level is 'loud': expected DEBUG, INFO, WARNING or ERROR"
    assert found["python"][0] == "ok"


def test_a_named_configuration_that_is_missing_fails() -> None:
    assert findings("-c", "none.yaml")["configuration"][:2] == ("fail", "there is no configuration file none.yaml")


def test_an_env_file_that_cannot_be_read_fails(folder: Path) -> None:
    (folder / ".env").write_bytes(b"\xff\xfe=1\n")
    status, said, remedy = findings()["configuration"]
    assert status == "fail"
    assert said.startswith(".env: expected lines like NAME=value")
    assert remedy is not None


def test_an_extra_that_is_missing_names_the_command_and_counts_as_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = {"faster-whisper", "G722", "anthropic", "ollama"}

    def known(name: str) -> str:
        if name in gone:
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr("voiceflow.doctor.machine.version", known)
    found = findings()
    assert found["extra stt"] == (
        "warn",
        "faster-whisper not installed: no speech recognition by Whisper",
        "pip install 'voiceflow-pipelines[stt]'",
    )
    assert found["extra g722"][0] == "ok"
    assert found["extra claude"][0] == "ok"
    assert found["extra ollama"][0] == "warn"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    assert findings()["extra claude"][0] == "fail"


def test_the_default_models_are_named_with_their_size_if_they_are_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceflow.weights.where", lambda model: None)
    found = findings()
    said = "base is not here: 148 MB are downloaded when it is first used"
    assert found["whisper"] == ("warn", said, "voiceflow models download base")
    assert found["voice"][2] == "voiceflow models download en_US-lessac-medium"
    monkeypatch.setattr("voiceflow.weights.where", lambda model: "cached")
    assert findings()["whisper"] == ("ok", "base, cached", None)


def test_the_voices_of_the_routes_are_looked_at(folder: Path) -> None:
    routes = ("en_US-nobody-medium", "mine.onnx", "en_US-libritts_r-medium#12")
    lines = [f"  +1 512 555 123{digit}:\n    tts_voice: {voice}\n" for digit, voice in enumerate(routes)]
    (folder / "voiceflow.yaml").write_text("dids:\n" + "".join(lines))
    told = json.loads(run("--json").stdout)["findings"]
    unknown, path, speaker = [finding for finding in told if finding["check"] == "voice"]
    assert unknown["status"] == "warn"
    assert unknown["said"] == "there is no voice en_US-nobody-medium: en_US-lessac-medium is used instead"
    assert path["status"] == "fail"
    assert path["said"].startswith("there is no mine.onnx")
    assert speaker["remedy"] == "voiceflow models download en_US-libritts_r-medium"


def test_a_port_in_use_fails_and_names_who_uses_it() -> None:
    with socket.create_server(("127.0.0.1", int(os.environ["SIP_SERVER_PORT"]))):
        status, said, remedy = findings()["port"]
    assert status == "fail"
    assert f"(process {os.getpid()})" in said
    assert remedy == "end that program, or: voiceflow run FILE --port OTHER"


def test_a_port_where_voiceflow_runs_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering({"/health": {"status": "ok", "dids": [], "active_calls": 2, "ollama": False}}) as port:
        monkeypatch.setenv("SIP_SERVER_PORT", str(port))
        assert findings()["port"] == ("ok", f"{port}: voiceflow runs there, with 2 calls", None)


def test_what_is_on_this_machine_is_asked_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with answering({"/health": {"active_calls": 2}, **ollama("llama3.2:latest")}) as port:
        monkeypatch.setenv("SIP_SERVER_PORT", str(port))
        monkeypatch.setenv("OLLAMA_URL", f"http://127.0.0.1:{port}")
        found = findings()
    assert found["port"] == ("ok", f"{port}: voiceflow runs there, with 2 calls", None)
    assert found["ollama"] == ("ok", f"http://127.0.0.1:{port} answers, with llama3.2", None)


def test_half_of_a_carriers_credentials_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC1")
    monkeypatch.setenv("TELNYX_API_KEY", "k")
    monkeypatch.setenv("TELNYX_PUBLIC_KEY", "nonsense")
    found = findings()
    assert found["twilio"] == ("fail", "TWILIO_AUTH_TOKEN missing", "set TWILIO_AUTH_TOKEN in .env")
    status, said, _ = found["telnyx"]
    assert status == "fail"
    assert "is not a public key" in said
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "t")
    monkeypatch.setenv("TELNYX_PUBLIC_KEY", "A" * 43 + "=")
    found = findings()
    assert (found["twilio"][0], found["telnyx"][0]) == ("ok", "ok")


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        (f"wss://127.0.0.1{MEDIA}", "ok", f"wss://127.0.0.1{MEDIA}"),
        (f"wss://{'a' * 64}.example{MEDIA}", "warn", f"{'a' * 64}.example has no address: "),
    ],
)
def test_the_public_address_is_one_that_carriers_can_use(
    address: str, status: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIP_PUBLIC_WS_URL", address)
    found = findings()["public address"]
    assert found[0] == status
    assert found[1].startswith(said)


def test_a_carrier_without_a_public_address_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings()["public address"][0] == "ok"
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "t")
    status, _, remedy = findings()["public address"]
    assert status == "warn"
    assert remedy is not None
    assert remedy.startswith("voiceflow run FILE --ws-url wss://HOST/sip/media-stream")


def test_a_check_without_a_result_is_given_up_and_said() -> None:
    async def never(setting: Setting) -> Finding:
        await asyncio.Event().wait()
        raise AssertionError

    found = virtual(examine("sleepy", never, Setting({})))
    assert found == Finding("sleepy", "warn", "no result after 5 s")


def test_a_check_that_fails_itself_is_a_finding() -> None:
    async def broken(setting: Setting) -> Finding:
        raise ZeroDivisionError("by zero")

    found = virtual(examine("broken", broken, Setting({})))
    assert found == Finding("broken", "warn", "could not be checked: ZeroDivisionError: by zero")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "+12025550123"), "--from goes with --phone"),
        (("--ice", "--to", "+12025550123"), "--to goes with --phone"),
        (("--ice", "--phone"), "--ice and --phone are two tests"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: tuple[str, ...], said: str) -> None:
    result = run(*options)
    assert result.exit_code == 2
    assert said in result.stderr


# -- --ice


def ice(folder: Path, content: str) -> dict[str, tuple[str, str, str | None]]:
    (folder / "voiceflow.yaml").write_text(content)
    return findings("--ice")


def test_two_peers_connect_where_no_server_is_configured(folder: Path) -> None:
    found = ice(folder, "ice: []\n")
    assert found["servers"] == ("ok", "none, as configured", None)
    assert found["candidates"][0] == found["connection"][0] == "ok"
    assert "\n  host " in found["candidates"][1]
    assert "data both ways after" in found["connection"][1]
    assert found["relayed connection"][0] == "ok"


@needs_coturn
def test_a_turn_server_that_works_is_shown_with_what_it_gives(folder: Path) -> None:
    with coturn(folder) as address:
        turn, stun = f"turn:{address}", f"stun:{address}"
        found = ice(folder, f"ice: {{provider: coturn, secret: {SECRET}, urls: ['{stun}', '{turn}']}}\n")
    assert {check: status for check, (status, _, _) in found.items()} == dict.fromkeys(
        (stun, turn, "candidates", "connection", "relayed connection"), "ok"
    )
    assert found[stun][1].startswith("sees us as 127.0.0.1:")
    assert found[turn][1].startswith("takes the credentials and relays by 127.0.0.1:")
    assert "\n  relay 127.0.0.1:" in found["candidates"][1]
    assert found["relayed connection"][1].startswith("relay 127.0.0.1:")


@needs_coturn
def test_a_wrong_secret_is_said_with_what_to_do(folder: Path) -> None:
    with coturn(folder) as address:
        (folder / "voiceflow.yaml").write_text(f"ice: {{provider: coturn, secret: hush, urls: 'turn:{address}'}}\n")
        result = run("--ice")
    assert result.exit_code == 1
    assert "refuses the credentials (401" in result.stdout
    assert "make ice.secret the server's static-auth-secret" in result.stdout
    assert "hush" not in result.stdout


@needs_coturn
def test_the_pair_that_fails_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceflow.doctor.icepath.CONNECT", 1.0)
    with coturn(folder, loopback_peers=False) as address:
        found = ice(folder, f"ice: {{provider: coturn, secret: {SECRET}, urls: 'turn:{address}'}}\n")
    status, said, remedy = found["relayed connection"]
    assert status == "fail"
    assert re.search(r"relay 127\.0\.0\.1:\d+ -> relay 127\.0\.0\.1:\d+: no answer", said)
    assert remedy is not None
    assert "let the TURN server relay" in remedy
    assert found["connection"][0] == "ok"


def test_servers_that_do_not_answer_are_told_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceflow.doctor.iceprobe.ANSWER", 0.3)
    silent, closed = f"turn:127.0.0.1:{free_port()}", f"turn:127.0.0.1:{free_port()}?transport=tcp"
    nowhere = f"stun:{'a' * 64}.example"
    servers = f"username: a, credential: hush, urls: ['{silent}', '{closed}', '{nowhere}', 'stuns:127.0.0.1']"
    found = ice(folder, f"ice: [{{{servers}}}, {{provider: twilio}}]\n")
    assert found[silent][:2] == ("fail", "no answer within 0.3 s")
    assert found[closed][:2] == ("fail", "nothing listens there")
    assert found[nowhere][:2] == ("fail", f"there is no host called {'a' * 64}.example")
    assert found["stuns:127.0.0.1"][0] == "warn"
    assert found["servers"][:2] == ("fail", "TwilioServers gave none")
    assert found["relayed connection"][:2] == ("fail", "not tried: no TURN server can be used")
    assert "hush" not in str(found)


def test_without_aiortc_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("aioice", "aiortc"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "voiceflow.doctor.iceprobe", raising=False)
    assert ice(folder, "ice: []\n")["extra webrtc"][2] == "pip install 'voiceflow-pipelines[webrtc]'"


def test_a_configuration_that_cannot_be_used_is_all_that_is_said(folder: Path) -> None:
    found = ice(folder, "ice: {urls: 'stun'}\n")
    assert list(found) == ["configuration"]
    assert found["configuration"][0] == "fail"
