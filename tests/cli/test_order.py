"""What counts when something is said twice: one order, whichever command is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from cli.processes import command, serving

from voiceflow import ConfigError
from voiceflow.config.precedence import settle
from voiceflow.config.settings import ENVIRONMENT

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
TELLS = """
import os
from voiceflow import Call, Pipeline

def pipeline(call: Call) -> Pipeline:
    print("TOLD", os.environ.get("TOLD"), call.route.llm_model, flush=True)
    return call.source | call.sink
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder, which has a pipeline in a folder of its own, each of them with an .env."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "tells.py").write_text(TELLS)
    (tmp_path / "app" / ".env").write_text("TOLD=beside\nOLLAMA_MODEL=beside-model\nSIP_SERVER_PORT=1001\n")
    (tmp_path / ".env").write_text("TOLD=here\nOLLAMA_MODEL=here-model\nSIP_SERVER_PORT=1002\n")
    kept = {name: value for name, value in os.environ.items() if name not in (*ENVIRONMENT, "OLLAMA_MODEL")}
    with mock.patch.dict(os.environ, kept | {"HOME": str(tmp_path / "home")}, clear=True):
        yield tmp_path


def test_an_option_counts_more_than_the_environment_than_env_than_the_file_than_the_default(folder: Path) -> None:
    assert settle("app/tells.py", port=1004).config.server_port == 1004
    with mock.patch.dict(os.environ, {"SIP_SERVER_PORT": "1003"}):
        assert settle("app/tells.py").config.server_port == 1003
    Path("voiceflow.yaml").write_text("server_port: 1000\nserver_host: ::1\n")
    with mock.patch.dict(os.environ):
        assert settle("app/tells.py").config.server_port == 1001
    for env in (Path(".env"), Path("app/.env")):
        env.unlink()
    del os.environ["SIP_SERVER_PORT"]
    assert settle("app/tells.py").config.server_port == 1000
    assert settle("app/tells.py").config.server_host == "::1"
    Path("voiceflow.yaml").unlink()
    assert settle("app/tells.py").config.server_port == 8000


@pytest.mark.parametrize(
    ("target", "port"), [("app/tells.py", 1001), ("echo", 1002), (None, 1002), ("no/such.py", 1002)]
)
def test_dot_env_is_beside_the_file_and_without_a_file_in_the_working_folder(target: str | None, port: int) -> None:
    assert settle(target).config.server_port == port


def test_a_configuration_that_is_named_and_missing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml"):
        settle(named=Path("no.yaml"))


@pytest.mark.parametrize(
    "arguments",
    [("graph", "app/tells.py"), ("run", "app/tells.py", "--wav", SPEECH, "heard.wav", "--fast")],
    ids=["graph", "run --wav"],
)
def test_a_command_with_a_file_reads_the_env_beside_it(folder: Path, arguments: tuple[object, ...]) -> None:
    done = command(folder, *arguments)
    assert done.returncode == 0, done.stderr
    assert "TOLD beside beside-model" in done.stdout
    assert "TOLD set beside-model" in command(folder, *arguments, TOLD="set").stdout


def test_a_recorded_call_has_the_language_and_the_words_of_the_configuration(folder: Path) -> None:
    (folder / "says.py").write_text(TELLS.replace("call.route.llm_model", "call.language, call.words.hold"))
    (folder / "voiceflow.yaml").write_text("language: de\nwords: {de: {hold: Augenblick.}}\n")
    done = command(folder, "run", "says.py", "--wav", SPEECH, "heard.wav", "--fast")
    assert "TOLD here de Augenblick." in done.stdout, done.stderr


def test_a_server_reads_the_env_beside_its_file_and_options_count_more(folder: Path) -> None:
    with serving(folder, "app/tells.py", "--port", 0) as server:
        assert "TOLD beside beside-model" in server.log


@pytest.mark.parametrize(
    "arguments",
    [
        ("graph", "app/tells.py"),
        ("run", "app/tells.py"),
        ("run", "app/tells.py", "--wav", SPEECH, "heard.wav", "--fast"),
        ("routes",),
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:3])),
)
def test_every_command_refuses_a_broken_configuration_in_one_line(folder: Path, arguments: tuple[object, ...]) -> None:
    (folder / "bad.yaml").write_text("log_level: loud\n")
    done = command(folder, *arguments, "-c", "bad.yaml")
    assert done.returncode == 2
    assert done.stderr == "Error: bad.yaml, line 1: log_level is 'loud': expected DEBUG, INFO, WARNING or ERROR\n"
    assert not (folder / "heard.wav").exists()


@pytest.mark.parametrize(
    "arguments",
    [("graph", "app/tells.py"), ("run", "app/tells.py", "--wav", SPEECH, "heard.wav", "--fast")],
    ids=["graph", "run --wav"],
)
def test_the_log_level_is_that_of_the_configuration_unless_an_option_says_otherwise(
    folder: Path, arguments: tuple[object, ...]
) -> None:
    deep = "    import logging; logging.getLogger('a').debug('deep')\n    return"
    (folder / "app" / "tells.py").write_text(TELLS.replace("    return", deep))
    (folder / "loud.yaml").write_text("log_level: debug\n")
    assert "DEBUG a: deep" in command(folder, *arguments, "-c", "loud.yaml").stderr
    assert "deep" not in command(folder, *arguments, "-c", "loud.yaml", "--log-level", "warning").stderr


def test_routes_models_and_doctor_read_the_env_in_the_working_folder(folder: Path) -> None:
    with (folder / ".env").open("a") as env:
        env.write(f"VOICEFLOW_CACHE={folder / 'kept'}\n")
    routes = json.loads(command(folder, "routes", "--json").stdout)
    assert routes["default"]["llm_model"] == "here-model"
    done = command(folder, "models", "--json", VOICEFLOW_CACHE="")
    assert json.loads(done.stdout)["cache"] == str(folder / "kept"), done.stderr
    (folder / ".env").write_text("SIP_SERVER_PORT=many\n")
    found = {
        finding["check"]: finding for finding in json.loads(command(folder, "doctor", "--json").stdout)["findings"]
    }
    assert found["configuration"]["said"].startswith("SIP_SERVER_PORT is 'many'")


@pytest.mark.parametrize("name", ["run", "graph", "routes", "doctor", "models"])
def test_the_help_says_where_the_environment_comes_from(folder: Path, name: str) -> None:
    told = command(folder, name, "--help").stdout
    assert ".env" in told or "those of `voiceflow run`" in told
