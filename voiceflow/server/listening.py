"""The server's sockets. They are bound before anything is loaded: an address that is in use is reported at once, and
port 0 has become the actual port by the time the addresses are printed."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from voiceflow.errors import ConfigError

ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""For each wildcard address, the loopback address at which calls from this machine are trusted."""


@contextmanager
def listening(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Sockets bound to `port` at every address of `host`, until the context ends. They do not listen yet.

    Raises `ConfigError` if they cannot be bound.
    """
    in_use = f"port {port} on {host} is in use: stop what serves there, or use --port"
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(f"cannot serve on {host}, port {port}: {error.strerror or error}") from None
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        for info in found:
            family, _, _, _, address = info
            bound = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            try:
                _bind(bound, (address[0], port_of(sockets) if sockets else port, *address[2:]))
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL and (sockets or info is not found[-1]):
                    continue  # localhost resolves to ::1 even where there is no IPv6
                problem = f"cannot serve on {host}, port {port}: {error.strerror or error}"
                raise ConfigError(in_use if error.errno == errno.EADDRINUSE else problem) from None
            else:
                sockets.append(bound)
        yield sockets


def port_of(sockets: list[socket.socket]) -> int:
    """The port that the sockets share."""
    return int(sockets[0].getsockname()[1])


def reachable(host: str, port: int) -> str:
    """HOST:PORT by which a server on `host` is reached from its own machine."""
    host = ANYWHERE.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_own(host: str) -> bool:
    """Whether a server on `host` is reached from its own machine at a loopback address, and so trusts those calls."""
    return ANYWHERE.get(host, host) in ("localhost", "127.0.0.1", "::1")


def _bind(bound: socket.socket, address: tuple[object, ...]) -> None:
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if bound.family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # else it would bind the IPv4 address as well
    bound.bind(address)
    bound.set_inheritable(True)
