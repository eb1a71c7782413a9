"""The proxies' configurations in docs/proxies.md do what they promise, with TLS."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from certificates import Certificate, certificate
from server.documented import HOST, LANGUAGES, below_prefix, block, documented
from server.doors import serving_beside
from server.proxies import needs, program
from server.serving import FROM, SPEECH, TO, call_id, carrier, closing, dialled, hears, parameters, run
from twilio.request_validator import RequestValidator
from websockets.exceptions import ConnectionClosed

from voiceflow.call_limits import Limits
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.security.trust import secret_of
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

KEY = b"the key of this run"
AUTH_TOKEN = "12345"
FORM = {"CallSid": call_id(), "From": FROM, "To": TO}
PREFIXES = ["", "/voice"]
UNITS = {"s": 1, "m": 60, "h": 3600}
BEHIND = [pytest.param(name, marks=needs(name)) for name in LANGUAGES]

Ports = dict[tuple[str, str], tuple[int, int]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In which each proxy has a folder of its own."""
    return tmp_path_factory.mktemp("proxies")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("certificate"), HOST)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory, folder: Path, own: Certificate) -> Iterator[Ports]:
    """A server for each prefix, and each proxy that is here before each of them."""
    carriers = (TwilioSettings(auth_token=AUTH_TOKEN),)
    configs = {
        prefix: Config(provider_config=carriers, public_ws_url=f"wss://{HOST}{prefix}/sip/media-stream")
        for prefix in PREFIXES
    }
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tokens")))
        served = stack.enter_context(serving_beside(configs, Routes(), KEY))
        yield {
            (name, prefix): stack.enter_context(
                documented(
                    name,
                    made(folder / f"{name}{prefix.replace('/', '-')}"),
                    served[prefix].port,
                    own,
                    *([below_prefix(name)] if prefix else []),
                )
            )
            for name in filter(program, LANGUAGES)
            for prefix in PREFIXES
        }


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def client(port: int, tls: ssl.SSLContext) -> httpx.AsyncClient:
    """A client for which the documented host is at this port of loopback."""

    async def resolve(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = HOST
        request.headers.setdefault("Host", HOST)

    return httpx.AsyncClient(
        base_url=f"https://127.0.0.1:{port}",
        verify=tls,
        trust_env=False,
        timeout=None,
        headers={"Host": HOST},
        event_hooks={"request": [resolve]},
    )


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", BEHIND)
def test_a_signed_webhook_and_its_stream_come_through(ports: Ports, own: Certificate, name: str, prefix: str) -> None:
    async def main() -> None:
        (port, _), tls = ports[name, prefix], own.client()
        form = FORM | {"CallSid": f"CA{uuid4().hex}"}
        path = f"{prefix}/sip/twilio/answer?region=ie%31&x=a+b"
        signature = RequestValidator(AUTH_TOKEN).compute_signature(f"https://{HOST}{path}", form)
        async with client(port, tls) as asking:
            answer = await asking.post(path, data=form, headers={"X-Twilio-Signature": signature})
        assert answer.status_code == 200, answer.text
        media = f"wss://{HOST}{prefix}/sip/media-stream"
        assert f'<Stream url="{media}">' in answer.text
        caller = carrier(call_sid=form["CallSid"], token=parameters(answer)["token"])
        signed = {"X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(media, {})}
        options = {"host": "127.0.0.1", "port": port, "ssl": tls, "additional_headers": signed}
        async with dialled(media, **options) as websocket:
            assert await hears(websocket, caller) == SPEECH

    run(main())


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", BEHIND)
def test_a_browser_that_was_admitted_calls_from_our_page(
    ports: Ports, own: Certificate, name: str, prefix: str
) -> None:
    async def main() -> None:
        (port, _), tls = ports[name, prefix], own.client()
        async with client(port, tls) as asking:
            opened = await asking.get(f"{prefix}/?key={secret_of(KEY)}")
            assert opened.status_code == 303
            page = await asking.get(f"{prefix}/")
            assert "page.js" in page.text
        cookie, _, attributes = opened.headers["set-cookie"].partition(";")
        assert {"HttpOnly", "Secure", f"Path={prefix}/"} <= set(attributes.replace(" ", "").split(";"))
        headers = {"Cookie": cookie, "Origin": f"https://{HOST}"}
        options = {"host": "127.0.0.1", "port": port, "ssl": tls, "additional_headers": headers}
        async with dialled(f"wss://{HOST}{prefix}/ws", **options) as websocket:
            await websocket.send('{"type": "hello"}')
            assert json.loads(await websocket.recv())["type"] == "hello_ack"

    run(main())


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", BEHIND)
def test_strangers_are_refused(ports: Ports, own: Certificate, name: str, prefix: str) -> None:
    async def main() -> None:
        (port, _), tls = ports[name, prefix], own.client()
        async with client(port, tls) as asking:
            assert (await asking.post(f"{prefix}/sip/twilio/answer", data=FORM)).status_code == 403
            assert (await asking.post(f"{prefix}/api/offer", json={})).status_code == 403
            assert isinstance((await asking.get(f"{prefix}/health")).json()["dids"], int)
        for path in ("/ws", "/sip/media-stream"):
            url = f"wss://{HOST}{prefix}{path}"
            async with dialled(url, host="127.0.0.1", port=port, ssl=tls) as websocket:
                with contextlib.suppress(ConnectionClosed):
                    for message in carrier().hello():
                        await websocket.send(message)
                assert (await closing(websocket))[0] == 1008

    run(main())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "evil.example.com"])
@pytest.mark.parametrize("name", BEHIND)
def test_other_names_never_reach_the_server(ports: Ports, own: Certificate, name: str, host: str) -> None:
    async def main() -> None:
        port, _ = ports[name, ""]
        async with client(port, own.client()) as asking:
            with contextlib.suppress(httpx.ConnectError):  # where the handshake is refused
                answer = await asking.get("/health", headers={"Host": host})
                assert "active_calls" not in answer.text

    run(main())


@pytest.mark.parametrize("name", [each for each in BEHIND if each.values[0] != "caddy"])  # which does it by itself
def test_plain_http_leads_to_tls(ports: Ports, name: str) -> None:
    _, port = ports[name, ""]
    answer = httpx.get(f"http://127.0.0.1:{port}/x?y=z", headers={"Host": HOST}, trust_env=False)
    assert answer.status_code == 301
    assert answer.headers["location"] == f"https://{HOST}/x?y=z"


@pytest.mark.parametrize(
    ("name", "directive"),
    [
        ("nginx", "proxy_read_timeout"),
        ("nginx", "proxy_send_timeout"),
        ("haproxy", "timeout tunnel"),
    ],
)
def test_a_silent_websocket_lives_longer_than_a_call(name: str, directive: str) -> None:
    match = re.search(rf"^ *{directive} (\d+)([smh]);?$", block(name), re.MULTILINE)
    assert match is not None
    assert int(match[1]) * UNITS[match[2]] > Limits().call + Limits().drain + Limits().cancel


@pytest.mark.parametrize("name", BEHIND)
def test_no_secret_is_in_a_log_of_a_proxy(ports: Ports, folder: Path, own: Certificate, name: str) -> None:
    async def main() -> None:
        (port, _), secret = ports[name, ""], secret_of(KEY)
        async with client(port, own.client()) as asking:
            for path in (f"/?key={secret}", f"/health?token={secret}"):
                await asking.get(path)
        logs = {file.name: file.read_text() for file in (folder / name).glob("*.log")}
        assert not any(secret in log for log in logs.values())
        if name == "nginx":
            assert '"GET /health" 200' in logs["access.log"]

    run(main())


def test_nothing_is_buffered() -> None:
    assert {"proxy_buffering off;", "proxy_request_buffering off;"} <= set(map(str.strip, block("nginx").splitlines()))
    assert "flush_interval -1" in block("caddy")
