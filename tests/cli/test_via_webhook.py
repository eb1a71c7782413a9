"""`voiceflow call --via-webhook` and `voiceflow signing-key`: what they ask for, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.refusals import refusal
from click.testing import CliRunner, Result
from launching import free_port
from server.serving import echo, serving
from simulator.servers import in_thread, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from voiceflow.audio import AudioFormat
from voiceflow.cli import main
from voiceflow.config.precedence import settle
from voiceflow.config.settings import environment
from voiceflow.sounds.wavfile import read_wav

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
TWILIO = "http://127.0.0.1:1/sip/twilio/answer"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in environment():
        monkeypatch.setenv(name, "")
    return tmp_path


def voiceflow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="voiceflow")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ws://127.0.0.1:1/x", "--via-webhook", TWILIO], "--via-webhook: the webhook says where the stream is"),
        (["--via-webhook", TWILIO, "--token", "x"], "--token goes with the URL of a media stream: the answer to the"),
        (["--via-webhook", TWILIO, "--call-id", "x"], "--call-id goes with the URL of a media stream"),
        (["--via-webhook", TWILIO, "--as", "webrtc"], "--via-webhook is a carrier's: leave out --as webrtc"),
        (["--via-webhook", TWILIO, "--as", "telnyx"], "is the webhook of Twilio: leave out --as telnyx"),
        (["--via-webhook", "http://127.0.0.1:1/x"], "which carrier? Expected a path such as /sip/twilio/answer, /sip/"),
        (["--via-webhook", "http://127.0.0.1:1/x", "--as", "telnyx"], "nothing answers on 127.0.0.1 port 1"),
        (["--via-webhook", "ws://127.0.0.1:1/sip/twilio/answer"], "is not the URL of a webhook: expected one such as"),
        (["--via-webhook", TWILIO], "nothing answers on 127.0.0.1 port 1"),
        (["--via-webhook", TWILIO, "-c", "none.yaml"], "there is no configuration file none.yaml"),
        (["--via-webhook", TWILIO, "--signing-key", "none"], "cannot read --signing-key none: No such file"),
        (["--via-webhook", TWILIO, "--signing-key", "a.key"], "leave out --signing-key"),
        (["--via-webhook", "http://127.0.0.1:1/sip/telnyx/answer", "--signing-key", "a.key"], "expected a private Ed"),
        (["--via-webhook", TWILIO, "--codec", "G722"], "--codec G722: Twilio streams PCMU or L16 only"),
        (["ws://127.0.0.1:1/x", "--signing-key", "a.key"], "--signing-key is for signing webhooks: add --via-webhook"),
        (["ws://127.0.0.1:1/x", "-c", "a.yaml"], "--config is for the keys of webhooks: add --via-webhook URL"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_with_what_to_do(arguments: list[str], said: str) -> None:
    Path("a.key").write_text("no key")
    assert said in refusal(voiceflow("call", *arguments))


def test_a_call_to_nowhere_is_asked_for_its_url() -> None:
    result = voiceflow("call")
    assert result.exit_code == 2
    assert "Missing argument 'URL'" in result.stderr


def test_the_keys_of_the_server_are_found_in_its_configuration_and_in_dot_env(folder: Path) -> None:
    port = free_port()
    Path(".env").write_text(
        f"TWILIO_AUTH_TOKEN=s3cret\nTWILIO_ACCOUNT_SID=AC1\nTWILIO_BASE_URL=http://127.0.0.1:{port}\n"
    )
    Path("c.yaml").write_text("public_ws_url: wss://voice.example.com\n")
    seen: list[Request] = []

    async def webhook(request: Request) -> Response:
        seen.append(request)
        await request.body()
        here = f"ws://{request.headers['host']}/stream"
        answer = f"<Response><Connect><Stream url='{here}'/></Connect><Dial>+12025550155</Dial></Response>"
        return Response(answer, media_type="text/xml")

    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive_text()
        await socket.close()

    app = Starlette(routes=[Route("/sip/twilio/answer", webhook, methods=["POST"]), WebSocketRoute("/stream", stream)])
    with in_thread(served(app)) as address:
        result = voiceflow("call", "--via-webhook", f"{address}/sip/twilio/answer", "-c", "c.yaml", "--json")
        table = voiceflow("call", "--via-webhook", f"{address}/sip/twilio/answer", "-c", "c.yaml").stdout
    assert result.exit_code == 1, result.stderr  # nobody answered what the caller said
    found = json.loads(result.stdout)
    assert found["ended"] == [{"reason": "transferred to +12025550155", "failed": False, "count": 1}]
    assert found["provider"] == "twilio"
    assert found["webhook_ms"]["count"] == 1
    assert "x-twilio-signature" in seen[0].headers
    assert "authorization" not in seen[0].headers
    for words in ("transferred to +12025550155", "webhook", "answered after"):
        assert words in table


def test_a_rest_interface_that_does_not_know_the_call_is_named(folder: Path) -> None:
    Path(".env").write_text("TWILIO_AUTH_TOKEN=s3cret\nTWILIO_ACCOUNT_SID=AC1\n")
    result = voiceflow("call", "--via-webhook", TWILIO)
    assert "https://api.twilio.com does not know simulated calls" in result.stderr


def test_a_key_is_made_once_and_its_line_printed_each_time() -> None:
    made, again = voiceflow("signing-key", "a.key"), voiceflow("signing-key", "a.key")
    assert made.exit_code == again.exit_code == 0
    assert made.stdout == again.stdout
    assert made.stdout.startswith("TELNYX_PUBLIC_KEY=")
    assert Path("a.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("no.key", "no.key: expected a private Ed25519 key in PEM without a password: `voiceflow signing-key FILE`"),
        ("none/a.key", "cannot write none/a.key: No such file or directory"),
    ],
)
def test_a_key_that_cannot_be_made_or_read_is_refused(file: str, said: str) -> None:
    Path("no.key").write_text("")
    assert said in refusal(voiceflow("signing-key", file))
    assert Path("no.key").read_text() == ""


def test_the_agents_audio_may_have_another_format_than_the_callers(folder: Path) -> None:
    Path(".env").write_text(voiceflow("signing-key", "a.key").stdout)
    Path("c.yaml").write_text("public_ws_url: wss://voice.example.com\nprovider_config: {telnyx: {codec: L16}}\n")
    Path("s.yaml").write_text(f"steps:\n  - {{say: {SPEECH}, at: 0}}\n  - {{press: 1, after: 0}}\n")
    config = settle(None, Path("c.yaml")).config

    with in_thread(serving(echo, config)) as server:
        by = ("--via-webhook", f"{server.http}/sip/telnyx/answer", "--signing-key", "a.key", "-c", "c.yaml")
        result = voiceflow("call", *by, "--script", "s.yaml", "--seconds", "1.5", "--record", "r.wav", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["codec"] == "PCMU 8000 Hz"
    assert found["heard"]["correlation_without_gaps"] > 0.9
    assert found["refused"] == []
    recorded = read_wav("r.wav")
    assert recorded.format == AudioFormat("pcm16", 16_000, 2)
    assert abs(recorded.duration - 1.5) < 0.1
