"""What a server or a file says controls no terminal."""

from __future__ import annotations

import contextlib
import json
import threading
import unicodedata
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.server import ServerConnection, serve

from voiceflow.cli import main
from voiceflow.cli.printed import json_of, lines, text

EVIL = "bye\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\u2028\x85"
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(EVIL))


def is_harmless(printed: str) -> bool:
    return not any(
        unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") or char in "\u202a\u202e\u2066\u200f" for char in printed
    )


@contextlib.contextmanager
def closing_with(reason: str) -> Iterator[str]:
    """A server that closes each WebSocket for this reason. Yields its address."""

    def close(socket: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            socket.recv()
        socket.close(1008, reason)

    with serve(close, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        server.shutdown()
        thread.join()


@given(ANYTHING)
def test_whatever_is_said_is_printed_without_controls(said: str) -> None:
    assert is_harmless(text(said).plain)
    assert all(map(is_harmless, lines(said).split("\n")))
    assert is_harmless(json_of({"said": said}))
    assert json.loads(json_of({"said": said})) == {"said": said}


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_reason_for_which_a_server_closes_a_call_is_printed_without_controls(options: list[str]) -> None:
    with closing_with(EVIL) as url:
        result = CliRunner().invoke(main, ["call", url, "--seconds", "1", *options])
    assert "bye" in result.output
    assert all(map(is_harmless, result.output.split("\n")))


def test_an_error_is_printed_without_controls() -> None:
    result = CliRunner().invoke(main, ["run", f"{EVIL}.py"])
    assert result.exit_code == 2
    assert "bye" in result.output
    assert all(map(is_harmless, result.output.split("\n")))
