"""Local requests: the user of this machine, and nobody whom a proxy, a tunnel or a web page lets in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.security.local_requests import ABSOLUTE_TARGET, is_local


def scope(*headers: tuple[str, str], host: str | None = "localhost:8000", peer: Any = ("127.0.0.1", 5000)) -> Any:
    named = [*headers, *([("host", host)] if host is not None else [])]
    return {"type": "http", "client": peer, "headers": [(k.encode(), v.encode()) for k, v in named]}


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_a_loopback_peer_is_local(peer: str) -> None:
    assert is_local(scope(peer=(peer, 5000)))


@pytest.mark.parametrize(
    "peer", ["192.168.1.5", "8.8.8.8", "::ffff:8.8.8.8", "2001:db8::1", "0.0.0.0", "", "localhost"]
)
def test_other_peers_are_not_local(peer: str) -> None:
    assert not is_local(scope(peer=(peer, 5000)))


def test_a_peer_without_an_address_is_not_local() -> None:
    assert not is_local(scope(peer=None))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:65535"])
def test_a_host_that_names_this_machine_is_local(host: str) -> None:
    assert is_local(scope(host=host))


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "evil-localhost",
        "localhost:",
        "localhost:80:80",
        "localhost\n",
        "a@localhost",
        "::1",
        "127.0.0.2",
        "",
    ],
)
def test_a_host_with_another_name_is_not_local(host: str) -> None:
    assert not is_local(scope(host=host))


def test_a_request_with_no_host_or_with_two_is_not_local() -> None:
    assert not is_local(scope(host=None))
    assert not is_local(scope(("host", "example.com")))
    assert not is_local(scope(("Host", "localhost")))


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "x-forwarded-host",
        "X-FORWARDED-PROTO",
        "X-Forwarded-Anything",
        "CF-Ray",
        "cf-connecting-ip",
        "Via",
        "X-Real-IP",
        "CDN-Loop",
        "True-Client-IP",
        "Fly-Client-IP",
        "X-Envoy-External-Address",
        "X-Original-URL",
        "Tailscale-User-Login",
        "X-Amzn-Trace-Id",
        "Fastly-Client-IP",
        "X-Nginx-Proxy",
        "X-Scheme",
        "Client-IP",
        "WL-Proxy-Client-IP",
    ],
)
def test_a_request_that_was_passed_on_is_not_local(header: str) -> None:
    assert not is_local(scope((header, "127.0.0.1")))
    assert not is_local(scope((header, "")))


def test_a_request_in_the_version_that_proxies_speak_is_not_local() -> None:
    assert is_local(scope() | {"http_version": "1.1"})
    assert not is_local(scope() | {"http_version": "1.0"})


def test_a_request_as_clients_send_it_to_proxies_is_not_local() -> None:
    assert not is_local(scope() | {"extensions": {ABSOLUTE_TARGET: {}}})


@pytest.mark.parametrize("connection", ["upgrade", "Upgrade", "keep-alive, Upgrade"])
def test_a_request_that_says_it_is_upgraded_and_not_to_what_is_not_local(connection: str) -> None:
    assert not is_local(scope(("Connection", connection)))
    assert is_local(scope(("Connection", connection), ("Upgrade", "websocket")))
    assert is_local(scope(("Connection", "keep-alive")))


garbage = st.binary(max_size=30)


@given(st.lists(st.tuples(garbage, garbage)), garbage, st.text(max_size=20))
def test_any_headers_and_peers_get_an_answer(headers: list[tuple[bytes, bytes]], host: bytes, peer: str) -> None:
    request = {"headers": [*headers, (b"host", host)], "client": (peer, 1)}
    assert not is_local(request) or host.lower().startswith((b"localhost", b"127.0.0.1", b"[::1]"))
