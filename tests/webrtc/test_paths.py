"""How a path to the browser is found, and what is said where there is none."""

from __future__ import annotations

import re

import pytest
from webrtc.browser import Browser, live, start, until

from voiceflow.errors import CallError
from voiceflow.transports.webrtc import connection as connections
from voiceflow.transports.webrtc.offer import OfferError, read_offer
from voiceflow.transports.webrtc.session import PeerSession

CANDIDATE = re.compile(r"a=candidate:(\S+ \S+ \S+ \S+) \S+ (\d+ typ host)")
HIDDEN = r"a=candidate:\1 5d4b8bd5-0000-4000-8000-37abc0d5e6f0.local \2"


def hidden(offer: str) -> str:
    """The offer of a browser that does not tell its addresses, and has no others, as Firefox makes it."""
    assert CANDIDATE.search(offer)
    offer = CANDIDATE.sub(HIDDEN, offer)
    return offer if "a=end-of-candidates" in offer else f"{offer}a=end-of-candidates\r\n"


def test_a_browser_whose_addresses_are_all_hidden_is_found_by_its_own_checks() -> None:
    async def main() -> None:
        async with Browser() as browser, await PeerSession.answer(hidden(await browser.offer())) as session:
            _, running = start(session)
            await browser.accept(session.sdp)
            await until(lambda: len(browser.heard()))
            browser.send(type="hangup")
            assert (await running).reason == "the caller hung up"

    live(main())


def test_a_hidden_address_that_comes_behind_the_offer_does_not_matter_either() -> None:
    async def main() -> None:
        async with Browser() as browser:
            lines = hidden(await browser.offer()).splitlines(keepends=True)
            bare = "".join(line for line in lines if "candidate" not in line)
            async with await PeerSession.answer(bare) as session:
                for line in lines:
                    if line.startswith("a=candidate"):
                        await session.add_candidate(line.strip().removeprefix("a="), "0")
                await session.add_candidate("", "0")
                await browser.accept(session.sdp)
                await session.connected()

    live(main())


@pytest.mark.parametrize("spoil", [hidden, lambda offer: offer])
def test_where_there_is_no_path_the_failure_is_called_one_of_ice(
    spoil: type[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECT", 0.5)

    async def main() -> None:
        async with Browser() as browser, await PeerSession.answer(spoil(await browser.offer())) as session:
            with pytest.raises(CallError, match=r"not connect within 0\.5 s: ICE failed, no path .* TURN") as caught:
                await session.connected()
            assert "left" not in str(caught.value)
            assert "closed" not in str(caught.value)

    live(main())


def test_hidden_candidates_are_left_out_and_the_rest_stays() -> None:
    async def main() -> None:
        async with Browser() as browser:
            offer = await browser.offer()
            plain, read = read_offer(offer), read_offer(hidden(offer))
        assert plain.hidden == 0
        assert plain.sdp == offer.replace("a=end-of-candidates\r\n", "")
        assert read.hidden == len(CANDIDATE.findall(offer))
        assert "candidate" not in read.sdp
        assert read.sdp == "".join(line for line in plain.sdp.splitlines(keepends=True) if "candidate" not in line)
        assert (read.username, read.password, read.fingerprints) == (plain.username, plain.password, plain.fingerprints)

    live(main())


def test_a_candidate_after_the_end_of_the_call_is_refused() -> None:
    async def main() -> None:
        async with Browser() as browser, await PeerSession.answer(await browser.offer()) as session:
            await session.close()
            with pytest.raises(OfferError, match="the call is over"):
                await session.add_candidate("candidate:1 1 udp 1 192.0.2.1 1 typ host", "0")

    live(main())
