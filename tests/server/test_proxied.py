"""Behind real proxies and forwarders on the same machine, which connect from loopback: nobody is the operator by their
address once a public address or a host beyond loopback is configured; without that, nobody in whose request a proxy
shows."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from launching import free_port
from server import proxies
from server.doors import ALL, SOCKETS, Visitor, serving_beside
from server.proxies import needs
from server.serving import FROM, TO, Served, call_id, run

from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.security.tokens import Claims, StreamTokens
from voiceflow.security.trust import secret_of
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

KEY = b"the key of this run"
OPERATOR = {"Authorization": f"Bearer {secret_of(KEY)}"}
CARRIERS = (TwilioSettings(auth_token="12345"),)
CONFIGS = {
    "closed": Config(provider_config=CARRIERS),
    "public": Config(provider_config=CARRIERS, public_ws_url="wss://calls.example.com/voice/sip/media-stream"),
    "exposed": Config(provider_config=CARRIERS, server_host="0.0.0.0"),
}
"""Of a server for this machine alone, of one with a public address, of one at all addresses."""
OPEN_TO_OTHERS = ("public", "exposed")

NGINX = {
    "nginx, plain": "location / { proxy_pass http://127.0.0.1:%d; }",
    "nginx, Host as it came": "location / { proxy_pass http://127.0.0.1:%d; proxy_set_header Host $http_host; }",
    "nginx, forwarded": """location / {
        proxy_pass http://127.0.0.1:%d;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $http_connection;
    }""",
    "nginx, HTTP/1.1": """location / {
        proxy_pass http://127.0.0.1:%d;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
    }""",
    "nginx, prefix stripped": "location /voice/ { proxy_pass http://127.0.0.1:%d/; }",
}
HAPROXY = {"HAProxy, http": "http", "HAProxy, tcp": "tcp"}
FORWARDERS = {"socat": proxies.socat, "ssh -R": proxies.ssh_remote_forward}
BEHIND = [
    *(pytest.param(name, marks=needs("nginx")) for name in NGINX),
    *(pytest.param(name, marks=needs("haproxy")) for name in HAPROXY),
    pytest.param("Caddy", marks=needs("caddy")),
    pytest.param("socat", marks=needs("socat")),
    pytest.param("ssh -R", marks=needs("sshd")),
]
HOSTS = ["localhost", "127.0.0.1:8000", "calls.example.com"]
NO_WEBSOCKETS = {"nginx, plain", "nginx, Host as it came", "nginx, prefix stripped"}
"""These speak HTTP/1.0 to us."""
HTTP = ALL - SOCKETS
TRICKS: tuple[dict[str, str], ...] = (
    {},
    {"Connection": "close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Real-IP, Via, Upgrade"},
    {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost", "Forwarded": "for=127.0.0.1;host=localhost"},
)
"""What a client writes to have a proxy leave out what it would add, or to seem to be on this machine."""
WITHOUT_A_SIGN = {"HAProxy, http", "HAProxy, tcp", "socat", "ssh -R"}
"""Nothing in what these pass on tells it from what the user of this machine sends, if the client names this machine.
Nor does it with "nginx, HTTP/1.1", which names it itself, for WebSockets."""

Ports = dict[tuple[str, str], int]
"""The port of each proxy before each server."""


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """Servers, and every proxy before each of them."""
    folder = tmp_path_factory.mktemp("proxies")
    (folder / "voiceflow.yaml").write_text(f"dids:\n  '{TO}':\n")
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))  # tokens that were used are noted here
        served = stack.enter_context(serving_beside(CONFIGS, Routes(folder / "voiceflow.yaml"), KEY))
        yield _before(served, folder, stack)


def _before(served: dict[str, Served], folder: Path, stack: contextlib.ExitStack) -> Ports:
    """Start the proxies that are here."""
    names = [*NGINX, *HAPROXY, "Caddy", *FORWARDERS]
    ports = {(name, server): free_port() for name in names for server in served}
    nginx, haproxy, caddy = "", "", ""
    for server, each in served.items():
        for name, location in NGINX.items():
            nginx += f"server {{ listen 127.0.0.1:{ports[name, server]}; {location % each.port} }}\n"
        for name, mode in HAPROXY.items():
            bind, kind = f"bind 127.0.0.1:{ports[name, server]}", f"{mode}-{server}"
            haproxy += f"listen {kind}\n mode {mode}\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n"
            haproxy += f" {bind}\n server voiceflow 127.0.0.1:{each.port}\n"
        caddy += f"http://:{ports['Caddy', server]} {{\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:{each.port}\n}}\n"
        for name, forwarder in FORWARDERS.items():
            (own := folder / f"{name[:3]}-{server}").mkdir()
            if proxies.program({"socat": "socat", "ssh -R": "sshd"}[name]):
                stack.enter_context(forwarder(own, ports[name, server], each.port))
    kinds = ((proxies.nginx, nginx, NGINX), (proxies.haproxy, haproxy, HAPROXY), (proxies.caddy, caddy, {"Caddy"}))
    for proxy, content, own_names in kinds:
        if proxies.program(proxy.__name__):
            stack.enter_context(
                proxy(folder, content, [ports[name, server] for name in own_names for server in served])
            )
    return ports


def visitor(ports: Ports, behind: str, server: str, host: str, headers: Mapping[str, str] = {}) -> Visitor:
    return Visitor(ports[behind, server], host, headers, "/voice" if behind == "nginx, prefix stripped" else "")


def passed_on(behind: str) -> set[str]:
    """The doors to which a proxy leads at all."""
    return ALL - SOCKETS if behind in NO_WEBSOCKETS else ALL


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("server", OPEN_TO_OTHERS)
@pytest.mark.parametrize("host", HOSTS)
def test_nobody_is_local_where_others_may_reach_the_server(ports: Ports, behind: str, server: str, host: str) -> None:
    async def main() -> None:
        assert await visitor(ports, behind, server, host).enters() == set()
        wrong = {"Authorization": f"Bearer {secret_of(b'of another run')}", "X-Forwarded-For": "127.0.0.1"}
        assert await visitor(ports, behind, server, host, wrong).enters() == set()

    run(main())


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("server", OPEN_TO_OTHERS)
def test_the_secret_of_the_run_opens_every_door(ports: Ports, behind: str, server: str) -> None:
    async def main() -> None:
        operator = visitor(ports, behind, server, "calls.example.com", OPERATOR)
        assert await operator.enters() == passed_on(behind)

    run(main())


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("server", CONFIGS)
def test_a_token_of_ours_opens_the_stream_and_nothing_else(ports: Ports, behind: str, server: str) -> None:
    async def main() -> None:
        token = StreamTokens(KEY).issue(Claims("twilio", call_id(), FROM, TO, "PCMU"))
        stranger = visitor(ports, behind, server, "calls.example.com")
        assert await stranger.streams(token) == (behind not in NO_WEBSOCKETS)
        bearer = visitor(ports, behind, "public", "calls.example.com", {"Authorization": f"Bearer {token}"})
        assert await bearer.enters() == set()

    run(main())


@pytest.mark.parametrize("behind", BEHIND)
def test_on_a_server_for_this_machine_nobody_is_local_in_whose_request_a_proxy_shows(ports: Ports, behind: str) -> None:
    async def main() -> None:
        for host in HOSTS[-1:] if behind in WITHOUT_A_SIGN else HOSTS:
            for headers in TRICKS:
                stranger = visitor(ports, behind, "closed", host, headers)
                assert await stranger.enters(HTTP if headers or behind == "nginx, HTTP/1.1" else ALL) == set()

    run(main())


@needs("nginx")
@pytest.mark.parametrize(("host", "secure"), [("calls.example.com", True), ("localhost", False)])
def test_a_cookie_that_was_given_by_tls_is_never_sent_without(ports: Ports, host: str, secure: bool) -> None:
    async def main() -> None:
        link = f"/?key={secret_of(KEY)}"
        answer = await visitor(ports, "nginx, Host as it came", "public", host).asks("GET", link)
        assert ("Secure" in answer.headers["set-cookie"]) == secure

    run(main())
