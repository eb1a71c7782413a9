"""The log: one event is one line, whatever a peer sends."""

from __future__ import annotations

import io
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server.serving import TUNNEL, carrier, closing, dialled, run, serving

from voiceflow.server.logs import FORMAT, OneLine

ANYTHING = st.text(st.characters() | st.sampled_from("\n\r\t\v\f\x1b\x85\x9b\u2028\u2029\u202e\u2066\u200f\udc80\0"))


def logged(message: str, error: BaseException | None = None) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine(FORMAT))
    handler.handle(
        logging.LogRecord(
            "voiceflow.x", logging.INFO, "", 0, "said: %s", (message,), error and (type(error), error, None)
        )
    )
    return stream.getvalue()


def is_harmless(text: str) -> bool:
    """Whether nothing in `text` begins a line or controls a terminal."""
    return not any(
        unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") or char in "\u202e\u2066\u200f" for char in text
    )


@given(ANYTHING)
def test_a_message_is_one_line(message: str) -> None:
    line = logged(message)
    assert line.startswith("INFO voiceflow.x: said: ")
    assert line.endswith("\n")
    assert is_harmless(line[:-1])


@given(ANYTHING)
def test_no_line_of_a_traceback_looks_like_a_record(message: str) -> None:
    first, *rest = logged("x", ValueError(message)).removesuffix("\n").split("\n")
    assert first == "INFO voiceflow.x: said: x"
    assert rest
    assert all(line.startswith("    ") and is_harmless(line) for line in rest)


def test_text_in_any_language_stays_as_it_is() -> None:
    assert logged("Grüße, 你好, שלום, 👋🏽") == "INFO voiceflow.x: said: Grüße, 你好, שלום, 👋🏽\n"


@pytest.mark.parametrize("field", ["caller_id", "did", "call_sid"])
def test_a_peer_forges_no_line_in_the_log_of_a_server(field: str, caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine(FORMAT))
    forged = "x\nINFO voiceflow.call: forged\x1b[2J"

    async def main() -> None:
        async with serving() as served:
            for headers in ({}, TUNNEL):
                async with dialled(served.media, additional_headers=headers) as websocket:
                    for message in carrier(**{field: forged}).hello():  # type: ignore[arg-type]
                        await websocket.send(message)
                    await websocket.close(4000, "bye\nINFO voiceflow.call: forged")
                    await closing(websocket)
            await served.at_rest()

    logging.getLogger("voiceflow").addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, "voiceflow"):
            run(main())
    finally:
        logging.getLogger("voiceflow").removeHandler(handler)
    lines = stream.getvalue().split("\n")
    assert any("forged" in line for line in lines)
    assert not [line for line in lines if line.startswith("INFO voiceflow.call: forged")]
    assert all(map(is_harmless, lines))
