"""The server's sockets. They are bound before anything is loaded: an address that is in use is reported at once, and
port 0 has become the actual port by the time the addresses are printed."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from voiceflow.config.settings import Config
from voiceflow.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
"""Where a server on all addresses is called from its own machine."""
ABSENT: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What binding fails with where the system has no such address, or not that version of IP."""


@contextmanager
def listening(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Sockets bound to `port` at every address of `host`, until the context ends. They do not listen yet. The host ::
    stands for all addresses, those of IPv4 included.

    Raises `ConfigError` if they cannot be bound.
    """
    in_use = f"port {port} on {host} is in use: stop what serves there, or use --port"
    everywhere = not host or _unspecified(host) == 6
    try:
        found = socket.getaddrinfo(None if everywhere else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot serve on {host}, port {port}: {_reason(error)}") from error
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        for info in found:
            family, _, _, _, address = info
            try:
                bound = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
                _bind(bound, (address[0], port_of(sockets) if sockets else port, *address[2:]))
            except OSError as error:
                if error.errno in ABSENT and (sockets or info is not found[-1]):
                    continue  # localhost resolves to ::1 even where there is no IPv6
                problem = f"cannot serve on {host}, port {port}: {_reason(error)}"
                raise ConfigError(in_use if error.errno == errno.EADDRINUSE else problem) from error
            else:
                sockets.append(bound)
        yield sockets


def port_of(sockets: list[socket.socket]) -> int:
    """The port that the sockets share."""
    return int(sockets[0].getsockname()[1])


def reachable(host: str, port: int) -> str:
    """HOST:PORT by which a server on `host` is reached from its own machine."""
    return written(_from_here(host), port)


def written(host: str, port: int) -> str:
    """An address as HOST:PORT, with brackets around IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_exposed(config: Config) -> bool:
    """Whether others than the user of this machine may reach the server: at a public address, at its host, or through
    what has them log in."""
    return (
        bool(config.auth)
        or config.public_ws_url is not None
        or config.server_host.lower() not in ("localhost", LOOPBACK, "::1")
    )


def _from_here(host: str) -> str:
    return LOOPBACK if not host or _unspecified(host) else host


def _unspecified(host: str) -> int | None:
    """The version of IP all of whose addresses `host` stands for; None if it is another address, or a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return address.version if address.is_unspecified else None


def _bind(bound: socket.socket, address: tuple[object, ...]) -> None:
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if bound.family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # else it would bind the IPv4 address as well
    bound.bind(address)
    bound.set_inheritable(True)


def _reason(error: OSError | UnicodeError) -> str:
    return getattr(error, "strerror", None) or str(error)
