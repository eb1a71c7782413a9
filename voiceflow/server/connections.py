"""The connections of a server, and how many of them peers may have whom nobody has admitted.

A connection is a stranger's until the application admits it (`admit`). Of strangers there may be so many for one peer's
address and in all; where there are more, the oldest are cut off.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Iterator, MutableMapping
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

from .pacing import Turns
from .refusals import RefusalLog

CLOSING: Final = 2.0
"""Seconds for which a connection that is being closed may wait for the peer to read."""
STRANGERS_OF_A_PEER: Final = 64
NEW: Final = 1.0
"""Seconds for which a stranger is not cut off in favour of others: many calls may begin at the same time."""
ADMIT: Final = "voiceflow.admit"
"""The ASGI extension of WebSockets by which the application admits their peer."""


def admit(scope: MutableMapping[str, Any]) -> None:
    """Tell that the peer of the WebSocket with this ASGI scope has shown who it is."""
    if (admits := scope.get("extensions", {}).get(ADMIT)) is not None:
        admits()


class SocketConnection(Protocol):
    """What both protocols have in common."""

    transport: asyncio.Transport
    client: tuple[str, int] | None

    def look(self, now: float) -> None:
        """Called every second: end what takes too long."""


class Connections:
    """The connections of a server, and since when each has been a stranger's."""

    def __init__(self) -> None:
        self._all: dict[SocketConnection, float | None] = {}  # when it is to be cut off, for one that is closing
        self._strangers: dict[SocketConnection, float] = {}  # since when, oldest first
        self._peers: Counter[str] = Counter()  # of the strangers
        self._timer: asyncio.TimerHandle | None = None
        self.turns = Turns()
        self.refusals = RefusalLog()
        """What the protocols refuse, before the application knows of it."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.most, self.most_at_once = files // 4, files // 2

    def enter(self, connection: SocketConnection) -> None:
        now = asyncio.get_running_loop().time()
        self._all[connection] = None
        self._strangers[connection] = now
        self._peers[_host(connection)] += 1
        for excess in list(self._excess(_host(connection), now)):
            self.leave(excess)
            excess.transport.abort()
        if self._timer is None:
            self._later()

    def admit(self, connection: SocketConnection) -> None:
        if self._strangers.pop(connection, None) is not None:
            host = _host(connection)
            self._peers[host] -= 1
            if not self._peers[host]:
                del self._peers[host]

    def leave(self, connection: SocketConnection) -> None:
        self.admit(connection)
        self._all.pop(connection, None)
        if not self._all and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _excess(self, host: str, now: float) -> Iterator[SocketConnection]:
        """The strangers to be cut off because another one of `host` came: the oldest, which have had their time."""
        of_peer, of_all = self._peers[host] - STRANGERS_OF_A_PEER, len(self._strangers) - self.most
        for connection, since in self._strangers.items():
            if now - since < NEW and len(self._strangers) <= self.most_at_once:
                return
            if of_all > 0 or (of_peer > 0 and _host(connection) == host):
                of_all -= 1
                of_peer -= _host(connection) == host
                yield connection
            elif of_peer <= 0:
                return

    def _later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(1.0, self._look)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection, cut_off_at in list(self._all.items()):
            if not connection.transport.is_closing():
                connection.look(now)
            elif cut_off_at is None:
                self._all[connection] = now + CLOSING
            elif now >= cut_off_at:
                connection.transport.abort()
        if self._all:
            self._later()
        else:
            self._timer = None


_of_servers: Final[WeakKeyDictionary[ServerState, Connections]] = WeakKeyDictionary()


def connections_of(server: ServerState) -> Connections:
    """The connections of a server of uvicorn's, to whose protocols it gives its state."""
    return _of_servers.setdefault(server, Connections())


def _host(connection: SocketConnection) -> str:
    return connection.client[0] if connection.client else ""
