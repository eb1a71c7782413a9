"""A machine as containers have it: a user without a name and a home, and nothing that can be written."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from cli.processes import COMMAND, WATCHDOG, command, serving
from namespaces import NOBODY, read_only, without_a_name

from voiceflow import weights
from voiceflow.errors import WeightsError

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"


def run(start: list[str], folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*start, *COMMAND, *map(str, arguments)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HF_ENDPOINT": "http://127.0.0.1:9", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WATCHDOG,
        check=False,
    )


@pytest.mark.parametrize(
    "line",
    [
        f"run echo --wav {SPEECH} heard.wav --fast --json",
        "graph assistant",
        "models --json",
        "models download en_US-joe-medium",
        "doctor --json",
        "routes --json",
        "new hello.py",
    ],
)
def test_without_a_name_and_a_home_every_command_works(tmp_path: Path, line: str) -> None:
    tmp_path.chmod(0o777)
    done = run(without_a_name(), tmp_path, *line.split(), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_models_of_a_user_without_a_home_are_kept_among_temporary_files(tmp_path: Path) -> None:
    done = run(without_a_name(), tmp_path, "models", "--json", TMPDIR=str(tmp_path))
    assert json.loads(done.stdout)["cache"] == str(tmp_path / f"voiceflow-cache-{NOBODY}")
    assert (tmp_path / f"voiceflow-cache-{NOBODY}").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_is_not_taken_for_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in ("VOICEFLOW_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    planted = tmp_path / f"voiceflow-cache-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    with pytest.raises(WeightsError, match=r"others can write to .*: set VOICEFLOW_CACHE to a folder"):
        weights.cache_folder()


@pytest.mark.parametrize("line", ["models", "models download tiny", "run whisper.py -p 0"])
def test_a_tilde_where_there_is_no_home_is_one_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "whisper.py").write_text(
        "from voiceflow.processors import SileroVAD, WhisperSTT\n"
        "def pipeline(call):\n    return call.source | SileroVAD() | WhisperSTT() | call.sink\n"
    )
    done = run(without_a_name(), tmp_path, *line.split(), VOICEFLOW_CACHE="~/models")
    assert done.returncode == (1 if "download" in line else 2), done.stderr
    assert "~/models needs a home folder, and there is none: write the whole path" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", ["", "--workers 2", "--reload"])
def test_where_nothing_can_be_written_a_server_says_what_helps(tmp_path: Path, options: str) -> None:
    done = run(read_only(), tmp_path, "run", "echo", "-p", 0, *options.split())
    assert done.returncode == 2
    assert done.stderr.startswith("Error: cannot note which stream tokens were used: ")
    assert done.stderr.endswith("Set TMPDIR to a folder that can be written\n")
    assert len(done.stderr.splitlines()) == 1


def test_where_nothing_can_be_written_a_download_says_what_helps(tmp_path: Path) -> None:
    done = run(read_only(), tmp_path, "models", "download", "tiny", HOME="/")
    assert done.returncode == 1
    assert "cannot write to /.cache/voiceflow/whisper/tiny: " in done.stderr
    assert "set VOICEFLOW_CACHE to a folder with room" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"run echo --wav {SPEECH} heard.wav --fast", "cannot write heard.wav: the folder . may not be written"),
        ("new hello.py", "cannot write hello.py: Read-only file system"),
        ("graph echo -o out", "cannot write out: Read-only file system"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, line: str, said: str) -> None:
    done = run(read_only(), tmp_path, *line.split())
    assert done.stderr.splitlines()[-1] == f"Error: {said}"
    assert "Traceback" not in done.stderr


def test_what_only_reads_works_where_nothing_can_be_written(tmp_path: Path) -> None:
    for line in ("models", "doctor", "routes", "graph echo"):
        done = run(read_only(), tmp_path, *line.split(), HOME="/")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "line",
    [
        f"run echo --wav {SPEECH} heard.wav --fast --json",
        "graph assistant",
        "models --json",
        "models download en_US-joe-medium",
        "doctor --json",
        "routes --json",
    ],
)
def test_a_home_of_somebody_else_is_as_none(tmp_path: Path, line: str) -> None:
    """An image for containers sets HOME for root, and runs as another user."""
    home = tmp_path / "home"
    home.mkdir(mode=0o000)
    done = run(without_a_name(), tmp_path, *line.split(), HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_download_to_a_home_of_somebody_else_says_what_helps(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o000)
    done = run(without_a_name(), tmp_path, "models", "download", "tiny", HOME=str(home))
    assert done.returncode == 1
    assert (
        f"cannot write to {home}/.cache/voiceflow/whisper/tiny: Permission denied; set VOICEFLOW_CACHE" in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("routes -c locked/c.yaml", "cannot read locked/c.yaml: Permission denied"),
        ("run locked/p.py", "Permission denied"),
        (
            f"run echo --wav {SPEECH} locked/heard.wav",
            "heard.wav: the folder locked may not be written",
        ),
        ("run echo --wav locked/in.wav heard.wav", "locked/in.wav cannot be read (Permission denied)"),
        (
            "call ws://127.0.0.1:1/ --record locked/heard.wav",
            "heard.wav: the folder locked may not be written",
        ),
        ("call ws://127.0.0.1:1/ --script locked/script.yaml", "cannot read locked/script.yaml: Permission denied"),
        ("graph echo -o locked/out", "cannot write locked/out: Permission denied"),
    ],
)
def test_a_folder_that_may_not_be_entered_is_one_line(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "locked").mkdir(mode=0o000)
    done = run(without_a_name(), tmp_path, *line.split())
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_home_a_server_is_called(tmp_path: Path) -> None:
    """HOME is empty here, as some supervisors have it."""
    with serving(tmp_path, "echo", "-p", 0, HOME="") as server:
        assert command(tmp_path, *server.trial, "--seconds", 0.5, HOME="").returncode == 0
