"""Calls by WHIP (RFC 9725): a real server, aiortc in the client's place."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from server.serving import run, serving, until
from webrtc.browser import Browser

from voiceflow.config.ice import StaticServers
from voiceflow.config.settings import Config
from voiceflow.server.whip import read_fragment

OFFER = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


@pytest.mark.parametrize("path", ["/whip", "/api/offer"])
def test_an_offer_gets_a_call_at_an_address_where_it_can_be_ended(path: str) -> None:
    async def main() -> None:
        async with (
            serving() as served,
            Browser(channel=False) as client,
            httpx.AsyncClient(base_url=served.http) as http,
        ):
            answer = await http.post(path, content=await client.offer(), headers=OFFER)
            assert answer.status_code == 201
            assert answer.headers["Content-Type"] == "application/sdp"
            assert answer.headers["ETag"]
            resource = answer.headers["Location"]
            assert resource.startswith(f"{path}/")
            await client.accept(answer.text)
            await until(lambda: len(client.heard()) > 0)
            assert (await http.delete(resource)).status_code == 200
            await until(lambda: not served.server.calls.active)
            assert (await http.delete(resource)).status_code == 404

    run(main())


def test_candidates_come_in_a_fragment_and_the_call_connects_by_them() -> None:
    async def main() -> None:
        async with serving() as served, Browser() as client, httpx.AsyncClient(base_url=served.http) as http:
            lines = (await client.offer()).splitlines(keepends=True)
            username = next(line for line in lines if line.startswith("a=ice-ufrag"))
            found = [line for line in lines if line.startswith("a=candidate")]
            offer = "".join(line for line in lines if "candidate" not in line)
            answer = await http.post("/whip", content=offer, headers=OFFER)
            resource, tag = answer.headers["Location"], answer.headers["ETag"]
            fragment = "".join([username, "m=audio 9 RTP/AVP 0\r\n", "a=mid:0\r\n", *found, "a=end-of-candidates\r\n"])
            for headers in (FRAGMENT, FRAGMENT | {"If-Match": tag}):
                assert (await http.patch(resource, content=fragment, headers=headers)).status_code == 204
            await client.accept(answer.text)
            await until(lambda: len(client.heard()) > 0)

            async def refused(text: str, **headers: str) -> int:
                return (await http.patch(resource, content=text, headers=FRAGMENT | headers)).status_code

            assert await refused(fragment, **{"If-Match": '"another"'}) == 412
            assert await refused(fragment, **{"Content-Type": "text/plain"}) == 415
            assert await refused("a=ice-ufrag:another\r\n") == 422
            assert await refused("a=candidate:nonsense\r\n") == 400
            assert (await http.get(resource)).status_code == 405

    run(main())


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        (b"", "expected a session description"),
        (b'{"sdp": "v=0"}', "expected a session description"),
        (b"\xff", "UTF-8"),
        (b"v=0\r\n" * 20_000, "at most 65536 bytes"),
    ],
)
def test_what_is_no_offer_is_refused_with_a_reason(offer: bytes, words: str) -> None:
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as http:
            answer = await http.post("/whip", content=offer, headers=OFFER)
            assert answer.status_code == 400
            assert words in answer.json()["error"]

    run(main())


def test_the_answer_names_the_stun_and_turn_servers() -> None:
    async def main() -> None:
        turn = StaticServers(urls=("turn:127.0.0.1:9?transport=tcp",), username="ann", credential="north")
        config = Config(ice=(StaticServers(urls=("stun:127.0.0.1:9",)), turn))
        async with serving(config=config) as served, Browser() as client, httpx.AsyncClient(timeout=20) as http:
            answer = await http.post(f"{served.http}/whip", content=await client.offer(), headers=OFFER)
            assert answer.headers.get_list("Link") == [
                '<stun:127.0.0.1:9>; rel="ice-server"',
                '<turn:127.0.0.1:9?transport=tcp>; rel="ice-server"; username="ann"; credential="north"; '
                'credential-type="password"',
            ]

    run(main())


def test_what_may_be_posted_and_patched_is_said() -> None:
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as http:
            assert (await http.options("/whip")).headers["Accept-Post"] == OFFER["Content-Type"]
            assert (await http.options("/whip/abc")).headers["Accept-Patch"] == FRAGMENT["Content-Type"]

    run(main())


def test_a_fragment_is_read_line_by_line() -> None:
    text = "a=ice-ufrag:EsAw\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 2 192.0.2.1 61764 typ host\r\n"
    assert read_fragment(text) == ("EsAw", [("candidate:1 1 udp 2 192.0.2.1 61764 typ host", "0")])


@given(st.text())
def test_any_text_can_be_read_as_a_fragment(text: str) -> None:
    read_fragment(text)
