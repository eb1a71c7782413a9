"""Headers of all answers: nothing is kept by a cache or guessed by a browser, and no request says where a redirect
leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from server.serving import FROM, TO, TUNNEL, Served, call_id, run, serving
from starlette.routing import Route

from voiceflow.config.address import MEDIA
from voiceflow.config.settings import Config
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

PUBLIC = f"wss://calls.example.com/voice{MEDIA}"
TARGETS = (
    "/health/",
    "/api/about/",
    "/page.js/",
    "/voice",
    "/voice/",
    "/voice/health/",
    "//evil.example/",
    "//evil.example/health/",
    "//evil.example/voice",
    "/\\evil.example/",
    "/\\evil.example/voice",
    "/%5Cevil.example/",
    "/%2F/evil.example/",
    "/voice//evil.example/",
    "/voice/\\evil.example/health/",
    "http://evil.example/health/",
    "http://evil.example/voice",
    "http://evil.example//voice",
    "/?key=x",
    "//evil.example/?key=x",
    "/voice/?key=x",
)


async def asked(served: Served, line: str, *headers: str) -> httpx.Headers:
    """The headers of the answer to a request, with its status as the header "status"."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write("\r\n".join([line, *headers, "Connection: close", "", ""]).encode())
    head, _, _ = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.split(b"\r\n")
    found = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    return httpx.Headers([*found, (b"status", status.split()[1])])


async def answers(served: Served) -> AsyncIterator[httpx.Headers]:
    """The headers of the answers by every route to every method, and of those to what is nothing."""
    paths = [route.path for route in served.server.routes if isinstance(route, Route)]
    for path in [*paths, "/nothing", "/voice", MEDIA]:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            yield await asked(served, f"{method} {path} HTTP/1.1", "Host: evil.example", *TUNNEL_LINES)
    yield await asked(served, "BREW /health HTTP/1.1")
    yield await asked(served, "GET /health HTTP/1.1", "X: " + "x" * 40_000)
    yield await asked(served, "GET /wrong HTTP/1.1", "Host: evil.example", *UPGRADE)
    yield await asked(served, f"GET {MEDIA} HTTP/1.1", "Host: evil.example", *UPGRADE, "X-Twilio-Signature: wrong")


TUNNEL_LINES = [f"{name}: {value}" for name, value in TUNNEL.items()]
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
)


@pytest.mark.parametrize("config", [Config(), Config(public_ws_url=PUBLIC)], ids=["here", "at a prefix"])
def test_no_redirect_is_made_of_what_a_request_names(config: Config) -> None:
    async def main() -> None:
        async with serving(config=config) as served:
            for target in TARGETS:
                for method in ("GET", "POST"):
                    answer = await asked(served, f"{method} {target} HTTP/1.1", "Host: evil.example")
                    location = answer.get("Location", "./")
                    assert location in ("./", "/voice/"), (target, location)

    run(main())


def test_no_answer_is_guessed_by_a_browser_or_kept_by_a_cache() -> None:
    async def main() -> None:
        async with serving(config=Config(public_ws_url=PUBLIC)) as served:
            async for answer in answers(served):
                if answer["status"] in ("400", "403", "431") and answer["Content-Length"] == "0":
                    continue  # the protocol's own, without content
                assert answer.get("X-Content-Type-Options") == "nosniff", answer
                assert answer.get("Cache-Control") in ("no-store", "no-cache"), answer

    run(main())


def test_answers_with_tokens_are_kept_by_no_cache() -> None:
    config = Config(public_ws_url=PUBLIC, provider_config=(TwilioSettings(auth_token="12345"),))
    form = {"CallSid": call_id(), "From": FROM, "To": TO}

    async def main() -> None:
        async with (
            serving(config=config) as served,
            httpx.AsyncClient(base_url=served.http, headers=served.operator) as client,
        ):
            document = await client.post("/sip/twilio/answer", data=form)
            assert "token" in document.text
            assert document.headers["Cache-Control"] == "no-store"
            refused = await client.post("/api/offer", json={"sdp": "v=0", "type": "offer"})
            assert refused.headers["Cache-Control"] == "no-store"

    run(main())


def test_the_page_connects_to_its_own_server_alone() -> None:
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as client:
            policy = dict(
                part.strip().split(" ", 1)
                for part in (await client.get("/")).headers["Content-Security-Policy"].split(";")
            )
            assert policy["connect-src"] == policy["default-src"] == "'self'"
            assert {"'unsafe-inline'", "*", "data:", "ws:", "wss:"}.isdisjoint(" ".join(policy.values()).split())

    run(main())
