"""Takes the screenshots in docs: a scripted conversation, held over the real page.

    python tests/browser/screenshots.py docs

They show the page in a call on a desk and on a phone, in light and dark colours, and in German. Needs Chromium.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # the server and the browser are those of the tests

from browser.chromium import SPEECH, chromium, open_page, run
from playwright.async_api import Page, expect
from server.serving import serving

from voiceflow import DTMF, Clear, LLMText, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.call import Build
from voiceflow.processors.tts import TTS
from voiceflow.sounds.wavfile import read_wav

TURNS = {
    "en-GB": (
        ("Hi! Do you still have a table for tonight?", "Good evening! Yes, we do. For how many people, and what time?"),
        (
            "Four of us, around eight.",
            "At eight I have the round table by the window. It seats six, so there is room for one more, and if you "
            "come by car, there is a car park behind the house.",
        ),
        (
            "The window is perfect, thank you.",
            "Lovely. A table for four at eight, by the window. What name may I put down?",
        ),
    ),
    "de-DE": (
        ("Guten Abend! Haben Sie heute noch einen Tisch?", "Guten Abend! Ja, gern. Für wie viele Personen, und wann?"),
        (
            "Wir sind zu viert, gegen acht.",
            "Um acht habe ich den runden Tisch am Fenster. Dort sitzen sechs, es ist also noch Platz, und wenn Sie mit "
            "dem Auto kommen, gibt es einen Parkplatz hinter dem Haus.",
        ),
        (
            "Am Fenster ist wunderbar, danke.",
            "Schön. Ein Tisch für vier um acht, am Fenster. Auf welchen Namen darf ich reservieren?",
        ),
    ),
}
LETTER = 0.025
"""Seconds that each letter is spoken."""
CALLER_BEGINS, CALLER_ENDS, CALLER_INTERRUPTS = "A", "B", "C"


class Keys(Processor):
    """What the caller does, at keys that the page does not show."""

    def process(self, frame: DTMF) -> Iterator[SpeechStarted | SpeechStopped | Clear]:
        match frame.digit:
            case "A":
                yield SpeechStarted()
            case "B":
                yield SpeechStopped(trail=0.34)
            case "C":
                yield Clear()


class Recogniser(Processor):
    """Knows what will be said, and takes as long as a small one does."""

    overlap = True

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = iter(lines)

    async def process(self, frame: SpeechStopped) -> AsyncIterator[Transcript | SpeechStopped]:
        line = next(self.lines)
        await asyncio.sleep(0.1 + 0.002 * len(line))
        yield Transcript(line)
        yield frame


class Model(Processor):
    """Answers as fast as a small one does."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = answers

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        await asyncio.sleep(0.16 + 0.002 * len(frame.text))
        for word in self.answers[frame.text].split():
            yield LLMText(word + " ")
            await asyncio.sleep(0.02)


class Voice(TTS):
    """Some voice, as long as the text."""

    rate = 16_000

    async def synthesize(self, text: str, voice: str) -> bytes:
        await asyncio.sleep(0.0012 * len(text))
        return np.resize(read_wav(SPEECH).samples, round(len(text) * LETTER * self.rate)).astype("<i2").tobytes()


def pipeline(locale: str) -> Build:
    answers = dict(TURNS[locale])
    return lambda call: call.source | Keys() | Recogniser(answers) | Model(answers) | Voice() | call.sink


class Words(NamedTuple):
    """What the page says at two moments."""

    listening: str
    speaking: str


class Look(NamedTuple):
    """A screen on which the page is shown."""

    name: str
    width: int
    height: int
    scale: int
    colours: Literal["light", "dark"]


WORDS = {
    "en-GB": Words("The agent is listening.", "The agent is speaking."),
    "de-DE": Words("Der Agent hört zu.", "Der Agent spricht."),
}
LOOKS = {
    "en-GB": (
        Look("page-light", 1280, 860, 1, "light"),
        Look("page-phone", 390, 844, 2, "light"),
        Look("page-dark-phone", 390, 844, 2, "dark"),
    ),
    "de-DE": (Look("page-german", 1280, 860, 1, "light"),),
}


async def press(page: Page, key: str) -> None:
    """A key that only the client knows."""
    await page.evaluate("key => window.channels.at(-1).send(JSON.stringify({ type: 'dtmf', digit: key }))", key)


async def converse(page: Page, words: Words) -> None:
    """Up to the middle of the third answer; the second one is interrupted."""
    status = page.locator("#status")
    await page.click("#call")
    await expect(status).to_have_text(words.listening)
    for number in range(3):
        await press(page, CALLER_BEGINS)
        await asyncio.sleep(0.4)
        await press(page, CALLER_ENDS)
        await expect(status).to_have_text(words.speaking)
        if number == 0:
            await expect(status).to_have_text(words.listening)
        if number == 1:
            await asyncio.sleep(1.5)
            await press(page, CALLER_INTERRUPTS)
    await asyncio.sleep(1.2)


async def shot(page: Page, look: Look) -> bytes:
    """A screenshot (PNG) of the page as it is now, but on another screen or in other colours."""
    session = await page.context.new_cdp_session(page)
    screen = {"width": look.width, "height": look.height, "deviceScaleFactor": look.scale, "mobile": False}
    await session.send("Emulation.setDeviceMetricsOverride", screen)
    await page.emulate_media(color_scheme=look.colours)
    await page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    taken = await session.send("Page.captureScreenshot")  # Playwright's own goes back to the first screen
    return base64.b64decode(taken["data"])


async def shots(locale: str) -> dict[str, bytes]:
    """Hold the conversation in a page of `locale`. Returns its screenshots by their names."""
    async with serving(pipeline(locale)) as served, open_page(served.http, locale=locale) as page:
        await converse(page, WORDS[locale])
        taken = {look.name: await shot(page, look) for look in LOOKS[locale]}
        await page.click("#call")
        return taken


def take(folder: Path) -> None:
    """Take all screenshots."""

    async def main() -> None:
        for taken in await asyncio.gather(*map(shots, LOOKS)):
            pictures.update(taken)

    pictures: dict[str, bytes] = {}
    run(main(), seconds=120)
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    docs = Path(sys.argv[1])
    docs.mkdir(exist_ok=True)
    take(docs)
    chromium().close()
