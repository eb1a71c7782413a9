"""A server below a prefix of its public address, whether the proxy in front of it strips the prefix or keeps it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from server.proxies import needs, nginx_below
from server.serving import FROM, SPEECH, TO, TUNNEL, call_id, carrier, dialled, echo, hears, parameters, run, serving
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Message
from twilio.request_validator import RequestValidator

from voiceflow.config.address import MEDIA
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.server.prefix import at_prefix, prefix_of, public_http
from voiceflow.server.server import Server
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

AUTH_TOKEN = "12345"
FORM = {"CallSid": call_id(), "From": FROM, "To": TO, "CallStatus": "ringing"}
PREFIXES = ["/voice", "/sip", "/a/b", "/caf%C3%A9"]


@pytest.fixture(autouse=True)
def _marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that were used are noted here, and not in the system's folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def config(prefix: str) -> Config:
    address = f"wss://calls.example.com{prefix}{MEDIA}"
    return Config(public_ws_url=address, provider_config=(TwilioSettings(auth_token=AUTH_TOKEN),))


def signed(url: str, form: Mapping[str, str] = FORM) -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(url, form)}


def asked(prefix: str, method: str, path: str, headers: Mapping[str, str] = {}, **options: Any) -> httpx.Response:
    """What a server with this prefix answers to a request with this path."""

    async def ask() -> httpx.Response:
        server = Server(echo, config(prefix), Routes(), b"the key of this run")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server)) as client:
            return await client.request(method, f"http://testserver{path}", headers={**TUNNEL, **headers}, **options)

    return asyncio.run(ask())


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("strips", [True, False])
def test_the_prefix_is_part_of_what_is_signed_and_of_what_is_served(prefix: str, strips: bool) -> None:
    path = "/sip/twilio/answer?region=ie"
    headers = signed(f"https://calls.example.com{prefix}{path}")
    answer = asked(prefix, "POST", path if strips else prefix + path, headers, data=FORM)
    assert answer.status_code == 200, answer.text
    assert f'<Stream url="wss://calls.example.com{prefix}{MEDIA}">' in answer.text


@pytest.mark.parametrize("strips", [True, False])
def test_a_signature_for_another_prefix_is_refused(strips: bool) -> None:
    path = "/sip/twilio/answer" if strips else "/voice/sip/twilio/answer"
    for other in ("", "/other", "/voice/voice"):
        headers = signed(f"https://calls.example.com{other}/sip/twilio/answer")
        assert asked("/voice", "POST", path, headers, data=FORM).status_code == 403


@pytest.mark.parametrize("path", ["/other/health", "/voicemail/health", "/voice/voice/health", "/health/voice"])
def test_what_is_below_no_prefix_or_another_one_is_not_found(path: str) -> None:
    assert asked("/voice", "GET", path).status_code == 404


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_page_finds_what_it_needs_below_the_prefix(prefix: str) -> None:
    assert asked(prefix, "GET", prefix).headers["location"] == f"{prefix}/"
    for base in (f"{prefix}/", "/"):
        page = asked(prefix, "GET", base)
        assert "page.js" in page.text
        for name in ("page.js", "page.css", "icon.svg", "voiceflow-client.js", "health"):
            assert asked(prefix, "GET", base + name).status_code == 200
    assert 'href="/' not in page.text
    assert 'src="/' not in page.text
    script = asked(prefix, "GET", f"{prefix}/page.js").text
    assert 'signalingUrl: "ws"' in script
    assert not re.search("""["'`]/[a-z]""", script)


def mounted(
    at: str, config: Config, path: str, headers: Mapping[str, str], prefix: str | None = None
) -> httpx.Response:
    """What a server that an application mounts at a path answers to Twilio's webhook, requested at a path of that."""

    async def ask() -> httpx.Response:
        app = Starlette(routes=[Mount(at, Server(echo, config, Routes(), b"the key of this run", prefix=prefix))])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await client.post(f"http://testserver{path}", data=FORM, headers={**TUNNEL, **headers})

    return asyncio.run(ask())


@pytest.mark.parametrize("at", PREFIXES)
@pytest.mark.parametrize("named", [True, False])
def test_where_an_application_mounts_the_server_is_its_prefix(at: str, named: bool) -> None:
    """The public address may name it, and need not."""
    path = f"{at}/sip/twilio/answer?region=ie"
    headers = signed(f"https://calls.example.com{path}")
    answer = mounted(unquote(at), config(at if named else ""), path, headers)
    assert answer.status_code == 200, answer.text
    assert f'<Stream url="wss://calls.example.com{at}{MEDIA}">' in answer.text
    elsewhere = signed("https://calls.example.com/sip/twilio/answer?region=ie")
    assert mounted(unquote(at), config(at if named else ""), path, elsewhere).status_code == 403


@pytest.mark.parametrize(
    ("address", "prefix", "public"),
    [("/api/voice", None, "/api/voice"), ("", "/api/voice", "/api/voice"), ("", "", "")],
)
def test_a_proxy_may_change_the_path_at_which_the_server_is_mounted(
    address: str, prefix: str | None, public: str
) -> None:
    headers = signed(f"https://calls.example.com{public}/sip/twilio/answer")
    answer = mounted("/voice", config(address), "/voice/sip/twilio/answer", headers, prefix)
    assert answer.status_code == 200, answer.text
    assert f'<Stream url="wss://calls.example.com{public}{MEDIA}">' in answer.text


@pytest.mark.parametrize("path", ["/voice/health", "/health"], ids=["with root_path", "without"])
@pytest.mark.parametrize("raw", [None, "/voice/health", "/health"])
def test_servers_may_name_the_root_path_in_the_path_or_leave_it_out(path: str, raw: str | None) -> None:
    scope: dict[str, Any] = {"type": "http", "path": path, "raw_path": raw and raw.encode(), "root_path": "/voice"}
    for prefix in (None, "/voice"):
        found = at_prefix(scope, prefix, OWN)
        assert (found["path"], found["raw_path"], found["root_path"]) == ("/voice/health", b"/voice/health", "/voice")


@needs("nginx")
@pytest.mark.parametrize("strips", [True, False])
@pytest.mark.parametrize("prefix", ["/voice", "/sip"])
def test_a_call_through_nginx(tmp_path: Path, prefix: str, strips: bool) -> None:
    async def main() -> None:
        async with serving(config=config(prefix)) as served, httpx.AsyncClient(trust_env=False) as client:
            proxy = proxies.enter_context(nginx_below(tmp_path, served.port, prefix, strips=strips))
            headers = signed(f"https://calls.example.com{prefix}/sip/twilio/answer")
            answer = await client.post(f"http://{proxy}{prefix}/sip/twilio/answer", data=FORM, headers=headers)
            assert answer.status_code == 200, answer.text
            caller = carrier(token=parameters(answer)["token"])
            upgrade = signed(f"wss://calls.example.com{prefix}{MEDIA}", {})
            async with dialled(f"ws://{proxy}{prefix}{MEDIA}", additional_headers=upgrade) as websocket:
                assert await hears(websocket, caller) == SPEECH
            async with dialled(f"ws://{proxy}{prefix}/ws") as websocket:  # from elsewhere, so it is refused by us
                await websocket.wait_closed()
                assert "refused" in (websocket.close_reason or "")
            health = await client.get(f"http://{proxy}{prefix}/health")
            assert json.loads(health.text)["status"] == "ok"
            await served.at_rest()

    with contextlib.ExitStack() as proxies:
        run(main())


@pytest.mark.parametrize(
    ("address", "prefix", "http"),
    [
        (None, "", None),
        ("wss://example.com/sip/media-stream", "", "https://example.com"),
        ("wss://example.com:8443/voice/sip/media-stream", "/voice", "https://example.com:8443/voice"),
        ("wss://example.com//sip/media-stream", "", "https://example.com"),
        ("wss://example.com/elsewhere", "", "https://example.com"),
        ("ws://localhost:8000/a/b/sip/media-stream", "/a/b", "http://localhost:8000/a/b"),
    ],
)
def test_the_prefix_is_what_precedes_the_media_stream(address: str | None, prefix: str, http: str | None) -> None:
    assert prefix_of(address) == prefix
    assert address is None or public_http(address) == http


OWN = {"/", "/health", "/sip/twilio/answer"}


@given(st.sampled_from(["/voice", "/sip", "/a/b", "/%C3%A9"]), st.sampled_from(sorted(OWN)))
def test_both_ways_of_passing_a_path_on_are_one_request(prefix: str, path: str) -> None:
    def scope(raw: str) -> dict[str, Any]:
        return {"type": "http", "path": unquote(raw), "raw_path": raw.encode()}

    kept, stripped = (at_prefix(scope(raw), prefix, OWN) for raw in (prefix + path, path))
    assert kept == stripped
    assert (kept["raw_path"].decode(), kept["root_path"]) == (prefix + path, unquote(prefix))


@given(st.text(), st.sampled_from(["", "/voice", "/voice/", "/a/b", "/é"]), st.sampled_from([None, "", "/voice"]))
def test_whatever_path_is_requested_it_is_below_the_prefix_and_written_as_it_came(
    path: str, root: str, prefix: str | None
) -> None:
    raw = quote(f"{root}/{path}", safe="/~:@!", errors="replace")
    scope = {"type": "http", "path": unquote(raw), "raw_path": raw.encode(), "root_path": root}
    found = at_prefix(scope, prefix, OWN)
    assert found["path"].startswith(f"{found['root_path']}/")
    assert unquote(found["raw_path"].decode()) == found["path"]
    if prefix is None:
        assert (found["path"], found["raw_path"]) == (scope["path"], scope["raw_path"])


def test_a_request_without_a_path_leads_to_the_page_of_this_server() -> None:
    async def ask() -> str:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request"}

        scope = {"type": "http", "method": "GET", "path": "", "raw_path": b"", "query_string": b"", "headers": []}
        await Server(echo, Config(), Routes(), b"key of this run")(scope, receive, send)
        return dict(sent[0]["headers"])[b"location"].decode()

    assert asyncio.run(ask()) == "/"
