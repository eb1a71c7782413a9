"""A server as a developer runs it: `voiceflow run` in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from launching import await_health, free_port, launched
from server.serving import carrier, dialled, hears, until
from websockets.exceptions import ConnectionClosed, InvalidMessage

COMMAND = [sys.executable, "-c", "from voiceflow.cli import main; main()", "run"]
WATCHDOG = 30.0
ECHO = "def pipeline(call):\n    return call.source | call.sink\n"


class Running:
    """A `voiceflow run` in a folder of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.media = f"ws://127.0.0.1:{port}/sip/media-stream"
        self.http = f"http://127.0.0.1:{port}"
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def interrupt(self) -> int:
        """Press Ctrl-C, which the terminal sends to all of its processes. Returns the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(WATCHDOG)

    async def hears(self) -> bytes:
        """Say something in a call of its own. Returns what comes back, nothing if nobody answers."""
        with contextlib.suppress(OSError, ConnectionClosed, InvalidMessage):  # the last: a server that is stopping
            async with dialled(self.media) as websocket:
                return await hears(websocket, carrier())
        return b""

    async def until_heard(self, expected: bytes) -> None:
        async with asyncio.timeout(WATCHDOG):
            while await self.hears() != expected:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def until_logged(self, text: str) -> None:
        async with asyncio.timeout(WATCHDOG):
            await until(lambda: text in self.log)


@contextlib.contextmanager
def running(folder: Path, *options: str, content: str = ECHO, files: int | None = None) -> Iterator[Running]:
    """Serve `content` from a file in `folder`, which keeps the log elsewhere. `files`: how many it may open."""
    sources = folder / "sources"
    sources.mkdir()
    (sources / "file.py").write_text(content)
    port = free_port()
    log = folder / "log"
    limit = [] if files is None else ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"]
    with launched([*limit, *COMMAND, "file.py", "--port", str(port), *options], sources, log) as process:
        server = Running(process, port, log)
        await_health(process, lambda: server.http, log, seconds=WATCHDOG)
        yield server
