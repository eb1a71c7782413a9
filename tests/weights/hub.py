"""A hub on this machine, and models small enough for it."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from certificates import Certificate

from voiceflow.weights import File, Model

CONTENT = {"model.bin": b"weights" * 1000, "config.json": b"{}"}


def whisper_model(name: str = "minute", *, sums: bool = True) -> Model:
    """Two files, as `CONTENT` has them; with `sums=False` of unknown sums."""
    files = tuple(
        File(file, file, len(data), hashlib.sha256(data).hexdigest() if sums else None)
        for file, data in CONTENT.items()
    )
    return Model(name, "whisper", f"Systran/faster-whisper-{name}", "0a1b2c", "MIT", files)


@dataclass
class Hub:
    """Serves files by their path; every request is noted."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    """Files, by their path, that are elsewhere."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of all answers, besides or in place of the right ones."""
    endless: bool = False
    """Each answer goes on for as long as somebody reads it."""
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
def serving(certificate: Certificate | None = None) -> Iterator[Hub]:
    """`certificate`: it serves by TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.requested.append(self.path)
            hub.asked.set()
            hub.hold.wait(30)
            if self.path in hub.redirects:
                self.send_response(302)
                self.send_header("Location", hub.redirects[self.path])
                self.end_headers()
                self.pour(b"")
                return
            data = hub.files.get(self.path.removeprefix("/stored"))
            if data is None:
                self.send_error(404)
                return
            self.send_response(200)
            length = {} if hub.endless else {"Content-Length": str(len(data))}
            for name, value in (length | hub.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.pour(data[: len(data) // 2] if hub.breaks_off else data)

        def pour(self, data: bytes) -> None:
            with contextlib.suppress(OSError):
                self.wfile.write(data)
                while hub.endless:
                    self.wfile.write(bytes(1 << 16))

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(certificate.chain, certificate.key)
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        hub = Hub(f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}")
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
    monkeypatch.setenv("VOICEFLOW_PLAIN_HTTP", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def logged(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    """What our rooms said at this level."""
    ours = (record for record in caplog.records if record.name.startswith("voiceflow."))
    return [record.getMessage() for record in ours if record.levelno == level]
