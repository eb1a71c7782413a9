"""What cloudflared prints, understood line by line: the address of a quick tunnel, and whether it is connected.

    2026-11-27T08:00:00Z INF Requesting new quick Tunnel on trycloudflare.com...
    2026-11-27T08:00:03Z INF |  https://four-random-words-here.trycloudflare.com                                |
    2026-11-27T08:00:04Z INF Registered tunnel connection connIndex=0 connection=... location=fra08 protocol=quic

Other lines have addresses, too: those of its documentation, of the terms of use, and of the service that was asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from voiceflow.server.logs import escaped

LONGEST: Final = 4096
"""Bytes of a line that are kept. The rest of a longer one is dropped."""

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_ADDRESS: Final = re.compile(
    r"""(?:^|[\s|"'])(https://(?!(?:api|www|update)\.)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.trycloudflare\.com)/?(?=[\s|"']|$)""",
    re.IGNORECASE,
)
_REGISTERED: Final = re.compile(r"Registered tunnel connection|Connection \S+ registered")
_TOO_MANY: Final = re.compile(r"429 Too Many Requests|error code: 1015")
_WRONG: Final = re.compile(r"^\S+ (?:ERR|FTL) |^(?:failed|error|incorrect usage)\b", re.IGNORECASE)


class Output:
    """What one run of cloudflared has printed so far."""

    def __init__(self) -> None:
        self.address: str | None = None
        """The address of the quick tunnel, https://NAME.trycloudflare.com."""
        self.is_registered = False
        """Whether it has been connected to Cloudflare."""
        self.is_refused = False
        """Whether Cloudflare has refused a quick tunnel, because there were too many."""
        self.last = ""
        """The last line that was not empty."""
        self._begun = bytearray()

    def feed(self, data: bytes) -> Iterator[str]:
        """Take what was printed next, in whatever pieces. Yields the lines that are complete, with
        control characters as escapes: they are shown in errors, too."""
        *whole, rest = re.split(rb"[\r\n]", data)
        for piece in whole:
            self._add(piece)
            yield from self._finish()
        self._add(rest)

    def end(self) -> Iterator[str]:
        """Nothing more comes. Yields the line that was begun, if there is one."""
        yield from self._finish()

    def _add(self, piece: bytes) -> None:
        self._begun += piece[: LONGEST - len(self._begun)]

    def _finish(self) -> Iterator[str]:
        line = escaped(_COLOUR.sub("", self._begun.decode(errors="replace")).strip())
        self._begun.clear()
        if not line:
            return
        self.last = line
        if self.address is None and (found := _ADDRESS.search(line)):
            self.address = found[1].lower()
        self.is_registered = self.is_registered or _REGISTERED.search(line) is not None
        self.is_refused = self.is_refused or _TOO_MANY.search(line) is not None
        yield line


def is_wrong(line: str) -> bool:
    """Whether a line tells of something that went wrong."""
    return _WRONG.search(line) is not None
