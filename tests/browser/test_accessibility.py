"""Everybody can use the page: axe-core finds nothing, in whatever state it is and however it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Any, NamedTuple

import pytest
from browser.chromium import needs_chromium, open_page, run
from browser.scripted import Scripted, says
from playwright.async_api import Page, expect
from server.serving import serving

from voiceflow import Clear, SpeechStarted, Transcript

pytestmark = [needs_chromium, pytest.mark.slow]

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
CHECK = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary]));
}"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FAINT = """() => {
  const channels = (colour) => {
    const [red, green, blue, alpha = 1] = colour.match(/[\\d.]+/g).map(Number);
    return { rgb: [red, green, blue], alpha };
  };
  const luminance = (rgb) => {
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const [red, green, blue] = rgb.map((value) => linear(value / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const { rgb, alpha } = channels(getComputedStyle(one).backgroundColor);
      if (alpha) return rgb;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    for (const side of ["Top", "Right", "Bottom", "Left"]) {
      const { rgb, alpha } = channels(style[`border${side}Color`]);
      if (!parseFloat(style[`border${side}Width`]) || !alpha) continue;
      const light = [luminance(rgb), luminance(behind(element.parentElement))].sort((one, other) => other - one);
      const contrast = (light[0] + 0.05) / (light[1] + 0.05);
      if (contrast < 3) found.push([element.outerHTML.slice(0, 80), side, contrast]);
    }
  }
  return found;
}"""
"""The borders that are told from what surrounds them by a contrast of less than 3 (WCAG 2.2, 1.4.11)."""


class Look(NamedTuple):
    width: int
    height: int
    media: dict[str, Any]


NARROW = "a narrow phone, dark"
"""Where the longer words of another language would show."""
LOOKS = {
    "a desk": Look(1280, 800, {"color_scheme": "light", "forced_colors": "none"}),
    NARROW: Look(320, 640, {"color_scheme": "dark", "forced_colors": "none"}),
    "forced colours": Look(390, 844, {"color_scheme": "dark", "forced_colors": "active"}),
}


async def check(page: Page, state: str, looks: Iterable[str] = LOOKS) -> None:
    """That nothing is wrong with the page in this state, however it is shown."""
    await page.evaluate(AXE)
    for name in looks:
        look = LOOKS[name]
        await page.set_viewport_size({"width": look.width, "height": look.height})
        await page.emulate_media(**look.media)
        assert await page.evaluate(CHECK) == [], f"{state} on {name}"
        assert await page.evaluate(TOO_WIDE) <= 0, f"{state} on {name}"
        assert await page.evaluate(FAINT) == [], f"{state} on {name}"
    await page.set_viewport_size({"width": 1280, "height": 800})


LONG = "The lights are on, and the stairs are behind the door. Donaudampfschifffahrtsgesellschaftskapitänsmützen! " * 2


def conversation() -> Scripted:
    return Scripted(
        {
            "1": [SpeechStarted(), Transcript("open the", final=False)],
            "2": says("open the door"),
            "0": [Clear()],
        },
        {"open the door": LONG},
    )


@pytest.mark.parametrize(("locale", "looks"), [("en-GB", tuple(LOOKS)), ("de-DE", (NARROW,))])
def test_nothing_is_wrong_with_the_page_before_during_and_after_a_call(locale: str, looks: tuple[str, ...]):
    async def main() -> None:
        async with serving(conversation()) as served, open_page(served.http, locale=locale) as page:
            await check(page, "before a call", looks)
            await page.evaluate("window.permission = new Promise((resolve) => (window.grant = resolve)), null")
            await page.click("#call")
            await check(page, "while the microphone is asked for", looks)
            await page.evaluate("grant()")
            await expect(page.locator("#timer")).to_have_text("0:00")
            await page.click("#mute")
            await page.get_by_role("button", name="Keypad" if locale == "en-GB" else "Tasten").click()
            await page.keyboard.press("1")
            await expect(page.locator(".interim")).to_have_count(1)
            await check(page, "muted, with a keypad", looks)
            await page.keyboard.press("2")
            await expect(page.locator(".coming")).not_to_be_empty()
            await check(page, "while the agent speaks", looks)
            await page.keyboard.press("0")
            await expect(page.locator(".unheard")).to_have_count(1)
            await check(page, "interrupted", looks)
            await page.click("#call")
            await expect(page.locator("#call")).to_have_text("Call" if locale == "en-GB" else "Anrufen")
            await check(page, "ended", looks)

    run(main(), seconds=60)


def test_nothing_is_wrong_with_the_page_when_there_is_no_microphone_and_nobody_answers():
    async def main() -> None:
        async with serving() as served, open_page(served.http, microphone="refused") as page:
            await expect(page.locator("#notice")).to_contain_text("This pipeline is an echo")
            await page.click("#call")
            await expect(page.locator("#status.problem")).to_contain_text("the microphone was refused")
            await check(page, "refused")

    run(main(), seconds=60)
