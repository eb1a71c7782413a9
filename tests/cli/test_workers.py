"""Several processes serve as one does: the same message, once, and the same exit code."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from cli.processes import command, serving

NO_MODEL = """
from voiceflow import AudioRaw, Processor

class Model(Processor):
    def load(self):
        raise ConnectionError("no model server")

    def process(self, frame: AudioRaw) -> AudioRaw:
        return frame

def pipeline(call):
    return call.source | Model() | call.sink
"""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("x = 1\ndef pipeline(call)\n", "Error: file.py, line 2: SyntaxError: expected ':'"),
        ("def pipeline(call):\n    return call.source | call.source", "Error: "),
        (NO_MODEL, "ERROR uvicorn.error: ConnectionError: no model server"),
    ],
    ids=["syntax", "link", "model"],
)
def test_a_file_that_cannot_be_served_says_so_in_one_line_however_many_workers_there_are(
    tmp_path: Path, content: str, expected: str
) -> None:
    (tmp_path / "file.py").write_text(content)
    several = ([], ["--workers", 1], ["--workers", 2])
    default, one, two = (command(tmp_path, "run", "file.py", "--port", 0, *workers) for workers in several)
    assert (default.returncode, one.returncode, two.returncode) == (2, 2, 2)
    assert len([line for line in default.stderr.splitlines() if line.startswith(expected)]) == 1
    assert "Traceback" not in default.stderr
    assert without_ports(default.stderr) == without_ports(one.stderr) == without_ports(two.stderr)


def without_ports(text: str) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", "HERE", text)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use_is_all_that_is_said(tmp_path: Path, workers: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command(tmp_path, "run", "echo", "-p", port, "--workers", workers)
    assert done.returncode == 2
    assert done.stderr == f"Error: port {port} on 127.0.0.1 is in use: stop what serves there, or use --port\n"


def test_a_model_is_fetched_by_one_worker_before_the_others_start(tmp_path: Path) -> None:
    loads = NO_MODEL.replace(
        'raise ConnectionError("no model server")',
        'open("loading", "x").close(); import time; time.sleep(0.3); __import__("os").remove("loading")',
    )
    (tmp_path / "file.py").write_text(loads)
    with serving(tmp_path, "file.py", "-p", 0, "--workers", 2) as server:
        assert server.answers
    assert server.exit_code == 0
    assert "FileExistsError" not in server.log


@pytest.mark.parametrize("options", [[], ["--workers", "2"], ["--reload"]], ids=" ".join)
def test_a_supervisor_ends_it_well_and_nothing_of_the_run_is_left(tmp_path: Path, options: list[str]) -> None:
    kept = tmp_path / "tmp"
    kept.mkdir()
    with serving(tmp_path, "echo", "-p", 0, *options, TMPDIR=str(kept)) as server:
        pass
    assert server.exit_code == 0, server.log
    assert list(kept.iterdir()) == []


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "localhost", "::1"])
def test_the_addresses_that_are_printed_can_be_called(tmp_path: Path, host: str) -> None:
    with serving(tmp_path, "echo", "-p", 0, "--host", host) as server:
        done = command(tmp_path, "call", server.media, "--seconds", 0.4, "--json")
    assert done.returncode == 0, done.stderr
    assert ":0/" not in server.log
    assert "0.0.0.0" not in server.log


def test_reload_and_workers_exclude_each_other(tmp_path: Path) -> None:
    done = command(tmp_path, "run", "echo", "--reload", "--workers", 2)
    assert (done.returncode, done.stderr) == (2, "Error: --reload serves with one process: leave out --workers\n")
