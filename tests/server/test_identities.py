"""Who comes in from a browser where providers of identities are named, through the running server: 401, 4001, and whom
the pipeline sees."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from auth.issuing import AUDIENCE, EMAIL, Issuer, issuing
from server.serving import TUNNEL, Served, carrier, closing, dialled, hears, run, serving, until
from server.test_signaling_socket import peer
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from websockets.asyncio.client import ClientConnection, connect

from voiceflow import Call, Element
from voiceflow.auth import AuthResult, Bearer, CloudflareAccess, NoAuth
from voiceflow.auth.provider import Scope
from voiceflow.config.settings import Config

ANN, BOB = {"Authorization": "Bearer ann's"}, {"Authorization": "Bearer bob's"}
BEARER = Bearer({"ann": "ann's", "bob": "bob's"})
CONFIG = Config(auth=(BEARER,))


class Users:
    """A pipeline that notes whom it sees."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, call: Call) -> Element:
        if call.transport == "webrtc" and call.user is not None:
            self.seen.append(call.user)
        return call.source | call.sink


@contextlib.asynccontextmanager
async def client(served: Served, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.http, headers=headers) as client:
        yield client


def browser(served: Served, query: str = "", **headers: str) -> Any:
    return connect(f"ws://127.0.0.1:{served.port}/ws{query}", additional_headers=headers, proxy=None)


async def ask(socket: ClientConnection, **message: object) -> dict[str, Any]:
    await socket.send(json.dumps(message))
    answer: dict[str, Any] = json.loads(await socket.recv())
    return answer


async def up(caller: RTCPeerConnection, sdp: str) -> None:
    await caller.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    await until(lambda: caller.connectionState == "connected")


def test_what_browsers_use_needs_an_identity() -> None:
    async def main() -> None:
        async with serving(config=CONFIG) as served, client(served) as stranger, client(served, **ANN) as ann:
            for path in ("/", "/page.js", "/api/about", "/nothing", "/healthy"):
                refused = await stranger.get(path)
                assert (refused.status_code, refused.json()) == (401, {"error": "Unauthorized"}), path
                assert (await ann.get(path)).status_code == (200 if path in ("/", "/page.js", "/api/about") else 404)
            for path in ("/api/offer", "/whip", "/api/offer/x", "/whip/x"):
                for method in ("GET", "POST", "PATCH", "DELETE", "OPTIONS"):
                    assert (await stranger.request(method, path)).status_code == 401
            for path in ("/ws", "/nothing"):
                async with connect(f"ws://127.0.0.1:{served.port}{path}") as socket:
                    assert await closing(socket) == (4001, "Unauthorized")
            async with browser(served, "?token=ann's") as socket:
                assert await ask(socket, type="ping") == {"type": "pong"}

    run(main())


def test_carriers_and_the_state_are_not_asked_for_an_identity() -> None:
    async def main() -> None:
        async with serving(config=CONFIG) as served, client(served) as stranger, client(served, **ANN) as ann:
            assert (await stranger.get("/health")).json()["dids"] == 0
            assert (await ann.get("/health")).json()["dids"] == 0
            unsigned = await stranger.post("/sip/twilio/answer", data={"CallSid": "CA1"})
            assert unsigned.status_code == 403
            async with dialled(served.media) as websocket:
                for message in carrier().hello():
                    await websocket.send(message)
                assert (await closing(websocket))[0] == 1008
            async with dialled(served.media, additional_headers=served.operator) as websocket:
                assert await hears(websocket, carrier())

    run(main())


def test_an_identity_does_not_make_the_operator() -> None:
    async def main() -> None:
        async with serving(config=CONFIG) as served, client(served, **ANN) as ann:
            answer = await ann.post("/sip/twilio/answer", data={"CallSid": "CA1", "From": "+1", "To": "+2"})
            assert answer.status_code == 403
            async with dialled(served.media, additional_headers=ANN) as websocket:
                for message in carrier().hello():
                    await websocket.send(message)
                assert (await closing(websocket))[0] == 1008
            assert isinstance((await ann.get("/health")).json()["dids"], int)

    run(main())


def test_whoever_runs_the_server_still_opens_the_page() -> None:
    async def main() -> None:
        async with serving(config=CONFIG) as served, client(served) as browser_of_ours:
            secret = served.operator["Authorization"].removeprefix("Bearer ")
            assert (await browser_of_ours.get("/", params={"key": secret + "x"})).status_code == 401
            assert (await browser_of_ours.get("/page.js", params={"key": secret})).status_code == 401
            assert (await browser_of_ours.get("/", params={"key": secret})).status_code == 303
            assert (await browser_of_ours.get("/")).status_code == 200
            assert (await browser_of_ours.get("/page.js")).status_code == 200

    run(main())


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_origin_may_not_call_in_the_name_of_its_visitor(origin: str) -> None:
    async def main() -> None:
        async with issuing() as issuer:
            cookie = {"Cookie": f"CF_Authorization={issuer.token()}"}
            config = Config(auth=(CloudflareAccess(issuer.url, AUDIENCE),))
            async with serving(config=config) as served, client(served, **cookie) as visitor:
                own = {"Origin": served.http}
                assert (await visitor.post("/whip", headers=own)).status_code == 400
                assert (await visitor.post("/whip", headers={"Origin": origin})).status_code == 401
                async with browser(served, **cookie, Origin=origin) as socket:
                    assert await closing(socket) == (4001, "Unauthorized")
                async with browser(served, **cookie, **own) as socket:
                    assert await ask(socket, type="ping") == {"type": "pong"}

    run(main())


def test_a_page_of_an_allowed_origin_calls_with_its_token_and_reads_why_it_may_not() -> None:
    page = {"Origin": "https://app.example.com"}
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}

    async def main() -> None:
        config = Config(auth=(BEARER,), allowed_origins=("https://app.example.com",))
        async with serving(config=config) as served, client(served, **page) as visitor:
            preflight = await visitor.options("/api/offer", headers=asks)
            assert preflight.status_code == 200
            refused = await visitor.post("/api/offer", json={})
            assert refused.status_code == 401
            for answer in (preflight, refused):
                assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
            assert (await visitor.post("/api/offer", json={}, headers=ANN)).status_code == 400

    run(main())


@pytest.mark.parametrize("way", ["/ws", "/api/offer", "/whip"])
def test_the_pipeline_sees_who_calls(way: str) -> None:
    users = Users()

    async def main() -> None:
        async with issuing() as issuer:
            config = Config(auth=(BEARER, CloudflareAccess(issuer.url, AUDIENCE)))
            token = {"Cf-Access-Jwt-Assertion": issuer.token(name="Ann")}
            async with serving(users, config) as served, peer() as caller, client(served, **token) as http:
                sdp = caller.localDescription.sdp
                if way == "/ws":
                    async with browser(served, **token) as socket:
                        answer = (await ask(socket, type="webrtc_offer", sdp=sdp))["sdp"]
                elif way == "/whip":
                    headers = {"Content-Type": "application/sdp"}
                    answer = (await http.post(way, content=sdp, headers=headers)).text
                else:
                    answer = (await http.post(way, json={"sdp": sdp, "type": "offer"})).json()["sdp"]
                await up(caller, answer)
                await until(lambda: bool(users.seen))

    run(main())
    (user,) = users.seen
    expected = (True, "user-1", EMAIL, "Ann", "cloudflare_access")
    assert (user.authenticated, user.user_id, user.user_email, user.user_name, user.provider) == expected


def test_the_operators_own_call_says_so() -> None:
    users = Users()

    async def main() -> None:
        async with serving(users, CONFIG) as served, peer() as caller, browser(served, **served.operator) as socket:
            answer = await ask(socket, type="webrtc_offer", sdp=caller.localDescription.sdp)
            await up(caller, answer["sdp"])
            await until(lambda: bool(users.seen))

    run(main())
    assert users.seen == [AuthResult(True, provider="operator")]


def test_a_call_is_gone_on_with_by_whoever_began_it_alone() -> None:
    async def main() -> None:
        async with (
            serving(config=CONFIG) as served,
            peer() as caller,
            client(served, **ANN) as ann,
            client(served, **BOB) as bob,
            client(served, **served.operator) as operator,
        ):
            sdp = caller.localDescription.sdp
            began = await ann.post("/whip", content=sdp, headers={"Content-Type": "application/sdp"})
            place = began.headers["Location"]
            await up(caller, began.text)
            fragment = {"content": "a=mid:0\r\n", "headers": {"Content-Type": "application/trickle-ice-sdpfrag"}}
            candidates = {"pc_id": place.rpartition("/")[2], "candidates": []}
            for other in (bob, operator):
                assert (await other.patch(place, **fragment)).status_code == 404
                assert (await other.patch("/api/offer", json=candidates)).status_code == 404
                assert (await other.delete(place)).status_code == 404
            assert await served.active_calls() == 1
            async with browser(served, **BOB) as socket, peer() as another:
                offer = {"type": "webrtc_offer", "sdp": another.localDescription.sdp, "pc_id": candidates["pc_id"]}
                assert (await ask(socket, **offer))["pc_id"] != candidates["pc_id"]
            assert (await ann.patch(place, **fragment)).status_code == 204
            assert (await ann.patch("/api/offer", json=candidates)).status_code == 200
            assert (await ann.delete(place)).status_code == 200

    run(main())


@pytest.mark.parametrize("way", ["/ws", "/whip"])
def test_a_socket_and_a_call_end_with_the_identity(way: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    expires = 0.0

    async def authorize(scope: Scope) -> AuthResult | None:
        return AuthResult(True, "ann", expires=expires)

    async def main() -> None:
        nonlocal expires
        async with serving(authorize=authorize) as served, peer() as caller, client(served) as http:
            sdp = caller.localDescription.sdp
            expires = time.time() + 3.0
            if way == "/ws":
                async with browser(served) as socket:
                    answer = (await ask(socket, type="webrtc_offer", sdp=sdp))["sdp"]
                    await caller.setRemoteDescription(RTCSessionDescription(answer, "answer"))
                    assert await closing(socket) == (4001, "the identity has expired")
            else:
                answer = (await http.post(way, content=sdp, headers={"Content-Type": "application/sdp"})).text
                await caller.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            await until(lambda: "ended: the identity has expired" in caplog.text and not served.server.calls.active)

    run(main())


def test_a_path_that_is_excluded_is_open_to_be_seen_and_not_to_call() -> None:
    async def main() -> None:
        config = Config(auth=(BEARER,), auth_exclude=("/page.js", "/ws", "/whip"))
        async with serving(config=config) as served, client(served) as stranger:
            assert (await stranger.get("/page.js")).status_code == 200
            assert (await stranger.get("/")).status_code == 401
            assert (await stranger.post("/whip")).status_code == 403
            async with browser(served) as socket:
                assert (await closing(socket))[0] == 1008

    run(main())


def test_where_everybody_is_admitted_pages_of_other_origins_are_not() -> None:
    users = Users()

    async def main() -> None:
        async with serving(users, Config(auth=(NoAuth(),))) as served, peer() as caller:
            async with browser(served, **TUNNEL, Origin="https://evil.example") as socket:
                assert await closing(socket) == (4001, "Unauthorized")
            async with browser(served, **TUNNEL) as socket:
                answer = await ask(socket, type="webrtc_offer", sdp=caller.localDescription.sdp)
                await up(caller, answer["sdp"])
                await until(lambda: bool(users.seen))

    run(main())
    assert users.seen == [AuthResult(True, provider="none")]


def test_below_a_prefix_all_is_the_same() -> None:
    async def main() -> None:
        config = Config(auth=(BEARER,), public_ws_url="wss://calls.example.com/voice/sip/media-stream")
        async with serving(config=config) as served, client(served) as stranger, client(served, **ANN) as ann:
            for prefix in ("", "/voice"):
                assert (await stranger.get(f"{prefix}/")).status_code == 401
                assert (await stranger.get(f"{prefix}/health")).status_code == 200
                assert (await stranger.get(f"{prefix}/health/../page.js")).status_code == 401
                assert (await stranger.post(f"{prefix}/whip")).status_code == 401
                assert (await ann.get(f"{prefix}/")).status_code == 200
                assert (await stranger.get(f"{prefix}/", params={"key": secret(served)})).status_code == 303
                stranger.cookies.clear()

    run(main())


def secret(served: Served) -> str:
    return served.operator["Authorization"].removeprefix("Bearer ")


def test_without_the_issuers_keys_nobody_comes_in() -> None:
    async def main() -> None:
        async with issuing() as issuer:
            issuer.status = 500
            config = Config(auth=(CloudflareAccess(issuer.url, AUDIENCE),))
            async with serving(config=config) as served, client(served) as http:
                token = {"Cf-Access-Jwt-Assertion": issuer.token()}
                assert (await http.get("/", headers=token)).status_code == 401
                assert (await http.get("/", headers=served.operator)).status_code == 200

    run(main())


def test_tokens_reach_no_log_at_any_level(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with issuing() as issuer:
            config = Config(auth=(BEARER, CloudflareAccess(issuer.url, AUDIENCE)))
            async with serving(config=config) as served, client(served) as http:
                wrong = Issuer.token(issuer, aud="another")
                for token in (wrong, "ann's-and-more"):
                    await http.get("/", params={"google_jwt": token, "token": token, "key": token})
                    await http.get("/nothing", headers={"Authorization": f"Bearer {token}"})
                    async with browser(served, f"?token={token}&google_jwt={token}") as socket:
                        await closing(socket)
                async with browser(served, "?token=ann's") as socket:
                    await ask(socket, type="ping")
                reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
                writer.write(f"GET /?token={wrong} HTP/1.1\r\n\r\n".encode())
                await reader.read()
                writer.close()
                clients = ("httpx", "httpcore", "websockets")  # those of this test
                lines = [each.getMessage() for each in caplog.records if not each.name.startswith(clients)]
                text = "\n".join(lines) + "".join(capfd.readouterr())
                for part in ("ann's", *wrong.split(".")):
                    assert part not in text

    run(main())


@pytest.mark.parametrize("path", ["/health/callers", "/ready/x", "/sip/twilio/answer/log", "/%68ealth/callers"])
def test_routes_below_what_is_open_of_ours_are_not(path: str) -> None:
    async def own(request: Request) -> Response:
        return PlainTextResponse("own")

    async def main() -> None:
        routes = [Route(path.replace("%68", "h"), own)]
        async with serving(config=CONFIG, beside=routes) as served, client(served) as http:
            assert (await http.get(path)).status_code == 401
            assert (await http.get(path, headers=ANN)).text == "own"

    run(main())


def test_routes_beside_ours_learn_who_asks() -> None:
    async def who(request: Request) -> Response:
        return PlainTextResponse(request.user.user_id)

    async def main() -> None:
        async with serving(config=CONFIG, beside=[Route("/own", who)]) as served, client(served) as http:
            assert (await http.get("/own")).status_code == 401
            assert (await http.get("/own", headers=ANN)).text == "ann"

    run(main())
