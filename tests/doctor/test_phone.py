"""`voiceflow doctor --phone` before a real proxy with TLS: what it says of a set-up in order, and of each fault."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from certificates import Certificate, certificate
from cli.processes import command
from cli.processes import serving as serving_command
from launching import free_port
from server.documented import LANGUAGES, below_prefix, documented
from server.proxies import needs, nginx
from server.serving import FROM, TO, echo, run, serving

from voiceflow import AudioRaw, Call, Processor
from voiceflow.auth import Bearer
from voiceflow.config.address import MEDIA
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.doctor import CallNumbers, Finding, Setting, examine_phone
from voiceflow.pipeline import Element
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

pytestmark = needs("nginx")

HOST = "localhost"
KEY = b"the key of this run"
NUMBERS = CallNumbers(FROM, TO)
CARRIERS = (TwilioSettings(auth_token="12345"),)


class Site:
    """A public address, the proxy that serves it, and the certificate that this machine believes."""

    def __init__(self, folder: Path, own: Certificate) -> None:
        self.folder, self.own = folder, own
        self.port = free_port()
        self.proxies = contextlib.ExitStack()

    def config(self, prefix: str = "", host: str = HOST) -> Config:
        return Config(provider_config=CARRIERS, public_ws_url=f"wss://{host}:{self.port}{prefix}{MEDIA}")

    def before(
        self, upstream: int, *changes: tuple[str, str], own: Certificate | None = None, proxied: str = "nginx"
    ) -> None:
        """Have a proxy, as it is documented but for `changes`, pass on to a port."""
        (folder := self.folder / proxied).mkdir()
        proxy = documented(proxied, folder, upstream, own or self.own, *changes, https=self.port, host=HOST)
        self.proxies.enter_context(proxy)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("certificate"), HOST)


@pytest.fixture
def site(tmp_path: Path, own: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # tokens that were used are noted here
    monkeypatch.setenv("SSL_CERT_FILE", str(own.authority))
    site = Site(tmp_path, own)
    with site.proxies:
        yield site


@contextlib.asynccontextmanager
async def in_front(
    site: Site,
    *changes: tuple[str, str],
    prefix: str = "",
    open: bool = False,
    build: Callable[[Call], Element] = echo,
    routes: Routes | None = None,
    proxied: str = "nginx",
) -> AsyncIterator[Config]:
    """A server, and a proxy before it. Yields the configuration, as `doctor` reads it."""
    config = site.config(prefix)
    async with serving(build, config, routes, key=KEY, open=open) as served:
        site.before(served.port, *changes, proxied=proxied)
        yield msgspec.structs.replace(config, server_port=served.port)


async def found(config: Config, numbers: CallNumbers = NUMBERS) -> dict[str, Finding]:
    findings = await examine_phone(Setting(os.environ, config), numbers)
    return {finding.check: finding for finding in findings}


def failing(findings: dict[str, Finding]) -> tuple[str, str, str]:
    """The only check that fails, what it says, and what it advises."""
    (failed,) = (finding for finding in findings.values() if finding.status == "fail")
    assert failed.remedy
    return failed.check, failed.said, failed.remedy


@pytest.mark.parametrize("prefix", ["", "/voice"])
@pytest.mark.parametrize("proxied", [pytest.param(name, marks=needs(name)) for name in LANGUAGES])
def test_a_set_up_in_order_has_nothing_that_fails(site: Site, prefix: str, proxied: str) -> None:
    async def main() -> None:
        changes = [below_prefix(proxied)] if prefix else []
        async with in_front(site, *changes, prefix=prefix, proxied=proxied) as config:
            findings = await found(config)
            assert {check: each.status for check, each in findings.items()} == {
                "address": "warn",  # it is this machine's own
                "certificate": "ok",
                "server": "ok",
                "media stream": "ok",
                "strangers": "ok",
                "twilio webhook": "ok",
                "twilio call": "ok",
            }
            assert findings["twilio webhook"].said.endswith(f"with a stream to {config.public_ws_url}")
            assert findings["twilio call"].said == f"from {FROM} to {TO}: connected, the agent spoke, ended"
            assert "valid for 29 days" in findings["certificate"].said
            for closed in ("unsigned webhooks of Twilio", "of Telnyx", "streams without a token", "browsers without"):
                assert closed in findings["strangers"].said

    run(main())


def test_browsers_that_have_to_log_in_are_strangers_until_they_do(site: Site) -> None:
    async def main() -> None:
        config = msgspec.structs.replace(site.config(), auth=(Bearer(["a token of forty characters, or nearly so"]),))
        async with serving(config=config, key=KEY) as served:
            site.before(served.port)
            findings = await found(msgspec.structs.replace(config, server_port=served.port))
            assert {each.status for each in findings.values()} <= {"ok", "warn"}
            assert "browsers without the link" in findings["strangers"].said
            assert findings["server"].status == "ok"

    run(main())


# The address and the certificate


def test_the_server_on_this_machine_is_asked_through_no_proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def main() -> None:
        async with in_front(site) as config:
            assert (await found(config))["server"].status == "ok"

    run(main())


def test_without_a_public_address_nothing_else_is_tried() -> None:
    async def main() -> None:
        findings = await found(Config())
        assert findings.keys() == {"address"}
        assert "--ws-url, wss://HOST/sip/media-stream" in failing(findings)[2]

    run(main())


def test_a_configuration_that_cannot_be_used_is_told() -> None:
    async def main() -> None:
        (finding,) = await examine_phone(Setting({}, error="line 1: no such key"), NUMBERS)
        assert (finding.status, finding.said) == ("fail", "line 1: no such key")

    run(main())


def test_a_name_that_leads_nowhere(site: Site) -> None:
    async def main() -> None:
        check, said, remedy = failing(await found(site.config(host="nobody.invalid")))
        assert check == "address"
        assert said.startswith("nobody.invalid has no address")
        assert "correct public_ws_url" in remedy

    run(main())


def test_a_host_for_which_the_proxy_has_no_certificate(site: Site) -> None:
    async def main() -> None:
        site.before(free_port())
        check, said, remedy = failing(await found(site.config(host="127.0.0.1")))
        assert check == "certificate"
        assert f"127.0.0.1 port {site.port} refuses TLS for 127.0.0.1" in said
        assert "with a certificate for 127.0.0.1" in remedy

    run(main())


def test_a_certificate_for_another_host(site: Site) -> None:
    async def main() -> None:
        site.before(
            free_port(),
            ("ssl_reject_handshake on;", f"ssl_certificate {site.own.both}; ssl_certificate_key {site.own.both};"),
        )
        check, said, remedy = failing(await found(site.config(host="127.0.0.1")))
        assert check == "certificate"
        assert "mismatch" in said
        assert "correct the host in public_ws_url, or get a certificate for 127.0.0.1" in remedy

    run(main())


def test_a_certificate_that_has_expired(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        old = certificate(site.folder / "old", HOST, days=-1)
        monkeypatch.setenv("SSL_CERT_FILE", str(old.authority))
        site.before(free_port(), own=old)
        check, said, remedy = failing(await found(site.config()))
        assert check == "certificate"
        assert "certificate has expired" in said
        assert remedy.startswith("renew the certificate, and reload the proxy")

    run(main())


def test_a_certificate_that_ends_soon(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        old = certificate(site.folder / "old", HOST, days=10.5)
        monkeypatch.setenv("SSL_CERT_FILE", str(old.authority))
        site.before(free_port(), own=old)
        finding = (await found(site.config()))["certificate"]
        assert finding.status == "warn"
        assert finding.said.startswith("valid for 10 days")

    run(main())


def test_a_certificate_that_nobody_knows(site: Site) -> None:
    async def main() -> None:
        site.before(free_port(), own=certificate(site.folder / "own", HOST))
        check, _, remedy = failing(await found(site.config()))
        assert check == "certificate"
        assert "with its whole chain (fullchain.pem)" in remedy

    run(main())


def test_a_port_at_which_nothing_listens(site: Site) -> None:
    async def main() -> None:
        check, said, remedy = failing(await found(site.config()))
        assert check == "certificate"
        assert said == f"nothing listens at localhost port {site.port}: Connection refused"
        assert "start the proxy" in remedy

    run(main())


def test_a_port_without_tls(site: Site) -> None:
    async def main() -> None:
        config = site.config()
        async with serving(config=config) as served:
            site.port = served.port
            check, said, remedy = failing(await found(site.config()))
            assert check == "certificate"
            assert "refuses TLS for localhost" in said
            assert "have the proxy end TLS there" in remedy

    run(main())


def test_a_port_that_says_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceflow.doctor.certificate.DEADLINE", 0.05)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", site.port)):
            check, said, remedy = failing(await found(site.config()))
        assert check == "certificate"
        assert "has not answered" in said
        assert "let the firewall pass TCP" in remedy

    run(main())


# The path to the server


def test_a_server_that_does_not_run(site: Site) -> None:
    async def main() -> None:
        site.before(port := free_port())
        config = msgspec.structs.replace(site.config(), server_port=port)
        check, said, remedy = failing(await found(config))
        assert check == "server"
        assert "is answered with 502" in said
        assert f"no server runs at 127.0.0.1:{port}" in said
        assert remedy == f"voiceflow run FILE --ws-url {config.public_ws_url}"

    run(main())


def test_a_server_that_hangs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            site.before(silent.getsockname()[1])
            monkeypatch.setattr("voiceflow.doctor.outside.DEADLINE", 0.3)
            config = msgspec.structs.replace(site.config(), server_port=free_port())
            check, said, remedy = failing(await found(config))
            assert check == "server"
            assert "/health: no answer within" in said
            assert remedy.startswith("voiceflow run FILE")

    run(main())


def test_a_name_server_that_hangs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceflow.doctor.certificate.DEADLINE", 0.05)
    over = threading.Event()
    monkeypatch.setattr("voiceflow.doctor.certificate.socket.getaddrinfo", lambda *_, **__: over.wait())

    async def main() -> None:
        check, said, _ = failing(await found(site.config()))
        over.set()
        assert check == "address"
        assert "no name server has told" in said

    run(main())


@pytest.mark.parametrize(
    ("prefix", "changes", "hint"),
    [
        ("", [("location / {", "location /voice/ {")], "Is a prefix missing from public_ws_url"),
        ("/voice", [("location / {", "location /sip/ {")], "Is /voice in public_ws_url as the proxy has it?"),
    ],
)
def test_a_prefix_that_the_proxy_does_not_have(
    site: Site, prefix: str, changes: list[tuple[str, str]], hint: str
) -> None:
    async def main() -> None:
        async with in_front(site, *changes, prefix=prefix) as config:
            check, said, remedy = failing(await found(config))
            assert check == "server"
            assert f"https://localhost:{site.port}{prefix}/health is answered with 404" in said
            assert hint in remedy

    run(main())


def test_a_prefix_that_the_running_server_does_not_know(site: Site) -> None:
    async def main() -> None:
        async with in_front(site) as config:
            changed = msgspec.structs.replace(config, public_ws_url=site.config("/voice").public_ws_url)
            check, said, _ = failing(await found(changed))
            assert check == "server"
            assert "/voice/health is answered with 404 'Not Found'" in said

    run(main())


def test_another_server_behind_the_proxy(site: Site) -> None:
    async def main() -> None:
        async with in_front(site), serving(config=site.config(), key=b"another run") as other:
            check, said, remedy = failing(await found(msgspec.structs.replace(site.config(), server_port=other.port)))
            assert check == "server"
            assert said.startswith(f"another voiceflow server than the one at 127.0.0.1:{other.port} answers")
            assert f"to http://127.0.0.1:{other.port}" in remedy

    run(main())


def test_a_server_on_another_machine_may_be_anybodys(site: Site) -> None:
    async def main() -> None:
        async with in_front(site) as config:
            findings = await found(msgspec.structs.replace(config, server_port=free_port()))
            assert findings["server"].status == "warn"
            assert "strangers" in findings

    run(main())


@pytest.mark.parametrize(
    "change",
    [
        ("proxy_set_header Upgrade $http_upgrade;", ""),
        ("proxy_set_header Connection $connection_upgrade;", ""),
    ],
    ids=lambda change: change[0],
)
def test_a_proxy_that_does_not_upgrade(site: Site, change: tuple[str, str]) -> None:
    async def main() -> None:
        async with in_front(site, change) as config:
            check, said, remedy = failing(await found(config))
            assert check == "media stream"
            assert said.startswith(f"no WebSocket opens at {config.public_ws_url}: the handshake was answered with")
            assert "the headers Upgrade and Connection" in remedy

    run(main())


# Open doors


def test_a_server_that_is_open_to_everybody(site: Site) -> None:
    async def main() -> None:
        async with in_front(site, open=True) as config:
            check, said, remedy = failing(await found(config))
            assert check == "strangers"
            assert said == (
                "everybody gets in: unsigned webhooks of Twilio, unsigned webhooks of Telnyx, "
                "media streams without a token, browsers without the link"
            )
            assert remedy == f"start the server with --ws-url {config.public_ws_url}, and without --insecure"

    run(main())


def test_a_server_that_takes_the_proxys_requests_for_its_users(site: Site) -> None:
    plain = "server {{ listen 127.0.0.1:{} ssl; ssl_certificate {}; ssl_certificate_key {}; location / {{"
    plain += " proxy_pass http://127.0.0.1:{}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"
    plain += " proxy_set_header Connection $http_connection; }} }}"

    async def main() -> None:
        async with serving(key=KEY) as served:  # without the public address
            content = plain.format(site.port, site.own.chain, site.own.key, served.port)
            site.proxies.enter_context(nginx(site.folder, content, [site.port]))
            findings = await found(msgspec.structs.replace(site.config(), server_port=served.port))
            assert findings["strangers"].status == "fail"

    run(main())


# Calls as a carrier makes them


def test_keys_that_are_not_those_of_the_server(site: Site) -> None:
    async def main() -> None:
        async with in_front(site) as config:
            wrong = (TwilioSettings(auth_token="another"),)
            check, said, remedy = failing(await found(msgspec.structs.replace(config, provider_config=wrong)))
            assert check == "twilio webhook"
            assert said.startswith(
                f"a signed webhook to https://localhost:{site.port}/sip/twilio/answer is answered with 403"
            )
            assert "TWILIO_AUTH_TOKEN" in remedy

    run(main())


def test_a_server_that_has_another_public_address(site: Site) -> None:
    """Its webhooks are signed for that one, so ours are refused."""

    async def main() -> None:
        other = msgspec.structs.replace(site.config(), public_ws_url=f"wss://calls.example.com{MEDIA}")
        async with serving(config=other, key=KEY) as served:
            site.before(served.port)
            config = msgspec.structs.replace(site.config(), server_port=served.port)
            check, _, remedy = failing(await found(config))
            assert check == "twilio webhook"
            assert f"--ws-url {config.public_ws_url}" in remedy

    run(main())


def test_a_number_without_a_route(site: Site) -> None:
    async def main() -> None:
        (file := site.folder / "voiceflow.yaml").write_text("dids:\n  '+15125551234':\n")
        async with in_front(site, routes=Routes(file)) as config:
            check, said, remedy = failing(await found(config))
            assert check == "twilio webhook"
            assert said == f"calls of {TO} are not connected: the caller hears 'This number is not in service.'"
            assert "--to NUMBER" in remedy
            findings = await found(config, CallNumbers(FROM, "+15125551234"))
            assert findings["twilio call"].status == "ok"

    run(main())


def test_a_pipeline_that_fails(site: Site) -> None:
    def fails(call: Call) -> Element:
        if call.caller_id is not None:
            raise RuntimeError("the model is gone")
        return call.source | call.sink

    async def main() -> None:
        async with in_front(site, build=fails) as config:
            check, said, remedy = failing(await found(config))
            assert check == "twilio call"
            assert said.startswith("the stream was closed with 1011")
            assert "see the log of the server" in remedy

    run(main())


def test_a_call_that_does_not_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceflow.doctor.signedcall.ENDS", 0.1)

    async def main() -> None:
        async with in_front(site, build=lambda call: call.source | Stays() | call.sink) as config:
            check, said, _ = failing(await found(config))
            assert check == "twilio call"
            assert said.endswith("after the caller hung up")

    run(main())


class Stays(Processor):
    """Takes its time to end."""

    def process(self, frame: AudioRaw) -> AudioRaw:
        return frame

    async def close(self) -> None:
        await asyncio.sleep(0.5)


def test_without_a_carrier_it_is_said_that_no_call_was_tried(site: Site) -> None:
    async def main() -> None:
        async with in_front(site) as config:
            findings = await found(msgspec.structs.replace(config, provider_config=()))
            assert findings["carrier"].status == "warn"
            assert "signed calls of Twilio or Telnyx were not tried" in findings["carrier"].said

    run(main())


def test_what_only_the_carrier_can_sign_is_not_tried(site: Site) -> None:
    async def main() -> None:
        async with in_front(site) as config:
            settings = (TelnyxSettings(public_key="A" * 43 + "="),)
            findings = await found(msgspec.structs.replace(config, provider_config=settings))
            assert findings["telnyx webhook"].status == "warn"
            assert findings["telnyx webhook"].remedy == f"call {TO}"

    run(main())


# The command


def test_the_command_tries_a_server_that_runs(site: Site) -> None:
    port = free_port()
    variables = {
        "SIP_PUBLIC_WS_URL": str(site.config().public_ws_url),
        "SIP_SERVER_PORT": str(port),
        "TWILIO_AUTH_TOKEN": "12345",
        "SSL_CERT_FILE": str(site.own.authority),
        "TWILIO_ACCOUNT_SID": f"AC{0:032}",
    }
    site.before(port)
    with serving_command(site.folder, "echo", **variables):
        done = command(site.folder, "doctor", "--phone", "--json", **variables)
        told = msgspec.json.decode(done.stdout)
        assert (done.returncode, told["ok"]) == (0, True), done.stdout + done.stderr
        assert [each["check"] for each in told["findings"]][-1] == "twilio call"
        wrong = variables | {"TWILIO_AUTH_TOKEN": "hush"}
        done = command(site.folder, "doctor", "--phone", "--from", FROM, "--to", TO, **wrong)
        assert done.returncode == 1
        assert "fail  twilio webhook" in done.stdout
        assert "hush" not in done.stdout + done.stderr
