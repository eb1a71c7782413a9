"""What the libraries that we use log: only what is wrong. Our own lines say what goes on."""

from __future__ import annotations

import logging

LIBRARIES = ("aioice", "aiortc", "faster_whisper", "httpx", "httpx2", "uvicorn.error", "watchfiles")


def quieten_libraries() -> None:
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
