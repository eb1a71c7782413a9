"""The caller mutes, and chooses microphone and speaker, through `VoiceflowClient`."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browser.chromium import becomes, needs_chromium, open_page, refuse_microphones, run
from playwright.async_api import Page
from server.serving import serving

from voiceflow import AudioRaw, Call, Processor
from voiceflow.pipeline import Element

pytestmark = [needs_chromium, pytest.mark.slow]

MAKE = """async () => {
  const { VoiceflowClient } = await import("/voiceflow-client.js");
  window.events = [];
  window.client = new VoiceflowClient();
  for (const name of ["connected", "failed", "ended"]) {
    client.addEventListener(name, ({ detail }) => events.push([name, detail.reason ?? ""].join(" ").trim()));
  }
  await new Promise((resolve) => client.addEventListener("ready", resolve, { once: true }));
}"""
USED = "client.localStream.getAudioTracks()[0].getSettings().deviceId"
SENT = "peers.at(-1).getSenders()[0].track === client.localStream.getAudioTracks()[0]"
IDS = "(kind) => navigator.mediaDevices.enumerateDevices().then((all) => all.filter((one) => one.kind === kind))"


LOUD = 0.01
"""Of full scale."""
SILENCE = 25
"""Pieces of audio in a row that are quiet when the caller is: half a second."""


class Ear(Processor):
    """Hears the caller."""

    def __init__(self) -> None:
        self.quiet = 0
        """How many pieces in a row were quiet."""
        self.heard = asyncio.Event()
        """A piece has come."""

    def process(self, frame: AudioRaw) -> AudioRaw:
        peak = np.abs(np.frombuffer(frame.data, np.int16)).max(initial=0) / 32768
        self.quiet = 0 if peak > LOUD else self.quiet + 1
        self.heard.set()
        return frame


class Listening:
    """A pipeline that hears the caller. `ear` is the last call's."""

    ear: Ear

    def __call__(self, call: Call) -> Element:
        self.ear = Ear()
        return call.source | self.ear | call.sink

    async def until(self, quiet: Callable[[int], bool]) -> None:
        while not quiet(self.ear.quiet):
            self.ear.heard.clear()
            await self.ear.heard.wait()


def speaking(quiet: int) -> bool:
    return quiet == 0


def silent(quiet: int) -> bool:
    return quiet > SILENCE


async def devices(page: Page, kind: str) -> list[str]:
    found: list[dict[str, Any]] = await page.evaluate(IDS, kind)
    return [one["deviceId"] for one in found]


async def begin(page: Page) -> None:
    await page.evaluate(MAKE)
    assert await page.evaluate("client.startCall()")


def test_a_muted_caller_is_silent_and_the_call_goes_on():
    async def main() -> None:
        listening = Listening()
        async with serving(listening) as served, open_page(served.http) as page:
            await begin(page)
            await listening.until(speaking)
            await page.evaluate("client.muted = true")
            await listening.until(silent)
            assert await page.evaluate("[client.muted, client.inCall]") == [True, True]
            await page.evaluate("client.muted = false")
            await listening.until(speaking)
            await page.evaluate("client.muted = true; client.hangUp()")
            assert await page.evaluate("client.muted") is False
            assert await page.evaluate("client.startCall().then(() => client.muted)") is False

    run(main())


def test_a_muted_caller_stays_so_with_another_microphone():
    async def main() -> None:
        listening = Listening()
        async with serving(listening) as served, open_page(served.http) as page:
            await begin(page)
            _, other, *_ = await devices(page, "audioinput")
            await page.evaluate("client.muted = true")
            await page.evaluate("(id) => client.useMicrophone(id)", other)
            await listening.until(silent)
            await page.evaluate("client.muted = false")
            await listening.until(speaking)

    run(main())


def test_a_call_takes_the_microphone_that_is_chosen_before_it_or_during_it():
    async def main() -> None:
        async with serving(Listening()) as served, open_page(served.http) as page:
            _, one, other = await devices(page, "audioinput")
            await page.evaluate(MAKE)
            await page.evaluate("(id) => client.useMicrophone(id)", one)
            assert await page.evaluate("client.startCall()")
            assert await page.evaluate(USED) == one
            await page.evaluate("(id) => client.useMicrophone(id)", other)
            assert await page.evaluate(USED) == other
            assert await page.evaluate(SENT)
            assert await page.evaluate("microphones.map(({ readyState }) => readyState)") == ["ended", "live"]
            await page.evaluate("(ids) => Promise.all(ids.map((id) => client.useMicrophone(id)))", [one, other, one])
            assert await page.evaluate(USED) == one
            assert await page.evaluate("microphones.filter(({ readyState }) => readyState === 'live').length") == 1
            await page.evaluate("client.useMicrophone('one that is gone')")
            assert await page.evaluate(USED) == "default"
            assert await page.evaluate("events") == ["connected"]

    run(main())


def test_a_microphone_that_cannot_be_had_leaves_the_call_as_it_is():
    async def main() -> None:
        async with serving(Listening()) as served, open_page(served.http) as page:
            await begin(page)
            await refuse_microphones(page, "NotReadableError")
            told = await page.evaluate("client.useMicrophone('another').catch(({ message }) => message)")
            assert told.startswith("another program holds the microphone")
            assert await page.evaluate("client.inCall && microphones.every(({ readyState }) => readyState === 'live')")

    run(main())


def test_another_microphone_takes_the_place_of_one_that_is_unplugged_and_without_any_the_call_ends():
    unplug = "client.localStream.getAudioTracks()[0].dispatchEvent(new Event('ended'))"

    async def main() -> None:
        async with serving(Listening()) as served, open_page(served.http) as page:
            await begin(page)
            await page.evaluate(unplug)
            await becomes(page, f"microphones.length === 2 && microphones[1].enabled && {SENT}")
            await refuse_microphones(page, "NotFoundError")
            await page.evaluate(unplug)
            await becomes(page, "events.length === 3")
            gone = "the microphone was taken away"
            assert await page.evaluate("events") == ["connected", f"failed {gone}", f"ended {gone}"]

    run(main())


def test_the_agent_is_heard_on_the_speaker_that_is_chosen():
    watch = """() => {
        window.sinks = [];
        const set = HTMLMediaElement.prototype.setSinkId;
        HTMLMediaElement.prototype.setSinkId = async function (id) {
            await set.call(this, id);
            sinks.push(this.sinkId);
        };
    }"""

    async def main() -> None:
        async with serving(Listening()) as served, open_page(served.http) as page:
            await page.evaluate(watch)
            _, one, other = await devices(page, "audiooutput")
            await page.evaluate(MAKE)
            await page.evaluate("(id) => client.useSpeaker(id)", one)
            assert await page.evaluate("client.startCall()")
            await page.evaluate("(id) => client.useSpeaker(id)", other)
            await page.evaluate("client.useSpeaker('')")
            assert await page.evaluate("sinks") == [one, other, ""]
            assert await page.evaluate("client.useSpeaker('none').catch(({ name }) => name)") == "NotFoundError"
            assert await page.evaluate("client.inCall")

    run(main())
