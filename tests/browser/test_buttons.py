"""What can be pressed and chosen on the page, and what it says meanwhile. The caller speaks with keys."""

from browser.chromium import HUNG_UP, LISTENING, SPEAKING, becomes, needs_chromium, open_page, refuse_microphones, run
from browser.scripted import Scripted, says
from playwright.async_api import Page, expect
from server.serving import serving

from voiceflow import Clear, SpeechStarted

pytestmark = needs_chromium

ANSWER = "It is open. The lights are on, too."
USED = "microphones.at(-1).getSettings().deviceId"
LIVE = "microphones.filter(({ readyState }) => readyState === 'live').length"
PHONES = [(390, 844), (320, 568), (844, 390), (667, 375), (320, 256)]
"""Screens in CSS pixels; the last is a desk's at 400 %."""


def conversation() -> Scripted:
    return Scripted({"1": [SpeechStarted()], "2": says("open the door"), "0": [Clear()]}, {"open the door": ANSWER})


async def call(page: Page) -> None:
    await page.click("#call")
    await expect(page.locator("#status")).to_have_text(LISTENING)


def test_muting_is_shown_and_lasts_until_it_is_undone_or_the_call_ends():
    async def main() -> None:
        async with serving(conversation()) as served, open_page(served.http) as page:
            mute, status = page.locator("#mute"), page.locator("#status")
            await expect(mute).to_be_hidden()
            await call(page)
            await mute.click()
            await expect(status).to_have_text("You are muted.")
            await expect(mute).to_have_attribute("aria-pressed", "true")
            assert await page.evaluate("microphones.at(-1).enabled") is False
            await page.keyboard.press("1")
            await page.keyboard.press("2")
            await expect(status).to_have_text(f"{SPEAKING} You are muted.")
            await mute.click()
            await expect(status).to_have_text(SPEAKING)
            assert await page.evaluate("microphones.at(-1).enabled") is True
            await mute.click()
            await page.click("#call")
            await expect(status).to_have_text(HUNG_UP)
            await call(page)
            await expect(mute).to_have_attribute("aria-pressed", "false")

    run(main())


def test_the_clock_runs_during_a_call_and_shows_afterwards_how_long_it_took():
    async def main() -> None:
        async with serving(conversation()) as served, open_page(served.http) as page:
            await page.clock.install()
            await page.reload()
            timer = page.locator("#timer")
            await expect(page.locator("#call")).to_be_enabled()
            await expect(timer).to_have_text("")
            await call(page)
            await expect(timer).to_have_text("0:00")
            await page.clock.fast_forward(2_000)
            await expect(timer).to_have_text("0:02")
            await page.click("#call")
            await page.clock.fast_forward(60_000)
            await expect(timer).to_have_text("0:02")
            await call(page)
            await expect(timer).to_have_text("0:00")

    run(main())


def test_the_conversation_is_copied_with_what_was_not_heard():
    async def main() -> None:
        permissions = ["microphone", "clipboard-read", "clipboard-write"]
        async with serving(conversation()) as served, open_page(served.http, permissions=permissions) as page:
            copy = page.locator("#copy")
            await expect(copy).to_be_disabled()
            await call(page)
            await page.keyboard.press("2")
            await expect(page.locator(".coming")).to_have_text("The lights are on, too.")
            await page.keyboard.press("0")
            await expect(page.locator(".unheard")).to_contain_text("too.")
            await copy.click()
            await expect(copy).to_have_text("Copied")
            await expect(page.locator("#announcement")).to_have_text("The conversation was copied.")
            first, second = (await page.evaluate("navigator.clipboard.readText()")).split("\n")
            assert first == "You: open the door"
            assert second.startswith("Agent: It is open.")
            assert " [Interrupted here. Not heard: " in second
            assert second.endswith("too.]")
            await expect(copy).to_have_text("Copy")

    run(main())


def test_microphone_and_speaker_are_chosen_on_the_page():
    async def main() -> None:
        async with serving(conversation()) as served, open_page(served.http) as page:
            microphone, speaker = page.locator("#microphone"), page.locator("#speaker")
            names = ["System default", "Fake Audio Input 1", "Fake Audio Input 2"]
            await expect(microphone.locator("option")).to_have_text(names)
            await microphone.select_option(names[1])
            await call(page)
            first = await page.evaluate(USED)
            await expect(microphone).to_have_value(first)
            await microphone.select_option(names[2])
            await becomes(page, f"microphones.length === 2 && {LIVE} === 1")
            await expect(microphone).to_have_value(await page.evaluate(USED))
            assert await page.evaluate(USED) != first
            await speaker.select_option("Fake Audio Output 2")
            await expect(page.locator("#status")).to_have_text(LISTENING)
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(HUNG_UP)
            assert await page.evaluate(LIVE) == 0

    run(main())


def test_a_device_that_cannot_be_used_is_told_and_the_choice_is_what_is_in_use():
    async def main() -> None:
        async with serving(conversation()) as served, open_page(served.http) as page:
            await call(page)
            await refuse_microphones(page, "NotReadableError")
            await page.locator("#microphone").select_option("Fake Audio Input 2")
            await expect(page.locator("#status.problem")).to_contain_text("Another program holds the microphone")
            await expect(page.locator("#microphone")).to_have_value("")
            await page.keyboard.press("2")
            await expect(page.locator("#status")).to_have_text(SPEAKING)  # and the call goes on

    run(main())


async def fold_and_unfold(page: Page) -> None:
    """All that is folded away can be used, and Hang up is in reach meanwhile, wherever the page is scrolled to."""
    hang_up = page.get_by_role("button", name="Hang up")
    await expect(hang_up).to_be_in_viewport(ratio=1)
    for name, part in (("Keypad", "#keypad"), ("Latency", "#latency-hint"), ("Devices", "#microphone")):
        toggle = page.get_by_role("button", name=name)
        await expect(page.locator(part)).to_be_hidden()
        await expect(toggle).to_have_attribute("aria-expanded", "false")
        await toggle.click()
        await expect(toggle).to_have_attribute("aria-expanded", "true")
        await expect(page.locator(part)).to_be_visible()
        await expect(page.locator(".fold.open")).to_have_count(1)
        await expect(hang_up).to_be_in_viewport(ratio=1)
    for place in (0, 10_000):
        await page.evaluate("(place) => scrollTo(0, place)", place)
        await expect(hang_up).to_be_in_viewport(ratio=1)
    await page.get_by_role("button", name="Devices").click()
    await expect(page.locator(".fold.open")).to_have_count(0)


def test_on_a_phone_keypad_and_latency_are_folded_away_and_hang_up_is_always_in_reach():
    async def main() -> None:
        async with serving(conversation()) as served, open_page(served.http) as page:
            await call(page)
            for width, height in PHONES:
                await page.set_viewport_size({"width": width, "height": height})
                await fold_and_unfold(page)
            await page.get_by_role("button", name="Hang up").click()
            await expect(page.locator("#status")).to_have_text(HUNG_UP)

    run(main())


def test_the_newest_words_stay_in_view_unless_the_reader_has_scrolled_back():
    at_the_end = "scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 2"

    async def main() -> None:
        screen = {"width": 320, "height": 568}
        async with serving(conversation()) as served, open_page(served.http, viewport=screen) as page:
            await call(page)
            for turns in range(1, 4):
                await page.keyboard.press("2")
                await page.keyboard.press("0")
                await expect(page.locator("#transcript .caller")).to_have_count(turns)
            assert await page.evaluate(at_the_end)
            await page.get_by_role("button", name="Keypad").click()
            await becomes(page, at_the_end)
            await page.evaluate("scroller.scrollTop = 0")
            await becomes(page, "new Promise((drawn) => requestAnimationFrame(() => drawn(true)))")
            await page.keyboard.press("2")
            await expect(page.locator("#transcript .caller")).to_have_count(4)
            assert await page.evaluate("scroller.scrollTop") == 0

    run(main())
