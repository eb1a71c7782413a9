"""One run of cloudflared, as a child process: what it prints, how it ends, and how it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from voiceflow.errors import TunnelError
from voiceflow.logs import get_logger

from . import bound
from .output import Output, is_wrong

log = get_logger("voiceflow.tunnel")

GRACE: Final = 5.0
"""Seconds from SIGTERM to SIGKILL."""
OFTEN: Final = 10
"""Lines of cloudflared's errors in a minute that are logged as warnings; more are logged at level debug, as all other
lines are."""

# cloudflared is given no secret of ours, no other tunnel's name than the one it is started for, and no level of its log
# at which it would not print the address.
_NOT_PASSED: Final = re.compile(r"KEY|TOKEN|SECRET|PASSW|^TUNNEL_(NAME|ID|URL|HOSTNAME|LOGLEVEL)$", re.IGNORECASE)


class _Pipe(NamedTuple):
    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport

    @classmethod
    async def open(cls, source: int) -> _Pipe:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb", buffering=0)
        )
        return cls(reader, transport)


class Cloudflared:
    """A run of cloudflared. All that it has started is in a group of processes of its own and ends with it."""

    def __init__(self, process: asyncio.subprocess.Process, pipe: _Pipe, *, grace: float = GRACE) -> None:
        self.output = Output()
        self._process = process
        self._pipe = pipe
        self._grace = grace
        self._news = asyncio.Event()
        self._warned: list[float] = []
        self._reading = asyncio.create_task(self._read())
        self._over = asyncio.create_task(self._until_over())

    @classmethod
    async def start(cls, command: Sequence[str], *, grace: float = GRACE) -> Cloudflared:
        """Start `command`: the path of the program, and its arguments. Raises `TunnelError`."""
        starter = [sys.executable, "-I", "-S", bound.__file__, str(os.getpid())]
        # A pipe of our own: with one of asyncio's, a process would not count as ended while a child of it had the pipe.
        source, sink = os.pipe()
        pipe = await _Pipe.open(source)
        try:
            process = await asyncio.create_subprocess_exec(
                *starter,
                *command,
                stdin=DEVNULL,
                stdout=sink,
                stderr=sink,
                env={name: value for name, value in os.environ.items() if not _NOT_PASSED.search(name)},
                start_new_session=True,  # Ctrl-C is for us: cloudflared ends once the calls have ended
            )
        except OSError as error:
            pipe.transport.close()
            raise TunnelError(f"cannot run {command[0]}: {error.strerror}") from error
        finally:
            os.close(sink)
        return cls(process, pipe, grace=grace)

    async def until(self, ready: Callable[[Output], bool], seconds: float) -> bool:
        """Wait until what was printed is `ready`. False: it was not within `seconds`. Raises `TunnelError` if
        cloudflared ends before."""
        try:
            async with asyncio.timeout(seconds):
                while not ready(self.output):
                    if self._over.done():
                        raise TunnelError(f"cloudflared ended, {await self.ended()}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def ended(self) -> str:
        """Wait until it has ended by itself. Returns how: its exit code, and what it has printed last."""
        code = await self.exit_code()
        how = f"exit code {code}" if code >= 0 else f"by signal {-code}"
        return f"{how}, {self.said}"

    async def exit_code(self) -> int:
        """Wait until it has ended by itself. A negative one is the signal that has ended it."""
        return await asyncio.shield(self._over)

    @property
    def said(self) -> str:
        """What it has printed last, for a sentence."""
        return f"its last line: {self.output.last}" if self.output.last else "having printed nothing"

    async def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL if it has not ended within its grace. Both are for its whole group."""
        try:
            if self._process.returncode is None:
                self._signal(signal.SIGTERM)
                async with asyncio.timeout(self._grace):
                    await asyncio.shield(self._over)
        except TimeoutError:
            log.warning("cloudflared did not end within %g s and is killed", self._grace)
        finally:
            self._signal(signal.SIGKILL)
            await asyncio.wait({self._over}, timeout=1.0)
            self._reading.cancel()
            self._over.cancel()
            await asyncio.wait({self._reading, self._over})
            self._pipe.transport.close()

    async def _until_over(self) -> int:
        """Wait until it has ended, and all that it had printed was read. Returns the exit code."""
        code = await self._process.wait()
        await asyncio.wait({self._reading}, timeout=1.0)  # what it has started, and left behind, may hold the pipe
        self._news.set()
        return code

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: what has ended is not permitted
            os.killpg(self._process.pid, number)

    async def _read(self) -> None:
        while data := await self._pipe.reader.read(1 << 16):
            for line in self.output.feed(data):
                self._log(line)
            self._news.set()
        for line in self.output.end():
            self._log(line)
        self._news.set()

    def _log(self, line: str) -> None:
        level = logging.DEBUG
        if is_wrong(line):
            now = time.monotonic()
            self._warned = [at for at in self._warned if now - at < 60]
            if len(self._warned) < OFTEN:
                self._warned.append(now)
                level = logging.WARNING
        log.log(level, "cloudflared: %s", line)
