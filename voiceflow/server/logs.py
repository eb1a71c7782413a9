"""How this program logs: one line for each event, whatever a peer wrote into it, and little of what libraries say."""

from __future__ import annotations

import copy
import logging
import re
from types import TracebackType
from typing import Final

from voiceflow.logs import masked

LIBRARIES: Final = ("aioice", "aiortc", "faster_whisper", "httpx", "httpx2", "uvicorn.error", "watchfiles")
FORMAT: Final = "%(levelname)s %(name)s: %(message)s"

# Controls (C0, C1), separators of lines and paragraphs, what changes the direction of text, halves of surrogate pairs.
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def quieten_libraries() -> None:
    """Have libraries log only what is wrong. Our own lines say what goes on."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


class OneLine(logging.Formatter):
    """Writes each record in one line, and the lines of a traceback indented: nothing in a message can look like another
    record, or control a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return escaped(masked(super().formatMessage(record)))

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info:  # formatted before, by whoever knows nothing of our lines
            record = copy.copy(record)
            record.exc_text = None
        return super().format(record)

    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return _indented(super().formatStack(stack_info))


def escaped(text: str) -> str:
    """`text` with its control characters as a programmer writes them: `\\n`, `\\x1b`, `\\u2028`."""
    return CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _indented(text: str) -> str:
    return "\n".join(f"    {escaped(line)}" for line in masked(text).split("\n"))
