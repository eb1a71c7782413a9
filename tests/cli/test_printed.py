"""What commands print works when it is copied: commands, options, addresses and names, at every width of a terminal."""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import pytest
from cli.processes import command, serving

from voiceflow import weights
from voiceflow.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), ROOT / ".env.example", *(ROOT / "docs").rglob("*.md")]
ROUTES = """\
dids:
  +1 (512) 555-1234: {user_id: ann, system_prompt: You are the voice of a bakery that has been in town for ever.}
  442079460018: {user_id: ben, limit: 5}
"""
OURS = re.compile(r"voiceflow (call|doctor|graph|models download|models|new|routes|run)\b([^`\n|]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
OF_OTHERS = {"--stdout", "--version", "--reasoning-format", "--reasoning-parser", "--no-autoupdate", "--url"}
"""Options of other programs that voiceflow runs or speaks of."""


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--host 0.0.0.0",
        pytest.param(
            "--host ::", marks=pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")
        ),
        "-c routes.yaml",
        "-c routes.yaml --provider telnyx",
        "--provider telnyx --workers 2",
        "--host 127.0.0.2",
        "--ws-url wss://calls.example.com",
    ],
)
def test_the_command_to_try_a_server_with_is_answered(tmp_path: Path, options: str) -> None:
    (tmp_path / "routes.yaml").write_text(ROUTES)
    with serving(tmp_path, "echo", "-p", 0, *options.split()) as server:
        called = command(tmp_path, *server.trial, "--seconds", 0.6, "--json")
        talk = re.search(r"^talk to it +(\S+)$", server.log, re.MULTILINE)
        assert talk
        assert httpx.get(talk[1], trust_env=False, follow_redirects=True).is_success
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout)["delay_ms"] is not None, server.log


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")
def test_every_address_of_the_machine_is_served(tmp_path: Path) -> None:
    with serving(tmp_path, "echo", "--host", "::", "-p", 0) as server:
        port = server.address.rpartition(":")[2]
        for host in ("127.0.0.1", "[::1]"):
            assert httpx.get(f"http://{host}:{port}/health", trust_env=False).is_success
        doctor = command(tmp_path, "doctor", "--json", SIP_SERVER_PORT=port)
    findings = {finding["check"]: finding["said"] for finding in json.loads(doctor.stdout)["findings"]}
    assert findings["port"] == f"{port}: voiceflow runs there, with 0 calls"


@pytest.mark.parametrize(("pipeline", "answers"), [("echo", False), ("custom_tts", True)])
def test_a_pipeline_that_answers_nobody_says_so(tmp_path: Path, pipeline: str, answers: bool) -> None:
    with serving(tmp_path, pipeline, "-p", 0) as server:
        assert ("nobody: callers hear themselves" in server.log) is not answers


def test_where_others_may_reach_the_server_the_page_is_opened_by_a_link_with_the_secret(tmp_path: Path) -> None:
    with serving(tmp_path, "echo", "-p", 0, "--ws-url", "wss://calls.example.com/voice/sip/media-stream") as server:
        key = re.search(r"^talk to it +http://127\.0\.0\.1:\d+/\?key=([\w-]{32})$", server.log, re.MULTILINE)
        assert key
        assert f"publicly         https://calls.example.com/voice/?key={key[1]}\n" in server.log
    with serving(tmp_path, "echo", "-p", 0) as server:
        assert "key=" not in server.log


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_nothing_is_cut_off_however_narrow_the_terminal_is(tmp_path: Path, width: int) -> None:
    (tmp_path / "routes.yaml").write_text(ROUTES)
    environment = {"COLUMNS": str(width), "TWILIO_AUTH_TOKEN": "secret", "VOICEFLOW_CACHE": "cache"}
    for line in ("routes -c routes.yaml", "models", "doctor"):
        shown = command(tmp_path, *line.split(), **environment).stdout
        assert "…" not in shown
        long = [row for row in shown.splitlines() if len(row) > width and not row.startswith("-> ")]
        assert long == []
    assert "-> set TWILIO_ACCOUNT_SID in .env\n" in shown


@pytest.mark.parametrize("width", [80, 120])
def test_names_of_models_stay_whole(tmp_path: Path, width: int) -> None:
    shown = command(tmp_path, "models", COLUMNS=str(width)).stdout.split()
    assert {model.name for model in weights.catalogue} <= set(shown)


def test_remedies_of_doctor_are_one_line_each(tmp_path: Path) -> None:
    told = command(tmp_path, "doctor", "--json", VOICEFLOW_CACHE="cache", HF_HUB_CACHE="hub").stdout
    shown = command(tmp_path, "doctor", COLUMNS="60", VOICEFLOW_CACHE="cache", HF_HUB_CACHE="hub").stdout.splitlines()
    remedies = [finding["remedy"] for finding in json.loads(told)["findings"] if finding["remedy"]]
    shown = [re.sub("-> .*voiceflow (?=models|run)", "-> voiceflow ", line) for line in shown]
    assert "voiceflow models download en_US-lessac-medium" in remedies
    assert [remedy for remedy in remedies if f"-> {remedy}" not in map(str.strip, shown)] == []


def options(path: str) -> set[str]:
    """The options of a command of ours, such as "models download"."""
    found: click.Command = main
    for name in path.split():
        assert isinstance(found, click.Group)
        found = found.commands[name]
    return {name for parameter in found.get_params(click.Context(found)) for name in parameter.opts}


def texts() -> Iterator[tuple[str, str]]:
    """All that we say: each text of the code with its place, each document."""
    for folder in ("voiceflow", "processors", "transports", "pipelines"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node.value
    for file in DOCUMENTS:
        yield str(file.relative_to(ROOT)), file.read_text()


PROGRAM = """#!{python}
import sys
from voiceflow.cli import main
sys.exit(main())
"""


def printed(folder: Path, *start: str, path: str) -> str:
    """The command that `new` prints first, where the program is started so."""
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}/usr/bin:/bin"}
    (folder / "new.py").unlink(missing_ok=True)
    done = subprocess.run(
        [*start, "new", "new.py"], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    line = done.stdout.splitlines()[2].strip().partition("  ")[0]
    subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, check=True)
    return line


def test_a_command_that_is_printed_works_however_the_program_was_started(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "voiceflow"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    assert printed(tmp_path, "bin/voiceflow", path=str(program.parent)).startswith("voiceflow graph")
    assert printed(tmp_path, "bin/voiceflow", path="/nowhere").startswith("bin/voiceflow graph")
    module = printed(tmp_path, sys.executable, "-m", "voiceflow", path="/nowhere")
    assert module.startswith(f"{sys.executable} -m voiceflow graph")


def test_every_option_that_is_spoken_of_exists() -> None:
    known = set().union(*(options(path) for path in ("", "call", "doctor", "graph", "models", "routes", "run")))
    known |= options("models download") | OF_OTHERS
    unknown = [
        (place, option)
        for place, text in texts()
        if ".py:" in place and not place.startswith("voiceflow/draw/picture.py")  # whose variables of CSS look alike
        for option in OPTION.findall(text)
        if option not in known
    ]
    assert unknown == []


def test_every_command_line_of_ours_has_options_that_the_command_has() -> None:
    unknown = [
        (place, path, option)
        for place, text in texts()
        for path, rest in OURS.findall(text)
        for option in OPTION.findall(rest)
        if option not in options(path)
    ]
    assert unknown == []
    assert len([1 for _, text in texts() for _, rest in OURS.findall(text) if OPTION.search(rest)]) > 10
