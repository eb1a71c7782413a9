"""How often calls may be offered."""

from __future__ import annotations

import ipaddress
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from server.serving import TUNNEL, run, serving
from websockets.asyncio.client import connect

from voiceflow.server.offer_rates import (
    BURST,
    BURST_OF_PEER,
    RATE,
    RATE_OF_PEER,
    OfferRates,
    TooManyOffersError,
    network_of,
)

SDP = {"Content-Type": "application/sdp"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(rates: OfferRates, peer: str, offers: int) -> int:
    """How many of so many offers are taken."""
    count = 0
    for _ in range(offers):
        try:
            rates.take(peer)
        except TooManyOffersError:
            continue
        count += 1
    return count


def test_an_offer_that_is_too_many_is_answered_429_with_the_time_to_wait_and_costs_strangers_nothing() -> None:
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as client:
            for _ in range(2 * BURST):
                assert (await client.post("/whip", content="v=1", headers=SDP | TUNNEL)).status_code == 403
            for number in range(BURST_OF_PEER):
                path = ("/whip", "/api/offer")[number % 2]
                assert (await client.post(path, content="v=1", headers=SDP)).status_code == 400
            statuses = set()
            for path, body in (("/whip", "v=1"), ("/api/offer", '{"sdp": "v=1"}')) * 10:
                answer = await client.post(path, content=body, headers=SDP if path == "/whip" else {})
                statuses.add(answer.status_code)
                if answer.status_code == 429:
                    assert answer.headers["Retry-After"] == "1"
                    assert "call again in 1 s" in answer.json()["error"]
            assert 429 in statuses

    run(main())


def test_over_the_websocket_an_offer_that_is_too_many_is_answered_by_an_error() -> None:
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as client:
            for _ in range(BURST_OF_PEER + 20):
                await client.post("/whip", content="v=1", headers=SDP)
            async with connect(f"ws://127.0.0.1:{served.port}/ws") as socket:
                told = []
                for _ in range(15):
                    await socket.send('{"type": "webrtc_offer", "sdp": "v=1"}')
                    told.append(json.loads(await socket.recv()))
                assert {each["type"] for each in told} == {"error"}
                assert any("too many calls" in each["message"] for each in told)
                await socket.send('{"type": "ping"}')
                assert json.loads(await socket.recv()) == {"type": "pong"}

    run(main())


def test_a_peer_has_its_burst_and_then_its_rate_whatever_it_tries() -> None:
    rates = OfferRates(clock := Clock())
    assert taken(rates, "a", 1000) == BURST_OF_PEER
    with pytest.raises(TooManyOffersError) as refused:
        rates.take("a")
    assert refused.value.seconds == 1
    clock.now += 10.0
    assert taken(rates, "a", 1000) == 10 * RATE_OF_PEER
    assert taken(rates, "b", 1) == 1
    clock.now += 3600.0
    assert taken(rates, "a", 1000) == BURST_OF_PEER


def test_all_peers_together_have_a_rate_and_few_of_them_are_remembered() -> None:
    rates = OfferRates(clock := Clock())
    assert sum(taken(rates, str(peer), 3) for peer in range(10_000)) == BURST
    for second in range(100):
        clock.now += 1.0
        assert sum(taken(rates, f"{second} {peer}", 1) for peer in range(100)) == RATE
        assert len(rates) <= BURST + RATE * (BURST_OF_PEER / RATE_OF_PEER)


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_of_ipv6_a_peer_is_its_network(address: object, other: int) -> None:
    host = int(address)  # type: ignore[call-overload]
    if host >> 32 == 0xFFFF:
        return
    neighbour = ipaddress.IPv6Address(host >> 64 << 64 | other)
    if not neighbour.ipv4_mapped:
        assert network_of(str(neighbour)) == network_of(str(address)) == network_of(f"{address}%eth0")
    assert network_of(str(ipaddress.IPv6Address(host ^ 1 << 64))) != network_of(str(address))


def test_of_ipv4_a_peer_is_its_address_however_it_is_written() -> None:
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("unix") == "unix"
