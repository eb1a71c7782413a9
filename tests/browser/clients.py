"""Clients of others, from npm, as pages of another origin."""

from __future__ import annotations

import contextlib
import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

NPM: Final = Path(__file__).parent / "npm"
SECONDS: Final = 120.0
"""For which npm may fetch what stands in package-lock.json, once."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@functools.cache
def bundled() -> None:
    """Bundle the clients, once. Skips the test where npm or what it fetches cannot be had."""
    if shutil.which("npm") is None:
        pytest.skip("no npm here: apt-get install npm")
    lock, installed = NPM / "package-lock.json", NPM / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    esbuild = NPM / "node_modules" / ".bin" / "esbuild"
    _run(str(esbuild), "pipecat.js", "--bundle", "--outfile=bundle.js", "--log-level=error")


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, cwd=NPM, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[0]} has not ended within {SECONDS:g} s")
    if done.returncode and command[0] == "npm":
        pytest.skip(f"npm cannot fetch the clients: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def site() -> Iterator[str]:
    """The origin at which the clients' page is."""
    bundled()
    handler = functools.partial(_Quiet, directory=NPM)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
