"""Serving on the same sockets with several worker processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import wait

from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from voiceflow.logs import get_logger

from .stop_signals import TOGETHER

log = get_logger("voiceflow.server")


class Workers(Multiprocess):
    """uvicorn's supervisor, but the first worker is started alone: what keeps it from serving is reported once instead
    of by every worker, and models are downloaded once. Workers that leave may take as long as their calls."""

    failed = False
    """Whether a worker could not begin to serve and the others were stopped. uvicorn's exit code does not tell."""
    _at_once = False
    """Whether calls are not waited for."""

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._leaving: list[Process] = []

    def init_processes(self) -> None:
        count, self.processes_num = self.processes_num, 1
        with _holding_ctrl_c():
            super().init_processes()
        (first,) = self.processes
        while not (self._answers() or self.should_exit.wait(0.1)):
            self.handle_signals()
            if first.process.exitcode is not None:
                self.keep_subprocess_alive()
        self.processes_num = count - 1
        if not self.should_exit.is_set():
            with _holding_ctrl_c():
                super().init_processes()
        self.processes_num = count

    def keep_subprocess_alive(self) -> None:
        if any(process.process.exitcode == STARTUP_FAILURE for process in self.processes):
            self.failed = True
            self.should_exit.set()
        dead = any(process.process.exitcode is not None for process in self.processes)
        with _holding_ctrl_c() if dead else contextlib.nullcontext():  # checking live workers may take seconds
            super().keep_subprocess_alive()

    def restart_all(self) -> None:
        """Replace each worker by one that serves by then. The old ones leave when their calls are over."""
        for index, old in enumerate(self.processes):
            with _holding_ctrl_c():
                new = Process(self.config, self.sockets)
                new.start()
            if not new.wait_until_ready(self.config.timeout_worker_healthcheck, self.should_exit):
                log.error("a new worker did not begin to serve in time: the old ones stay")
                new.kill()
                new.join()
                return
            self.processes[index] = new
            self._retire(old)

    def handle_ttou(self) -> None:
        if len(self.processes) > 1:
            self.processes_num -= 1
            self._retire(self.processes.pop())

    def handle_int(self) -> None:
        self._at_once = True
        super().handle_int()

    def terminate_all(self) -> None:
        if self._at_once:
            self._interrupt()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for all workers to leave. A further signal has them leave at once."""
        begun = time.monotonic()
        while left := [each.process for each in self._workers() if each.exitcode is None]:
            wait([process.sentinel for process in left], timeout=0.1)
            signals, self.signal_queue[:] = set(self.signal_queue), []
            late = time.monotonic() >= begun + TOGETHER
            if signal.SIGINT in signals or (signal.SIGTERM in signals and late):
                self._interrupt()

    def _workers(self) -> list[Process]:
        return [*self.processes, *self._leaving]

    def _retire(self, worker: Process) -> None:
        self._leaving = [each for each in self._leaving if each.exitcode is None]
        self._leaving.append(worker)
        worker.terminate()

    def _interrupt(self) -> None:
        """Have all workers leave at once."""
        for worker in self._workers():
            if worker.exitcode is None and worker.pid is not None:
                os.kill(worker.pid, signal.SIGINT)

    def _answers(self) -> bool:
        """Whether a worker is listening."""
        family, address = self.sockets[0].family, self.sockets[0].getsockname()
        with socket.socket(family, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.connect(address)
            return True
        return False


@contextlib.contextmanager
def _holding_ctrl_c() -> Iterator[None]:
    """Have processes that are started in this context not notice Ctrl-C until they serve (`hear_ctrl_c`), and this one
    until the context is left. A terminal sends Ctrl-C to workers, too, and one that is still importing would end with
    a traceback."""
    resource_tracker.ensure_running()  # else it is started in between, and has this process hear signals again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
