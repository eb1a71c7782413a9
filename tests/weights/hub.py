"""A hub on this machine, and models small enough for it."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from voiceflow.weights import File, Model

CONTENT = {"model.bin": b"weights" * 1000, "config.json": b"{}"}


def whisper_model(name: str = "minute", *, sums: bool = True) -> Model:
    """Two files, as `CONTENT` has them; with `sums=False` of unknown size and sum."""
    files = tuple(
        File(file, file, len(data), hashlib.sha256(data).hexdigest()) if sums else File(file, file)
        for file, data in CONTENT.items()
    )
    return Model(name, "whisper", f"Systran/faster-whisper-{name}", "0a1b2c", "MIT", files)


@dataclass
class Hub:
    """Serves files by their path; every request is noted."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    stated_sums: dict[str, str] = field(default_factory=dict)
    """Files that are found by a redirect which states their sum, as the hub does for large ones."""
    breaks_off: bool = False
    """Each answer ends in the middle."""
    hold: threading.Event = field(default_factory=threading.Event)
    """Answers are given once this is set."""
    requested: list[str] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    """A request has come."""

    def publish(self, model: Model, content: dict[str, bytes] | None = None) -> None:
        for name, data in (CONTENT if content is None else content).items():
            (path,) = (file.path for file in model.files if file.name == name)
            self.files[f"/{model.repository}/resolve/{model.revision}/{path}"] = data


@contextmanager
def serving() -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.requested.append(self.path)
            hub.asked.set()
            hub.hold.wait(30)
            if self.path in hub.stated_sums:
                self.send_response(302)
                self.send_header("X-Linked-ETag", f'"{hub.stated_sums[self.path]}"')
                self.send_header("Location", f"/stored{self.path}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            data = hub.files.get(self.path.removeprefix("/stored"))
            if data is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if hub.breaks_off else data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub = Hub(f"http://127.0.0.1:{server.server_port}")
        hub.hold.set()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.hold.set()
            server.shutdown()
            thread.join()


def isolate(folder: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str = "http://127.0.0.1:9") -> None:
    """No cache but an empty one in `folder`, no hub but the one at `endpoint`: by default nobody answers there."""
    monkeypatch.setenv("VOICEFLOW_CACHE", str(folder / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def logged(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    """What our rooms said at this level."""
    ours = (record for record in caplog.records if record.name.startswith("voiceflow."))
    return [record.getMessage() for record in ours if record.levelno == level]
