"""Asking /health at an address: what counts as an answer of this server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from voiceflow.tunnel.reachable import ask


@contextlib.contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/health"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, '{"status": "ok", "dids": 1}', None),
        (530, "error code: 1033", "Cloudflare is not connected to cloudflared yet (530)"),
        (502, "", "the answer is 502 Bad Gateway"),
        (302, "", "the answer is 302 Found"),
        (200, "<html>", "something else answers there than this server: it is not JSON"),
        (200, "[1]", "something else answers there than this server: see the tunnel's settings at Cloudflare"),
        (200, "{}", "something else answers there than this server: see the tunnel's settings at Cloudflare"),
    ],
)
def test_only_what_this_server_says_counts_as_its_answer(status: int, body: str, reason: str | None) -> None:
    with answering(status, body) as url:
        assert asyncio.run(ask(url)) == reason


def test_where_nothing_listens_the_reason_is_told() -> None:
    with answering(200, "") as url:
        pass
    reason = asyncio.run(ask(url))
    assert reason is not None
    assert reason.startswith("no connection, or its name is not known here yet (")
