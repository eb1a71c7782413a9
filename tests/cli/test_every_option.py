"""Every command and every option is typed once, as a process of its own, and does what it says.

A command or an option that is new fails here until a line of `CASES` or `SERVERS` has it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from cli.processes import Serving, command, serving
from tunnel.double import ADDRESS, Double

from voiceflow.audio import AudioFormat
from voiceflow.cli import main
from voiceflow.sounds.wavfile import read_wav, write_wav
from voiceflow.transports.carriers import carrier_named

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
CONFIG = "ice: []\nlog_level: error\ndids:\n  +1 (512) 555-1234: {user_id: ann}\n"
PIPELINE = "def pipeline(call):\n    return call.source | call.sink\n"
PUBLIC = "wss://calls.example.com/sip/media-stream"
ENVIRONMENT = {"HF_ENDPOINT": "http://127.0.0.1:9", "VOICEFLOW_CACHE": "cache", "HF_HUB_CACHE": "hub"}
"""No model is to be had from there, and none is here."""

NOBODY = "http://127.0.0.1:9"
"""A proxy that is not there: no request leaves this machine."""


class Case(NamedTuple):
    """A command line, with ADDRESS for a server that echoes and SERVER for its media streams, and what comes of it."""

    line: str
    code: int
    said: str
    """What standard output, followed by standard error, has to match."""
    made: Callable[[str], object] | None = None
    """Looks at standard output, and at the files that were written."""


def _is_recording(stdout: str) -> None:
    report = json.loads(stdout)
    assert (report["error"], report["correlation"]) == (None, 1.0)
    assert read_wav("heard.wav").duration == report["out_seconds"]


def _is_picture(stdout: str) -> None:
    assert Path("echo.svg").read_text().startswith("<svg ")
    assert "TelnyxSource" in Path("echo.svg").read_text()


def _is_pipeline(stdout: str) -> None:
    assert "def pipeline(call: Call)" in Path("hello.py").read_text()


def _is_route(stdout: str) -> None:
    assert json.loads(stdout)["routes"]["+15125551234"]["user_id"] == "ann"


def _is_call_by_telnyx(stdout: str) -> None:
    report = json.loads(stdout)
    assert (report["provider"], report["codec"], report["calls"]) == ("telnyx", "L16 8000 Hz", 1)
    assert report["ended"] == [{"reason": "hung up", "failed": False, "count": 1}]
    assert read_wav("call.wav").format is AudioFormat("pcm16", 8_000)
    assert abs(read_wav("call.wav").duration - 0.8) < 0.5


def _is_two_calls(stdout: str) -> None:
    report = json.loads(stdout)
    assert (report["calls"], report["failed"], report["marks"]) == (2, 0, {"played": 0, "cleared": 0})


def _has_vanished(stdout: str) -> None:
    assert json.loads(stdout)["ended"][0]["reason"] == "vanished"


def _is_private_key(stdout: str) -> None:
    assert Path("carrier.key").stat().st_mode & 0o777 == 0o600


def _is_list_of_models(stdout: str) -> None:
    assert {"base", "en_US-lessac-medium"} <= {model["name"] for model in json.loads(stdout)["models"]}


def _is_diagnosis(stdout: str) -> None:
    found = {finding["check"]: finding["said"] for finding in json.loads(stdout)["findings"]}
    assert found["configuration"] == "config.yaml"


def _is_diagnosis_of_ice(stdout: str) -> None:
    assert {finding["check"] for finding in json.loads(stdout)["findings"]} >= {"servers", "connection"}


NAMES = ("call", "doctor", "graph", "models", "models download", "new", "routes", "run", "signing-key")
CASES = [
    Case("--version", 0, r"^voiceflow, version \d"),
    Case("--help", 0, "Usage: .* COMMAND"),
    *(Case(f"{name} --help", 0, f"Usage: .*{name}") for name in NAMES),
    Case("run file.py -c config.yaml --wav in.wav heard.wav --fast --json --log-level debug", 0, "", _is_recording),
    Case("run file.py --wav in.wav heard.wav", 0, "correlation +│ 1.0000"),
    Case("run file.py --wav in.wav heard.wav --fast --transcript", 0, r"(?m)^call [0-9a-f]{12} 0:0\d\.\d over$"),
    Case("graph file.py --format svg --as telnyx -o echo.svg -c config.yaml --log-level debug", 0, "", _is_picture),
    Case("new hello.py", 0, "voiceflow run hello.py", _is_pipeline),
    Case("routes +15125551234 -c config.yaml --json", 0, "", _is_route),
    Case("models --json", 0, "", _is_list_of_models),
    Case("models download tiny.en --log-level error", 1, "Error: .*tiny.en(?s:.*)by plain HTTP"),
    Case("models download tiny.en --plain-http", 1, "Error: .*tiny.en(?s:.*)refused"),
    Case("doctor -c config.yaml --json", 0, "", _is_diagnosis),
    Case("doctor -c config.yaml --ice --json", 0, "", _is_diagnosis_of_ice),
    Case("doctor -c config.yaml --phone --from +12025550123 --to +15125551234", 1, "fail +address +no public address"),
    Case(
        "call SERVER --as telnyx --codec l16 --rate 8000 --play in.wav --record call.wav --mono --seconds 0.8 --loss 1 "
        "--jitter 1 --reorder 1 --from +12025550111 --to +12025550122 --json --log-level info",
        0,
        "",
        _is_call_by_telnyx,
    ),
    Case("call SERVER --script script.yaml --seconds 1", 0, "called .*as twilio"),
    Case("call SERVER --digits 1 --barge-in-at 0.2 --seconds 0.6", 0, "called .*as twilio"),
    Case(f"call SERVER --token abc --call-id CA{'0' * 32}", 1, "the stream token is not one that this server"),
    Case("signing-key carrier.key --as telnyx", 0, "^TELNYX_PUBLIC_KEY=[A-Za-z0-9+/]{43}=$", _is_private_key),
    Case(
        "call --via-webhook ADDRESS/sip/telnyx/answer --signing-key of-a-carrier.key --config config.yaml",
        2,
        "Error: the server refused the call: the caller hears 'This number is not set up yet.'",
    ),
    Case("call SERVER --calls 2 --seconds 0.5 --json", 0, "", _is_two_calls),
    Case("call SERVER --vanish-after 0.2 --json", 0, "", _has_vanished),
]
SERVERS = [
    (
        f"run file.py --config config.yaml --host 127.0.0.1 --port 0 --ws-url {PUBLIC} --provider twilio --insecure "
        "--log-level warning",
        f"configuration: config.yaml(.|\n)*publicly {PUBLIC}(.|\n)*"
        r"for twilio +https://calls.example.com/sip/twilio/answer\n(.|\n)*--insecure: whoever reaches this port",
    ),
    ("run file.py -p 0 --workers 2 --transcript", "numbers: any"),
    ("run file.py -p 0 --reload --transcript", "numbers: any"),
    ("run file.py -p 0 --tunnel", f"publicly +{ADDRESS}"),
]
"""Command lines that serve, and what they print."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a pipeline, a configuration and a recording of half a second."""
    monkeypatch.chdir(tmp_path)
    Path("file.py").write_text(PIPELINE)
    Path("config.yaml").write_text(CONFIG)
    Path("of-a-carrier.key").write_bytes(carrier_named("telnyx").make_signing_key())
    Path("script.yaml").write_text("steps:\n  - {say: in.wav, at: 0}\n")
    speech = read_wav(SPEECH)
    monkeypatch.setenv("PATH", Double(tmp_path / "double").path)
    write_wav("in.wav", type(speech)(speech.data[: speech.format.bytes_for(1.0)], speech.format))
    return tmp_path


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("echo"), "echo", "-p", 0) as server:
        yield server


def options(group: click.Command, path: str = "") -> Iterator[str]:
    """Every command and option, as COMMAND and COMMAND --OPTION."""
    context = click.Context(group)
    yield path.strip()
    for parameter in group.get_params(context):
        if isinstance(parameter, click.Option):
            yield f"{path} {max(parameter.opts, key=len)}".strip()
    if isinstance(group, click.Group):
        for name, subcommand in group.commands.items():
            yield from options(subcommand, f"{path} {name}")


def typed(line: str) -> Iterator[str]:
    """The commands and options in a command line, named in the same way."""
    current: click.Command = main
    path = ""
    for word in line.split():
        if isinstance(current, click.Group) and word in current.commands:
            current, path = current.commands[word], f"{path} {word}".strip()
        for parameter in current.get_params(click.Context(current)):
            if word in parameter.opts:
                yield f"{path} {max(parameter.opts, key=len)}".strip()
    yield path


def test_every_command_and_every_option_has_a_case() -> None:
    tried = {name for line in [*(case.line for case in CASES), *(line for line, _ in SERVERS)] for name in typed(line)}
    assert set(options(main)) - tried == set()


def test_an_option_without_a_case_would_be_noticed() -> None:
    assert "call --vanish-after" in set(options(main))
    assert "models download --log-level" in set(options(main))
    assert list(typed("run file.py -c x --fast")) == ["run --config", "run --fast", "run"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.line)
def test_it_does_what_it_says(folder: Path, echo: Serving, case: Case) -> None:
    line = case.line.replace("SERVER", echo.media).replace("ADDRESS", echo.address)
    done = command(folder, *line.split(), **ENVIRONMENT)
    assert done.returncode == case.code, done.stderr
    assert re.search(case.said, done.stdout + done.stderr), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if case.made is not None:
        case.made(done.stdout)


@pytest.mark.parametrize(("line", "said"), SERVERS, ids=[line for line, _ in SERVERS])
def test_it_serves_until_it_is_ended(folder: Path, line: str, said: str) -> None:
    with serving(folder, *line.split()[1:], HTTPS_PROXY=NOBODY) as server:
        assert re.search(said, server.log), server.log
        called = command(folder, "call", server.media, "--seconds", 0.5, "--to", "+15125551234")
    assert called.returncode == 0, called.stderr
    assert server.exit_code == 0
    assert "Traceback" not in server.log
    transcripts = re.findall(r"^call [0-9a-f]{12} 0:0\d\.\d over$", server.log, re.MULTILINE)
    assert len(transcripts) == line.count("--transcript")


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take names in UTF-8 only")
def test_files_may_have_any_name(folder: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    Path("file.py").rename(f"{odd}.py")
    Path("config.yaml").rename(f"{odd}.yaml")
    with serving(folder, f"{odd}.py", "-c", f"{odd}.yaml", "-p", 0) as server:
        assert "numbers: +15125551234" in server.log
    assert "Traceback" not in server.log
