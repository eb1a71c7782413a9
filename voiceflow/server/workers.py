"""Serving on the same sockets with several worker processes."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess


class Workers(Multiprocess):
    """uvicorn's supervisor, but the first worker is started alone: what keeps it from serving is reported once instead
    of by every worker, and models are downloaded once."""

    failed = False
    """Whether a worker could not begin to serve and the others were stopped. uvicorn's exit code does not tell."""

    def init_processes(self) -> None:
        count, self.processes_num = self.processes_num, 1
        with _ignoring_ctrl_c():
            super().init_processes()
        (first,) = self.processes
        while not (self._answers() or self.should_exit.wait(0.1)):
            self.handle_signals()
            if first.process.exitcode is not None:
                self.keep_subprocess_alive()
        self.processes_num = count - 1
        if not self.should_exit.is_set():
            with _ignoring_ctrl_c():
                super().init_processes()
        self.processes_num = count

    def keep_subprocess_alive(self) -> None:
        if any(process.process.exitcode == STARTUP_FAILURE for process in self.processes):
            self.failed = True
            self.should_exit.set()
        dead = any(process.process.exitcode is not None for process in self.processes)
        with _ignoring_ctrl_c() if dead else contextlib.nullcontext():  # checking live workers may take seconds
            super().keep_subprocess_alive()

    def _answers(self) -> bool:
        """Whether a worker is listening."""
        family, address = self.sockets[0].family, self.sockets[0].getsockname()
        with socket.socket(family, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.connect(address)
            return True
        return False


@contextlib.contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Have processes that are started in this context ignore Ctrl-C until they serve; the supervisor ends them. A
    terminal sends Ctrl-C to workers, too, and one that is still importing would end with a traceback."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
