"""Takes the README's screenshots: a scripted conversation, held over the real page.

    python tests/browser/screenshots.py docs

They show the page in a call on a desk in light colours, and on a phone in dark ones. Needs Chromium, and a minute.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # the server and the browser are those of the tests

from browser.chromium import SPEECH, chromium, open_page
from playwright.async_api import Page, expect
from server.serving import serving

from voiceflow import DTMF, Call, Clear, LLMText, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors.tts import TTS
from voiceflow.sounds.wavfile import read_wav

TURNS = (
    ("Hi! Do you still have a table for tonight?", "Good evening! Yes, we do. For how many people, and at what time?"),
    (
        "Four of us, around eight.",
        "At eight I have the round table by the window. It seats six, so there is room for one more, and if you come "
        "by car, there is a car park behind the house.",
    ),
    (
        "The window is perfect, thank you.",
        "Lovely. A table for four at eight, by the window. What name may I put down?",
    ),
)
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

    def __init__(self) -> None:
        self.lines = (line for line, _ in TURNS)

    async def process(self, frame: SpeechStopped) -> AsyncIterator[Transcript | SpeechStopped]:
        line = next(self.lines)
        await asyncio.sleep(0.1 + 0.002 * len(line))
        yield Transcript(line)
        yield frame


class Model(Processor):
    """Answers as fast as a small one does."""

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        await asyncio.sleep(0.16 + 0.002 * len(frame.text))
        for word in dict(TURNS)[frame.text].split():
            yield LLMText(word + " ")
            await asyncio.sleep(0.02)


class Voice(TTS):
    """Some voice, as long as the text."""

    rate = 16_000

    async def synthesize(self, text: str, voice: str) -> bytes:
        await asyncio.sleep(0.0012 * len(text))
        return np.resize(read_wav(SPEECH).samples, round(len(text) * 0.05 * self.rate)).astype("<i2").tobytes()


def pipeline(call: Call) -> Processor:
    return call.source | Keys() | Recogniser() | Model() | Voice() | call.sink


async def press(page: Page, key: str) -> None:
    """A key that only the client knows."""
    await page.evaluate("key => window.channels.at(-1).send(JSON.stringify({ type: 'dtmf', digit: key }))", key)


async def converse(page: Page) -> None:
    """Up to the middle of the third answer; the second one is interrupted."""
    agent = page.locator("#agent .doing")
    await page.click("#call")
    await expect(agent).to_have_text("listening")
    for number in range(len(TURNS)):
        await press(page, CALLER_BEGINS)
        await asyncio.sleep(0.8)
        await press(page, CALLER_ENDS)
        await expect(agent).to_have_text("speaking")
        if number == 0:
            await expect(agent).to_have_text("listening")
        if number == 1:
            await asyncio.sleep(3.4)
            await press(page, CALLER_INTERRUPTS)
    await asyncio.sleep(2.2)


LOOKS: dict[str, dict[str, Any]] = {
    "page-light": {"viewport": {"width": 1000, "height": 800}, "color_scheme": "light"},
    "page-dark-phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "dark",
        "device_scale_factor": 2,
        "has_touch": True,
    },
}


async def main(folder: Path) -> None:
    for name, look in LOOKS.items():
        async with serving(pipeline) as served, open_page(served.http, **look) as page:
            await converse(page)
            await page.screenshot(path=folder / f"{name}.png")
            await page.click("#call")


if __name__ == "__main__":
    docs = Path(sys.argv[1])
    docs.mkdir(exist_ok=True)
    chromium().run(main(docs), seconds=120)
    chromium().close()
