"""`voiceflow` as a process of its own: what a user types, with an environment in which nothing is configured."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from launching import await_health, is_healthy, launched

COMMAND = [sys.executable, "-m", "voiceflow"]
WATCHDOG = 60.0
"""Seconds after which a test has failed."""
KEPT = ("PATH", "VOICEFLOW_CACHE", "HF_HUB_CACHE", "LANG", "LC_ALL")


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """That of a user who has configured nothing else, and whose Ollama does not run. Empty: not set."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    ours = {"HOME": str(folder / "home"), "COLUMNS": "200", "OLLAMA_URL": "http://127.0.0.1:9"}
    return {name: value for name, value in (kept | ours | variables).items() if value}


def command(
    folder: Path, *arguments: object, watchdog: float = WATCHDOG, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `voiceflow` with these arguments, in `folder`, to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env=environment(folder, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=watchdog,
    )


class Serving:
    """A server that runs until the `with` block is left. Then `exit_code` is what it left with."""

    exit_code: int | None = None

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def address(self) -> str:
        """http://HOST:PORT, as it is printed."""
        found = re.search(r"^state +(\S+)/health$", self.log, re.MULTILINE)
        return found[1] if found else ""

    @property
    def media(self) -> str:
        """The address to call, as it is printed."""
        return self.trial[1]

    @property
    def trial(self) -> list[str]:
        """The arguments of the command to try it with, as it is printed."""
        found = re.search(r"^try it +.*voiceflow (call .+)$", self.log, re.MULTILINE)
        assert found, self.log
        return shlex.split(found[1])

    @property
    def answers(self) -> bool:
        assert self._process.poll() is None, self.log
        return is_healthy(self.address)


@contextlib.contextmanager
def serving(
    folder: Path, *arguments: object, stop: signal.Signals = signal.SIGTERM, **variables: str
) -> Iterator[Serving]:
    """Run `voiceflow run` with these arguments until it answers /health; at last end it as a supervisor does, or by
    Ctrl-C, which does not wait for calls that were announced."""
    log = folder / f"log-{time.monotonic_ns()}"
    run = [*COMMAND, "run", *map(str, arguments)]
    with launched(run, folder, log, environment(folder, **variables)) as process:
        server = Serving(process, log)
        await_health(process, lambda: server.address, log, seconds=WATCHDOG)
        yield server
        process.send_signal(stop)
        server.exit_code = process.wait(WATCHDOG)
