"""Calls from a browser: two real peers in one process, over loopback, in real time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest
from webrtc.browser import FRAME, Browser, Build, connected, echo, live, start, until
from webrtc.sounds import likeness_of_parts, speech

from voiceflow import (
    DTMF,
    AudioFormat,
    AudioRaw,
    CallError,
    Clear,
    End,
    LinkError,
    LLMText,
    Mark,
    MissingExtraError,
    Processor,
    ProcessorError,
    Transcript,
)
from voiceflow.transports.webrtc import connection as connections
from voiceflow.transports.webrtc import source_sink as ends
from voiceflow.transports.webrtc.offer import OfferError
from voiceflow.transports.webrtc.opus import FORMAT
from voiceflow.transports.webrtc.session import PeerSession
from voiceflow.transports.webrtc.turn_servers import IceServer


class Talker(Processor):
    """Says ten seconds when 1 is pressed; says half a second and hangs up at 9."""

    speaks = True
    produces = FORMAT

    def __init__(self) -> None:
        self.heard: list[tuple[str, float]] = []

    async def process(self, frame: DTMF) -> AsyncIterator[Mark | AudioRaw | End]:
        match frame.digit:
            case "1":
                yield Mark(" ".join(f"{second}" for second in range(10)))
                yield AudioRaw((speech().tobytes() * 3)[: FORMAT.bytes_for(10)], FORMAT)
                yield Mark()
            case "9":
                yield AudioRaw(speech()[: FORMAT.rate // 2].tobytes(), FORMAT)
                yield End("goodbye")

    def upstream(self, frame: Any) -> Any:
        if isinstance(frame, Clear):
            self.heard.append((frame.heard, frame.seconds))
        return frame


class Interrupter(Processor):
    """2 interrupts."""

    def process(self, frame: DTMF) -> Iterator[DTMF | Clear]:
        yield Clear() if frame.digit == "2" else frame


def test_an_echo_comes_back_as_it_was_said() -> None:
    said = speech()

    async def main() -> None:
        browser = Browser(said)
        async with connected(browser) as session:
            _, running = start(session)
            await until(lambda: len(browser.heard()) > len(said) + 10 * FRAME)
            browser.send(type="hangup")
            assert (await running).reason == "the caller hung up"
        assert likeness_of_parts(said, browser.heard().tobytes()) > 0.9

    live(main())


@pytest.mark.parametrize("force", [False, True])
def test_an_echo_is_hung_up_while_the_caller_goes_on_speaking(force: bool) -> None:
    async def main() -> None:
        browser = Browser(speech(), repeats=True)
        async with connected(browser) as session:
            call, running = start(session)
            await until(lambda: len(browser.heard()) > 10 * FRAME)
            await call.hangup(force=force)
            assert (await running).reason == "hung up"
            await until(lambda: browser.connection.connectionState == "closed")

    live(main())


def test_an_interruption_is_silence_and_the_page_is_told() -> None:
    async def main() -> None:
        talker, browser = Talker(), Browser()
        async with connected(browser) as session:
            call, running = start(session, lambda call: call.source | Interrupter() | talker | call.sink)
            await until(lambda: browser.channel is not None and browser.channel.readyState == "open")
            browser.send(type="dtmf", digit="1")
            await until(lambda: session.queue.taken > FORMAT.bytes_for(0.5))
            browser.send(type="dtmf", digit="2")
            await until(lambda: browser.told("clear"))
            assert session.queue.waiting == 0
            taken = session.queue.taken
            await until(lambda: np.abs(browser.heard()[-FRAME * 3 :]).max() < 10)
            assert session.queue.taken == taken
            [(_, seconds)] = talker.heard
            assert seconds == pytest.approx(taken / FORMAT.byte_rate)
            assert [message["state"] for message in browser.told("state")] == [
                "thinking",
                "speaking",
                "listening",
            ]
            browser.send(type="hangup")
            await running
            assert call.session.playout.ledger.sent == pytest.approx(taken / FORMAT.byte_rate)

    live(main())


def test_the_agents_goodbye_is_heard_to_its_end() -> None:
    async def main() -> None:
        browser = Browser()
        async with connected(browser) as session:
            _, running = start(session, lambda call: call.source | Talker() | call.sink)
            await until(lambda: browser.channel is not None and browser.channel.readyState == "open")
            browser.send(type="dtmf", digit="9")
            assert (await running).reason == "goodbye"
            await until(lambda: browser.connection.connectionState == "closed")
        assert browser.told("ended") == [{"type": "ended", "reason": "hung up"}]
        assert session.queue.taken == FORMAT.bytes_for(0.5)
        said = speech()[: FORMAT.rate // 2].astype(float)
        assert np.square(browser.heard().astype(float)).sum() > 0.8 * np.square(said).sum()

    live(main())


def test_a_browser_that_vanishes_ends_the_call_within_5_seconds() -> None:
    async def main() -> None:
        browser = Browser()
        async with connected(browser) as session:
            _, running = start(session)
            await until(lambda: len(browser.heard()))
            await browser.vanish()
            began = asyncio.get_running_loop().time()
            ended = await running
            assert "nothing came from the browser" in ended.reason
            assert asyncio.get_running_loop().time() - began < 5

    live(main())


def test_a_browser_that_closes_its_connection_ends_the_call() -> None:
    async def main() -> None:
        browser = Browser(channel=False)
        async with connected(browser) as session:
            _, running = start(session)
            await until(lambda: len(browser.heard()))
            await browser.connection.close()
            assert (await running).reason == "the browser closed the connection"

    live(main())


def test_a_ping_is_answered_and_nonsense_is_not() -> None:
    async def main() -> None:
        browser = Browser()
        async with connected(browser) as session:
            _, running = start(session)
            await until(lambda: browser.channel is not None and browser.channel.readyState == "open")
            browser.send(type="nonsense")
            browser.send(type="ping")
            await until(lambda: browser.told("pong"))
            browser.send(type="hangup")
            await running

    live(main())


def test_the_words_of_both_sides_reach_the_page() -> None:
    class Recogniser(Processor):
        def process(self, frame: DTMF) -> Iterator[Transcript]:
            yield Transcript(f"key {frame.digit}")

    class Model(Processor):
        async def process(self, frame: Transcript) -> LLMText:
            return LLMText(f"You pressed {frame.text}.")

    class Synthesis(Processor):
        async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
            yield Mark(frame.text)
            yield AudioRaw(bytes(3200), AudioFormat("pcm16", 16_000))
            yield Mark()

    async def main() -> None:
        browser = Browser()
        async with connected(browser) as session:
            build: Build = lambda call: call.source | Recogniser() | Model() | Synthesis() | call.sink  # noqa: E731
            _, running = start(session, build)
            await until(lambda: browser.channel is not None and browser.channel.readyState == "open")
            browser.send(type="dtmf", digit="5")
            await until(lambda: [reply for reply in browser.told("reply") if reply["done"]])
            assert browser.told("transcript") == [{"type": "transcript", "text": "key 5", "final": True}]
            last = browser.told("reply")[-1]
            assert (last["text"], last["heard"], last["interrupted"]) == ("You pressed key 5.",) * 2 + (False,)
            browser.send(type="hangup")
            await running

    live(main())


def test_pictures_are_refused_and_the_call_goes_on() -> None:
    async def main() -> None:
        browser = Browser()
        browser.connection.addTransceiver("video")
        async with connected(browser) as session:
            assert "a=inactive" in session.sdp.partition("m=video")[2]
            _, running = start(session)
            await until(lambda: len(browser.heard()))
            browser.send(type="hangup")
            await running

    live(main())


def test_a_pipeline_that_does_not_fit_leaves_nothing() -> None:
    async def main() -> None:
        async with connected(Browser()) as session:
            with pytest.raises(LinkError):
                await session.call().run(lambda call: call.source | Talker())

    live(main())


def test_a_session_has_one_call() -> None:
    async def main() -> None:
        async with connected(Browser()) as session:
            session.call()
            with pytest.raises(CallError, match="has its call"):
                session.call()

    live(main())


def test_a_browser_that_never_connects_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT", 0.2)

    async def main() -> None:
        async with Browser() as browser, await PeerSession.answer(await browser.offer()) as session:
            with pytest.raises(ProcessorError, match=r"did not connect within 0\.2 s"):
                await session.call().run(echo)

    live(main())


def test_a_browser_that_takes_its_time_to_connect_has_not_vanished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "VANISHED", 1.0)

    async def main() -> None:
        async with Browser() as browser, await PeerSession.answer(await browser.offer()) as session:
            _, running = start(session)
            await asyncio.sleep(1.6)
            await browser.accept(session.sdp)
            await until(lambda: len(browser.heard()))
            browser.send(type="hangup")
            assert (await running).reason == "the caller hung up"

    live(main())


@pytest.mark.parametrize("channel", [True, False])
def test_interims_are_wanted_for_a_page_that_can_show_them(channel: bool) -> None:
    async def main() -> None:
        async with connected(Browser(channel=channel)) as session:
            assert session.call().sink.wants_interims is channel  # type: ignore[attr-defined]

    live(main())


def test_candidates_may_come_after_the_offer() -> None:
    async def main() -> None:
        async with Browser() as browser:
            offer = await browser.offer()
            lines = offer.split("\r\n")
            found = [line.removeprefix("a=") for line in lines if line.startswith("a=candidate")]
            bare = "\r\n".join(line for line in lines if "candidate" not in line)
            async with await PeerSession.answer(bare) as session:
                await browser.accept(session.sdp)
                for candidate in dict.fromkeys(found):
                    await session.add_candidate(candidate, "0")
                await session.add_candidate("", "0")
                with pytest.raises(OfferError, match="expected an ICE candidate"):
                    await session.add_candidate("candidate:nonsense", "0")
                _, running = start(session)
                await until(lambda: len(browser.heard()))
                browser.send(type="hangup")
                await running

    live(main())


def test_an_ice_server_that_is_none_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with (
            Browser() as browser,
            await PeerSession.answer(await browser.offer(), [IceServer(urls=("http://example.com",))]) as session,
        ):
            assert "a=candidate" in session.sdp

    live(main())
    assert "the ICE server http://example.com is not used" in caplog.text


def test_without_aiortc_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiortc", None)
    with pytest.raises(MissingExtraError, match=r"pip install '.*\[webrtc\]'"):
        asyncio.run(PeerSession.answer(""))


def without(offer: str, kind: str) -> str:
    head, *media = offer.split("m=")
    return head + "".join(f"m={part}" for part in media if not part.startswith(kind))


WRONG: list[tuple[Callable[[str], str], str]] = [
    (lambda offer: "", "expected a session description"),
    (lambda offer: "hello", "expected a session description"),
    (lambda offer: '{"sdp": "v=0"}', "expected a session description"),
    (lambda offer: without(offer, "audio"), "the offer has no audio"),
    (lambda offer: offer.replace("a=sendrecv", "a=recvonly"), "sendrecv.*recvonly"),
    (lambda offer: offer.replace("opus/48000/2", "speex/16000"), "expected Opus"),
    (lambda offer: offer.replace("a=ice-pwd", "a=x"), "expected ICE credentials"),
    (lambda offer: offer.replace("a=rtcp-mux", "a=x"), "cannot be answered: RTCP mux"),
    (lambda offer: offer[: len(offer) // 3], "the offer|expected"),
    (lambda offer: offer + "a=x\r\n" * 50_000, "at most"),
]


@pytest.mark.parametrize(("spoil", "says"), WRONG)
def test_an_offer_that_no_call_can_be_held_over_is_a_clear_error(spoil: Callable[[str], str], says: str) -> None:
    async def main() -> None:
        async with Browser() as browser:
            with pytest.raises(OfferError, match=says):
                await PeerSession.answer(spoil(await browser.offer()))

    live(main())
