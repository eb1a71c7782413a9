"""Calls that are set up by HTTP, and what becomes of a call's further offers: a real server, aiortc in the browser's
place."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from server.serving import Served, run, serving, until
from webrtc.browser import Browser
from websockets.asyncio.client import connect

from voiceflow.config.settings import Config

PAGE = "https://app.example.com"


async def post(served: Served, sdp: str, **more: Any) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{served.http}/api/offer", json={"sdp": sdp, "type": "offer", **more})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["type"] == "answer"
    return body


async def calling(served: Served, browser: Browser) -> str:
    """Have `browser` call. Returns the call's id."""
    body = await post(served, await browser.offer(), pc_id=None, restart_pc=False)
    await browser.accept(body["sdp"])
    await until(lambda: len(browser.heard()) > 0)
    return str(body["pc_id"])


def test_a_further_offer_of_a_call_is_of_that_call() -> None:
    async def main() -> None:
        async with serving() as served, Browser() as browser:
            id = await calling(served, browser)
            browser.connection.getTransceivers()[0].direction = "recvonly"
            body = await post(served, await browser.offer(), pc_id=id, restart_pc=False)
            assert body["pc_id"] == id
            assert "a=sendonly" in body["sdp"]
            await browser.accept(body["sdp"])
            heard = len(browser.heard())
            await until(lambda: len(browser.heard()) > heard)
            assert await served.active_calls() == 1

    run(main())


@pytest.mark.parametrize("restart", [True, False])
def test_the_offer_of_a_new_connection_takes_the_call_over(restart: bool) -> None:
    """Whether `restart_pc` says so, or the certificate alone, as of a client that has lost its connection."""

    async def main() -> None:
        async with serving() as served, Browser() as old, Browser() as new:
            id = await calling(served, old)
            body = await post(served, await new.offer(), pc_id=id, restart_pc=restart)
            assert body["pc_id"] == id
            await new.accept(body["sdp"])
            await until(lambda: len(new.heard()) > 0)
            await until(lambda: old.connection.connectionState == "closed")
            assert await served.active_calls() == 1
            new.send(type="hangup")
            await until(lambda: not served.server.calls.active)

    run(main())


def test_an_offer_with_the_id_of_a_call_that_is_over_is_a_new_call() -> None:
    async def main() -> None:
        async with serving() as served, Browser() as browser:
            body = await post(served, await browser.offer(), pc_id="0" * 32, restart_pc=True)
            assert body["pc_id"] != "0" * 32
            await browser.accept(body["sdp"])
            await until(lambda: len(browser.heard()) > 0)

    run(main())


def test_an_offer_that_cannot_be_used_leaves_the_call_as_it_is() -> None:
    async def main() -> None:
        async with serving() as served, Browser() as browser, httpx.AsyncClient(base_url=served.http) as client:
            id = await calling(served, browser)
            answer = await client.post("/api/offer", json={"sdp": "v=1", "pc_id": id, "restart_pc": True})
            assert answer.status_code == 400
            heard = len(browser.heard())
            await until(lambda: len(browser.heard()) > heard)

    run(main())


def test_further_offers_on_a_websocket_are_of_its_call_and_on_another_of_the_call_that_they_name() -> None:
    async def main() -> None:
        async with serving() as served, Browser() as first, Browser() as second, Browser() as third:
            calls = set()
            async with connect(f"ws://127.0.0.1:{served.port}/ws") as socket:
                for browser in (first, second):
                    await socket.send(json.dumps({"type": "webrtc_offer", "sdp": await browser.offer()}))
                    answer = json.loads(await socket.recv())
                    await browser.accept(answer["sdp"])
                    await until(lambda browser=browser: len(browser.heard()) > 0)  # type: ignore[misc]
                    calls.add(answer["pc_id"])
            async with connect(f"ws://127.0.0.1:{served.port}/ws") as socket:
                offer = {"type": "webrtc_offer", "sdp": await third.offer(), "pc_id": answer["pc_id"]}
                await socket.send(json.dumps(offer))
                answer = json.loads(await socket.recv())
                await third.accept(answer["sdp"])
                await until(lambda: len(third.heard()) > 0)
                calls.add(answer["pc_id"])
                assert len(calls) == 1
                assert await served.active_calls() == 1
                await socket.send('{"type": "hangup"}')
                await until(lambda: not served.server.calls.active)

    run(main())


def test_candidates_may_come_behind_the_offer() -> None:
    async def main() -> None:
        async with serving() as served, Browser() as browser, httpx.AsyncClient(base_url=served.http) as client:
            lines = (await browser.offer()).splitlines(keepends=True)
            body = await post(served, "".join(line for line in lines if "candidate" not in line))
            found = [line.strip().removeprefix("a=") for line in lines if line.startswith("a=candidate")]
            ways: list[dict[str, Any]] = [
                {"sdp_mid": "0", "sdp_mline_index": 0},
                {"sdp_mid": None, "sdp_mline_index": 0},
                {},
            ]
            for way in ways:
                candidates = [{"candidate": candidate, **way} for candidate in [*found, ""]]
                answer = await client.patch("/api/offer", json={"pc_id": body["pc_id"], "candidates": candidates})
                assert (answer.status_code, answer.json()) == (200, {"status": "success"})
            await browser.accept(body["sdp"])
            await until(lambda: len(browser.heard()) > 0)

    run(main())


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "expected {pc_id, candidates}"),
        (b"\xff", 400, "UTF-8"),
        (b'{"candidates": []}', 400, "pc_id"),
        (b'{"pc_id": "abc", "candidates": []}', 404, "there is no call 'abc'"),
        (b'{"pc_id": "abc", "candidates": [{"candidate": 5}]}', 400, "candidate"),
    ],
)
def test_candidates_that_are_wrong_are_refused(body: bytes, status: int, words: str) -> None:
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as client:
            answer = await client.patch("/api/offer", content=body)
            assert answer.status_code == status
            assert words in answer.json()["error"]

    run(main())


def test_a_candidate_that_cannot_be_read_is_refused_and_the_call_goes_on() -> None:
    async def main() -> None:
        async with serving() as served, Browser() as browser, httpx.AsyncClient(base_url=served.http) as client:
            id = await calling(served, browser)
            wrong = {"pc_id": id, "candidates": [{"candidate": "candidate:nonsense", "sdp_mid": "0"}]}
            answer = await client.patch("/api/offer", json=wrong)
            assert answer.status_code == 400
            assert "expected an ICE candidate" in answer.json()["error"]
            assert await served.active_calls() == 1

    run(main())


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


def test_pages_of_allowed_origins_may_call_and_read_the_answer_and_no_others() -> None:
    async def main() -> None:
        config = Config(allowed_origins=(PAGE,))
        async with serving(config=config) as served, httpx.AsyncClient(base_url=served.http) as client:
            for path in ("/api/offer", "/whip"):
                asked = await client.options(path, headers={"Origin": PAGE, **PREFLIGHT})
                assert asked.status_code == 200
                assert asked.headers["Access-Control-Allow-Origin"] == PAGE
                assert "PATCH" in asked.headers["Access-Control-Allow-Methods"]
                assert asked.headers["Access-Control-Allow-Headers"] == "content-type"
            answer = await client.post("/api/offer", json={"sdp": "v=1"}, headers={"Origin": PAGE})
            assert answer.status_code == 400  # it may, but cannot
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE
            other = {"Origin": "https://app.example.org"}
            assert (
                "Access-Control-Allow-Origin" not in (await client.options("/whip", headers=other | PREFLIGHT)).headers
            )
            answer = await client.post("/api/offer", json={"sdp": "v=1"}, headers=other)
            assert answer.status_code == 403
            assert "Access-Control-Allow-Origin" not in answer.headers
            url = f"ws://127.0.0.1:{served.port}/ws"
            async with connect(url, additional_headers={"Origin": PAGE}) as socket:
                await socket.send('{"type": "ping"}')
                assert json.loads(await socket.recv()) == {"type": "pong"}

    run(main())


def test_no_page_elsewhere_may_read_anything_unless_it_is_configured() -> None:
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as client:
            asked = await client.options("/api/offer", headers={"Origin": PAGE, **PREFLIGHT})
            assert not [name for name in asked.headers if name.lower().startswith("access-control")]

    run(main())
