"""Which addresses a server binds, and the one at which its own machine reaches it."""

from __future__ import annotations

import errno
import socket

import pytest

from voiceflow.config.settings import Config
from voiceflow.errors import ConfigError
from voiceflow.server.listening import is_exposed, listening, port_of, reachable

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6
_socket = socket.socket


def families(host: str) -> set[int]:
    with listening(host, 0) as sockets:
        assert len({each.getsockname()[1] for each in sockets}) == 1
        return {each.family for each in sockets}


@pytest.mark.parametrize("host", ["", "::", "0:0:0:0:0:0:0:0"])
def test_all_addresses_are_those_of_ipv4_and_ipv6(host: str) -> None:
    assert families(host) == ({IPV4, IPV6} if socket.has_dualstack_ipv6() else {IPV4})


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_an_ipv4_address_is_served_by_ipv4(host: str) -> None:
    assert families(host) == {IPV4}


@pytest.mark.parametrize("host", ["", "::"])
def test_a_system_without_ipv6_serves_ipv4(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class OldSystem(_socket):
        def __init__(self, family: int, *rest: int) -> None:
            if family == IPV6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *rest)

    monkeypatch.setattr(socket, "socket", OldSystem)
    assert families(host) == {IPV4}


@pytest.mark.parametrize(
    ("host", "address", "exposed"),
    [
        ("", "127.0.0.1:80", True),
        ("0.0.0.0", "127.0.0.1:80", True),
        ("::", "127.0.0.1:80", True),
        ("0::0", "127.0.0.1:80", True),
        ("::1", "[::1]:80", False),
        ("localhost", "localhost:80", False),
        ("127.0.0.2", "127.0.0.2:80", True),
        ("2001:db8::1", "[2001:db8::1]:80", True),
        ("pbx.example.com", "pbx.example.com:80", True),
    ],
)
def test_its_own_machine_reaches_a_server_that_others_may_reach_or_not(host: str, address: str, exposed: bool) -> None:
    assert (reachable(host, 80), is_exposed(Config(server_host=host))) == (address, exposed)


def test_a_server_with_a_public_address_may_be_reached_by_others() -> None:
    assert is_exposed(Config(public_ws_url="wss://calls.example.com/sip/media-stream"))


def test_what_cannot_be_bound_is_said_in_one_line() -> None:
    with listening("127.0.0.1", 0) as sockets:
        sockets[0].listen(1)
        for host in ("127.0.0.1", "::"):
            with (
                pytest.raises(ConfigError, match=r"port \d+ on .* is in use: .* --port"),
                listening(host, port_of(sockets)),
            ):
                pass
    with pytest.raises(ConfigError, match=r"cannot serve on a\.\.b, port 0: "), listening("a..b", 0):
        pass
