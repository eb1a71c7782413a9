"""What is refused, and what is said of it: all to whoever runs the server, nothing to strangers.

A stranger who is told which key is missing has learned what to try next, and one who tries a thousand times must not
fill the log. So of each kind of refusal a peer is named once in a while, and then how often it was refused since.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from voiceflow.logs import get_logger

log = get_logger("voiceflow.server")

REFUSED: Final = "refused"
"""All that strangers are told."""
WHILE: Final = 10.0
"""Seconds in which each peer is named once."""
PEERS: Final = 10
"""How many peers are named in that time; all others are counted together."""
LONGEST_LINE: Final = 600
"""Characters that are logged of one refusal."""
OTHERS: Final = "others"


class RefusalLog:
    """Logs what a server refuses."""

    def __init__(self) -> None:
        self._left_out: dict[str, Counter[str]] = {}
        """How many lines were left out, by peer, of each kind of which there was one lately."""
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def tell(self, kind: str, peer: str, line: str, *, level: int = logging.WARNING) -> None:
        """Log `line`, a refusal of a `kind` such as "a webhook": of each peer the first in a while. There must be few
        kinds."""
        if kind not in self._left_out:
            self._left_out[kind] = Counter()
            self._timers[kind] = asyncio.get_running_loop().call_later(WHILE, self._sum_up, kind)
        peers = self._left_out[kind]
        if peer not in peers and len(peers) < PEERS:
            peers[peer] = 0
            log.log(level, "%s", line[:LONGEST_LINE])
        else:
            peers[peer if peer in peers else OTHERS] += 1

    def close(self) -> None:
        """Tell what was left out until now."""
        for kind, timer in list(self._timers.items()):
            timer.cancel()
            self._sum_up(kind)

    def _sum_up(self, kind: str) -> None:
        del self._timers[kind]
        left_out = [f"{count} more from {peer}" for peer, count in self._left_out.pop(kind).items() if count]
        if left_out:
            log.warning("%s: %s refused within %g s", kind, " and ".join(left_out), WHILE)


def host_of(scope: Mapping[str, Any]) -> str:
    """The address of the peer of an ASGI scope, for the log."""
    return str(scope["client"][0]) if scope.get("client") else "unknown"
