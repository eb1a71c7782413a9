"""pipecat's JavaScript client, from npm, in real browsers: its page is of another origin."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol

import pytest
from browser import chromium, firefox
from browser.clients import site
from browser.scripted import Scripted, says
from server.serving import Served, serving, until

from voiceflow import Call, SpeechStarted, Transcript
from voiceflow.config.settings import Config
from voiceflow.transports.webrtc import ice
from voiceflow.transports.webrtc import source_sink as ends

pytestmark = pytest.mark.slow


class AnyPage(Protocol):
    async def evaluate(self, expression: str) -> Any: ...


class InChromium:
    @staticmethod
    def run(main: Coroutine[Any, Any, None]) -> None:
        chromium.run(main, seconds=firefox.TEST)

    @staticmethod
    @contextlib.asynccontextmanager
    async def open(url: str) -> AsyncIterator[AnyPage]:
        async with chromium.open_page(url, ready=False) as page:
            yield page


class InFirefox:
    run = staticmethod(firefox.run)
    open = staticmethod(firefox.open_firefox)


BROWSERS = [
    pytest.param(InChromium, marks=chromium.needs_chromium, id="chromium"),
    pytest.param(InFirefox, marks=firefox.needs_firefox, id="firefox"),
]
Within = Callable[[Served, AnyPage], Coroutine[Any, Any, None]]


def in_a_call(browser: Any, then: Within) -> None:
    """Have pipecat's client call, and then do what a test is about."""
    pipeline = Scripted(
        {"1": [SpeechStarted(), Transcript("is it", final=False)], "2": says("is it open")},
        {"is it open": "Yes, it is open."},
    )

    async def main() -> None:
        with site() as origin:
            config = Config(allowed_origins=(origin,))
            async with serving(pipeline, config=config) as served, browser.open(origin) as page:
                ready = await page.evaluate(f"call('{served.http}/api/offer')")
                assert ready["version"] == "2.1.0"
                assert await page.evaluate("client.state") == "ready"
                await then(served, page)

    browser.run(main())


async def becomes(page: AnyPage, expression: str) -> None:
    while not await page.evaluate(expression):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def told(page: AnyPage, event: str) -> list[Any]:
    """What came with each event of this name, once there is one."""
    await becomes(page, f"events.some(([name]) => name === '{event}')")
    data: list[Any] = await page.evaluate(f"events.filter(([name]) => name === '{event}').map(([, data]) => data)")
    return data


async def hears(page: AnyPage) -> None:
    """Audio goes on to come."""
    before = await page.evaluate("heard()")
    await becomes(page, f"heard().then((packets) => packets > {before} + 5)")


@pytest.mark.parametrize("browser", BROWSERS)
def test_its_call_is_up_and_shows_the_words_of_both_sides(browser: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def then(served: Served, page: AnyPage) -> None:
        await page.evaluate("client.sendDTMF('12')")
        said = [data for data in await told(page, "userTranscript") if not data["final"]]
        assert [data["text"] for data in said] == ["is it"]
        await told(page, "userStartedSpeaking")
        await becomes(page, "events.some(([name, data]) => name === 'userTranscript' && data.text === 'is it open')")
        assert [data["text"] for data in await told(page, "botLlmText")] == ["Yes, it is open."]
        await told(page, "botStartedSpeaking")
        assert [data["text"] for data in await told(page, "botTranscript")] == ["Yes, it is open."]
        assert (await told(page, "botOutput"))[-1]["spoken_status"] == "completed"
        await told(page, "botStoppedSpeaking")
        await hears(page)
        await page.evaluate("client.disconnect()")
        await until(lambda: not served.server.calls.active)

    in_a_call(browser, then)
    assert [record for record in caplog.records if record.name == "voiceflow.webrtc"] == []


@pytest.mark.parametrize("browser", BROWSERS)
def test_muted_in_any_way_it_is_still_there(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "VANISHED", 2.5)
    monkeypatch.setattr(ice, "PING", 0.3)
    monkeypatch.setattr(ice, "LOOK", 0.1)

    async def then(served: Served, page: AnyPage) -> None:
        await page.evaluate("client.enableMic(false)")
        await page.evaluate("transport.getAudioTransceiver().sender.replaceTrack(null)")
        await page.evaluate("clearInterval(transport.keepAliveInterval)")
        await asyncio.sleep(1.5 * ends.VANISHED)
        assert len(served.server.calls.active) == 1
        await hears(page)

    in_a_call(browser, then)


async def goes_on(served: Served, page: AnyPage, call: Call, id: str) -> None:
    """Check that the client is in the same call as before, hears and is heard."""
    await hears(page)
    await page.evaluate("client.sendDTMF('2')")
    await told(page, "botTranscript")
    assert await page.evaluate("transport.pc_id") == id
    assert served.server.calls.active == {call}


@pytest.mark.parametrize("browser", BROWSERS)
def test_a_renegotiation_and_ice_anew_are_of_the_same_call(browser: Any) -> None:
    async def then(served: Served, page: AnyPage) -> None:
        [call] = served.server.calls.active
        id = await page.evaluate("transport.pc_id")
        fragment = "transport.pc.remoteDescription.sdp.match(/ice-ufrag:(.*)/)[1]"
        first = await page.evaluate(fragment)
        await page.evaluate("transport.attemptReconnection(false)")
        await hears(page)
        assert await page.evaluate(fragment) == first
        await page.evaluate("transport.pc.restartIce()")
        await page.evaluate("transport.attemptReconnection(false)")
        await becomes(page, f"{fragment} !== '{first}'")
        await becomes(page, "['connected', 'completed'].includes(transport.pc.iceConnectionState)")
        await goes_on(served, page, call, id)

    in_a_call(browser, then)


@pytest.mark.parametrize("browser", BROWSERS)
def test_a_connection_that_it_makes_anew_takes_the_call_over(browser: Any) -> None:
    async def then(served: Served, page: AnyPage) -> None:
        [call] = served.server.calls.active
        id = await page.evaluate("transport.pc_id")
        await page.evaluate("transport.attemptReconnection(true)")
        await becomes(page, "transport.dc.readyState === 'open'")
        await goes_on(served, page, call, id)

    in_a_call(browser, then)


@pytest.mark.parametrize("browser", BROWSERS)
def test_it_is_told_when_the_call_ends(browser: Any) -> None:
    async def then(served: Served, page: AnyPage) -> None:
        [call] = served.server.calls.active
        await call.hangup()
        await told(page, "botDisconnected")
        await becomes(page, "client.state === 'disconnected'")

    in_a_call(browser, then)
