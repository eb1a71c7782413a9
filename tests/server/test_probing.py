"""Where an offer makes us send packets: real UDP sockets in the place of what is at its candidates."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
from aioice import stun
from aioice.ice import get_host_addresses
from hypothesis import given
from hypothesis import strategies as st
from server.serving import TUNNEL, Served, run, serving
from webrtc.browser import Browser

from voiceflow.transports.webrtc.offer import MOST_CANDIDATES, MOST_LINES, MOST_MEDIA, OfferError, read_offer

SDP = {"Content-Type": "application/sdp"}


class Target(asyncio.DatagramProtocol):
    """Something at an address. Knows for whom the checks were that came."""

    def __init__(self) -> None:
        self.checks: asyncio.Queue[str] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.checks.put_nowait(stun.parse_message(data).attributes["USERNAME"].partition(":")[0])


@asynccontextmanager
async def target(host: str) -> Any:
    """A target and its candidate."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Target, (host, 0))
    try:
        yield protocol, candidate(host, transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


def candidate(host: str, port: int, foundation: int = 1) -> str:
    return f"candidate:{foundation} 1 udp 2130706431 {host} {port} typ host"


async def offer(username: str, *candidates: str, media: int = 1) -> str:
    """A browser's offer, with its ICE credentials and candidates replaced by these."""
    async with Browser(channel=False) as browser:
        lines = (await browser.offer()).splitlines()
    shown = [line for line in lines if "candidate" not in line]
    audio = next(number for number, line in enumerate(shown) if line.startswith("m="))
    further = ["m=video 0 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=rtpmap:96 VP8/90000"] * (media - 1)
    text = "\r\n".join([*shown, *(f"a={each}" for each in candidates), *further, ""])
    assert audio
    return re.sub(r"a=ice-ufrag:\S+", f"a=ice-ufrag:{username}", text)


@pytest.fixture(params=["127.0.0.1", "elsewhere"])
def host(request: pytest.FixtureRequest) -> str:
    """Where a browser may be: on this machine, and at an address of the network."""
    if request.param == "elsewhere":
        return next(iter(get_host_addresses(use_ipv4=True, use_ipv6=False)), "127.0.0.1")
    return str(request.param)


def test_only_who_is_admitted_has_us_send_packets(host: str) -> None:
    async def main() -> None:
        async with target(host) as (double, where), serving() as served, httpx.AsyncClient() as client:
            strange = await offer("strange", where)
            for path, what in (
                ("/whip", {"content": strange, "headers": SDP | TUNNEL}),
                ("/api/offer", {"json": {"sdp": strange, "type": "offer"}, "headers": TUNNEL}),
                ("/api/offer", {"json": {"sdp": strange, "type": "offer"}, "headers": {"Origin": "https://a.example"}}),
            ):
                assert (await client.post(served.http + path, **what)).status_code == 403
            assert (await client.post(f"{served.http}/whip", content=strange[:200], headers=SDP)).status_code == 400
            answer = await client.post(f"{served.http}/whip", content=await offer("known", where), headers=SDP)
            assert answer.status_code == 201
            assert {await double.checks.get() for _ in range(3)} == {"known"}

    run(main())


def test_a_browser_elsewhere_has_us_send_nothing_to_this_machines_own_address() -> None:
    host = next(iter(get_host_addresses(use_ipv4=True, use_ipv6=False)), None)
    if host is None:
        pytest.skip("this machine has no address but loopback")

    async def main() -> None:
        async with (
            target("127.0.0.1") as (loopback, inner),
            target(host) as (network, outer),
            serving(open=True) as served,
            httpx.AsyncClient() as client,
        ):
            sdp = await offer("known", inner, inner.replace("127.0.0.1", "::ffff:127.0.0.1"), outer)
            answer = await client.post(f"{served.http}/whip", content=sdp, headers=SDP | TUNNEL)
            assert answer.status_code == 201
            for _ in range(3):
                await network.checks.get()
            assert loopback.checks.empty()

    run(main())


async def patch(client: httpx.AsyncClient, id: str, *candidates: str) -> httpx.Response:
    found = [{"candidate": each, "sdp_mid": "0"} for each in candidates]
    return await client.patch("/api/offer", json={"pc_id": id, "candidates": found})


async def begun(served: Served, client: httpx.AsyncClient, sdp: str) -> str:
    answer = await client.post("/api/offer", json={"sdp": sdp, "type": "offer"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["pc_id"])


def test_a_connection_has_so_many_candidates_with_those_that_come_later() -> None:
    """Repeated ones do not count; further offers, names and what is not used do."""

    async def main() -> None:
        first = [candidate("192.0.2.1", 1000 + number, number) for number in range(MOST_CANDIDATES - 3)]
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as client:
            sdp = await offer("known", *first)
            id = await begun(served, client, sdp)
            assert (await patch(client, id, *first)).status_code == 200
            assert (await patch(client, id, candidate("a.local", 1))).status_code == 200
            further = sdp + f"a={candidate('192.0.2.2', 0)}\r\n"
            assert (await client.post("/api/offer", json={"sdp": further, "pc_id": id})).status_code == 200
            assert (await patch(client, id, candidate("192.0.2.3", 1))).status_code == 200
            answer = await patch(client, id, candidate("192.0.2.4", 1))
            assert answer.status_code == 400
            assert "at most 32 candidates" in answer.json()["error"]
            fragment = "a=mid:0\r\na=" + candidate("192.0.2.5", 1)
            headers = {"Content-Type": "application/trickle-ice-sdpfrag"}
            assert (await client.patch(f"/whip/{id}", content=fragment, headers=headers)).status_code == 400

    run(main())


@contextmanager
def refused(what: str) -> Iterator[None]:
    with pytest.raises(OfferError, match=what):
        yield


def test_an_offer_has_so_many_lines_which_aiortc_compares_with_each_other() -> None:
    async def main() -> None:
        sdp = await offer("known")
        left = MOST_LINES - len(sdp.splitlines())
        lines = "".join(f"a=ssrc:{number} cname:x\r\n" for number in range(left + 1))
        read_offer(sdp + lines[: lines.rindex("a=")])
        with refused("at most 1000 lines; got 1001"):
            read_offer(sdp + lines)

    run(main())


def test_an_offer_has_so_many_candidates_and_media_lines() -> None:
    async def main() -> None:
        many = [candidate("192.0.2.1", 1000 + number) for number in range(MOST_CANDIDATES + 1)]
        read_offer(await offer("known", *many[1:], media=MOST_MEDIA))
        with refused("at most 32 candidates; got 33"):
            read_offer(await offer("known", *many))
        with refused("at most 8 media lines; got 9"):
            read_offer(await offer("known", media=MOST_MEDIA + 1))

    run(main())


@pytest.mark.parametrize(
    ("host", "port", "anywhere", "here"),
    [
        ("192.0.2.1", 5000, True, True),
        ("10.0.0.1", 1, True, True),
        ("2001:db8::1", 65535, True, True),
        ("fd00::1", 5000, True, True),
        ("127.0.0.1", 5000, False, True),
        ("127.9.9.9", 5000, False, True),
        ("::1", 5000, False, True),
        ("::ffff:127.0.0.1", 5000, False, True),
        ("169.254.169.254", 5000, False, True),
        ("fe80::1", 5000, False, True),
        ("192.0.2.1", 0, False, False),
        ("192.0.2.1", 65536, False, False),
        ("0.0.0.0", 5000, False, False),
        ("0.1.2.3", 5000, False, False),
        ("::", 5000, False, False),
        ("224.0.0.251", 5353, False, False),
        ("::ffff:224.0.0.251", 5353, False, False),
        ("ff02::fb", 5353, False, False),
        ("255.255.255.255", 5000, False, False),
        ("240.0.0.1", 5000, False, False),
        ("example.com", 5000, False, False),
        ("a.local", 5000, False, False),
        ("A.LOCAL.", 5000, False, False),
        ("2130706433", 5000, False, False),
        ("127.1", 5000, False, False),
    ],
)
def test_candidates_at_which_no_browser_can_be_are_left_out(host: str, port: int, anywhere: bool, here: bool) -> None:
    async def main() -> None:
        sdp = await offer("known", candidate(host, port))
        for local, expected in ((False, anywhere), (True, here)):
            read = read_offer(sdp, local=local)
            assert ("candidate" in read.sdp) is expected
            assert len(read.candidates) == 1

    asyncio.run(main())


@given(space=st.text(" \t", min_size=1, max_size=3), name=st.sampled_from(["a.local", "A.LoCaL", "x.y.local"]))
def test_no_name_is_looked_up_however_a_candidate_is_written(space: str, name: str) -> None:
    sdp = PLAIN + f"a=candidate:{space}1{space}1{space}udp{space}1{space}{name}{space}9{space}typ{space}host\r\n"
    read = read_offer(sdp)
    assert "candidate" not in read.sdp
    assert read.hidden == 1


PLAIN = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=rtpmap:96 opus/48000/2",
        "a=ice-ufrag:known",
        "a=ice-pwd:0123456789012345678901",
        f"a=fingerprint:sha-256 {':'.join(['00'] * 32)}",
        "a=setup:actpass",
        "",
    ]
)
