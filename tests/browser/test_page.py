"""A person's call from the page, with a real browser."""

import asyncio
import re

import numpy as np
import soxr
from browser.chromium import HUNG_UP, RATE, SPEECH, needs_chromium, open_page, recording, run
from numpy.typing import NDArray
from playwright.async_api import expect
from server.serving import serving, until

from voiceflow.sounds.wavfile import read_wav

pytestmark = needs_chromium


def said() -> NDArray[np.float32]:
    """What the browser's microphone hears, over and over, at 48 kHz."""
    audio = read_wav(SPEECH)
    return np.asarray(soxr.resample(audio.samples.astype(np.float32), audio.format.rate, RATE))


def similarity(heard: NDArray[np.float32], said: NDArray[np.float32]) -> float:
    """The largest normalised cross-correlation of a second of `heard` with any second of `said`."""
    best = 0.0
    said = np.concatenate([said, said[: 2 * RATE]])
    for start in range(0, len(heard) - RATE, RATE // 2):
        piece = heard[start : start + RATE]
        size = len(said) + RATE
        cross = np.fft.irfft(np.fft.rfft(said, size) * np.conj(np.fft.rfft(piece, size)), size)[: len(said) - RATE]
        sums = np.concatenate([[0.0], np.cumsum(said.astype(np.float64) ** 2)])
        power = (sums[RATE:] - sums[:-RATE])[: len(cross)]
        energy = np.sqrt(np.maximum(power, 1e3) * (piece**2).sum() + 1e-9)
        best = max(best, float(np.max(cross / energy)))
    return best


INK = """[...document.querySelectorAll("canvas")].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, place) => place % 4 === 3 && value > 0).length;
})"""
"""How many points of each level meter are painted."""


def test_a_caller_hears_the_echo_and_hangs_up():
    async def main() -> None:
        async with serving() as served, open_page(served.http) as page:
            at_rest = await page.evaluate(INK)
            await page.click("#call")
            await expect(page.locator("#agent")).to_have_class(re.compile("active"))
            await page.evaluate("record()")
            await asyncio.sleep(4)  # in a part of it even a busy machine keeps time
            heard = await recording(page)
            moving = await page.evaluate(INK)
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(HUNG_UP)
            await until(lambda: not served.server.calls.active)
            assert await page.evaluate(INK) == at_rest
            assert all(ink > 2 * before for ink, before in zip(moving, at_rest, strict=True))
            assert await page.evaluate("peers.every((peer) => peer.connectionState === 'closed')")
        assert similarity(heard, said()) > 0.9

    run(main())
