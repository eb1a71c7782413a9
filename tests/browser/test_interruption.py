"""What the caller hears of an interruption, by WebAudio in the page."""

import statistics

from browser.chromium import LISTENING, becomes, needs_chromium, open_page, run
from browser.scripted import Scripted, says
from playwright.async_api import expect
from server.serving import serving

from voiceflow import Clear

pytestmark = needs_chromium

LOUD = 0.01
"""Of full scale. The tone is at 0.3."""
ROUNDS = 3
SILENT_WITHIN = 0.06
"""Seconds from the message."""
LAST_LOUD = """() => {
  const cleared = messages.findLast(({ type }) => type === "clear").at;
  return (loudness.findLast(({ peak }) => peak > LOUD).at - cleared) / 1000;
}""".replace("LOUD", str(LOUD))
MUTED = "peers.at(-1).getReceivers().every(({ track }) => !track.enabled)"
IS_LOUD = f"loudness.slice(-8).every(({{ peak }}) => peak > {LOUD})"
IS_SILENT = f"loudness.length > 40 && loudness.slice(-40).every(({{ peak }}) => peak <= {LOUD})"


def interrupted() -> Scripted:
    return Scripted({"1": says("talk"), "0": [Clear()]}, {"talk": "and so on " * 20})


def test_after_an_interruption_the_page_is_silent_at_once_and_until_the_next_reply():
    async def main() -> None:
        async with serving(interrupted()) as served, open_page(served.http) as page:
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(LISTENING)
            await page.evaluate("record(256)")
            await becomes(page, IS_SILENT)
            late = []
            for _ in range(ROUNDS):
                await page.keyboard.press("1")  # and it is heard again
                await becomes(page, IS_LOUD)
                await page.keyboard.press("0")
                await expect(page.locator("#status")).to_have_text(LISTENING)
                await becomes(page, IS_SILENT)
                assert await page.evaluate(MUTED)  # however much the network still had under way
                late.append(await page.evaluate(LAST_LOUD))
            assert statistics.median(late) < SILENT_WITHIN

    run(main())
