"""What the page shows of a conversation. The caller speaks with keys."""

import re

from browser.chromium import LISTENING, SPEAKING, needs_chromium, open_page, run
from browser.scripted import Scripted, says
from playwright.async_api import expect
from server.serving import serving, until

from voiceflow import Clear, SpeechStarted, SpeechStopped, Transcript
from voiceflow.errors import ProviderConnectionError
from voiceflow.processors.llm import LLM, Message

pytestmark = needs_chromium

FIRST = "*Sure*, it is open."
THEN = "The lights are on, too, and the stairs are behind the door."


def conversation() -> Scripted:
    return Scripted(
        {
            "1": [SpeechStarted(), Transcript("open", final=False)],
            "2": [Transcript("open the door", final=False)],
            "3": [SpeechStopped(trail=0.4), Transcript("open the door please")],
            "4": [Transcript("", final=False)],
            "0": [Clear()],
            "#": says("thank you"),
        },
        {"open the door please": f"{FIRST} {THEN}", "thank you": "bye"},
    )


def test_both_sides_appear_as_they_speak_and_what_was_not_heard_is_told_apart():
    async def main() -> None:
        async with serving(conversation()) as served, open_page(served.http) as page:
            caller, agent = page.locator("#transcript .caller"), page.locator("#transcript .agent")
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(LISTENING)
            await page.keyboard.press("1")
            await expect(caller).to_have_text("You open")
            await expect(page.locator("#status")).to_have_text("You are speaking.")
            await page.keyboard.press("2")
            await expect(caller).to_have_text("You open the door")
            await expect(page.locator("#transcript .interim")).to_have_count(1)
            await page.keyboard.press("3")
            await expect(caller).to_have_text("You open the door please")
            await expect(page.locator("#transcript .interim")).to_have_count(0)
            await expect(page.locator("#status")).to_have_text(SPEAKING)
            await expect(agent).to_have_text(f"Agent {FIRST} {THEN}")
            await expect(agent.locator(".coming")).to_have_text(THEN)  # the first sentence was heard
            await page.keyboard.press("0")
            await expect(agent.locator(".coming")).to_have_count(0)
            await expect(agent.locator(".unheard span")).to_contain_text("behind the door.")
            await expect(agent).to_have_text(
                re.compile(r"Agent Sure, it is open\..* Interrupted here\. Not heard: .*behind the door\.")
            )
            await expect(page.locator("#status")).to_have_text(LISTENING)
            await page.keyboard.press("#")
            await expect(caller).to_have_count(2)
            await expect(agent.last).to_have_text("Agent bye")

    run(main())


def test_what_was_still_to_be_said_when_the_call_ended_is_not_taken_for_heard():
    async def main() -> None:
        async with serving(conversation()) as served, open_page(served.http) as page:
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(LISTENING)
            await page.keyboard.press("3")
            await expect(page.locator("#transcript .coming")).to_have_text(THEN)
            await page.click("#call")
            await expect(page.locator("#transcript .unheard")).to_have_text(f"The call ended here. Not heard: {THEN}")

    run(main())


def test_what_was_not_speech_after_all_disappears():
    async def main() -> None:
        async with serving(conversation()) as served, open_page(served.http) as page:
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(LISTENING)
            await page.keyboard.press("1")
            await expect(page.locator("#transcript .caller")).to_have_count(1)
            await page.keyboard.press("4")
            await expect(page.locator("#transcript .caller")).to_have_count(0)

    run(main())


def test_each_turn_has_its_latency_in_segments():
    async def main() -> None:
        async with serving(conversation()) as served, open_page(served.http) as page:
            turns = page.locator("#latency > li")
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(LISTENING)
            await page.keyboard.press("#")
            await expect(turns).to_have_count(1)
            await expect(page.locator("#status")).to_have_text(LISTENING)
            await page.keyboard.press("#")
            await expect(turns).to_have_count(2)
            await expect(turns.first.locator("summary")).to_contain_text("Turn 2")
            await expect(turns.first.locator(".figures .endpoint")).to_have_text("end of your turn500 ms")
            await expect(turns.first.locator(".figures li")).to_have_count(6)
            assert [await turn.locator("details").get_attribute("open") for turn in await turns.all()] == ["", None]
            widths = [(await bar.bounding_box() or {})["width"] for bar in await turns.locator(".waterfall").all()]
            assert max(widths) > 200
            assert min(widths) > 0

    run(main())


def test_keys_are_pressed_on_the_page_and_on_the_keyboard_during_a_call_only():
    async def main() -> None:
        conversing = conversation()
        async with serving(conversing) as served, open_page(served.http) as page:
            await page.keyboard.press("7")
            await page.get_by_role("button", name="Keypad").click()
            await expect(page.get_by_role("button", name="5")).to_be_disabled()
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(LISTENING)
            for key in "*58":
                await page.get_by_role("button", name=key, exact=True).click()
            await page.keyboard.press("9")
            await page.keyboard.press("Control+6")
            await page.keyboard.press("x")
            await page.get_by_role("button", name="1").focus()
            await page.keyboard.press("Enter")
            await until(lambda: len(conversing.keys.pressed) >= 5)
            assert conversing.keys.pressed == "*5891"

    run(main())


class WithoutItsKey(LLM):
    async def chat(self, messages: list[Message]) -> str:
        raise ProviderConnectionError("OpenAI refused the key (401): set OPENAI_API_KEY to one that is valid")


def test_what_fails_is_said_on_the_page_and_the_caller_hears_an_apology_alone():
    async def main() -> None:
        conversing = conversation()
        async with (
            serving(lambda call: conversing.with_model(call, WithoutItsKey())) as served,
            open_page(served.http) as page,
        ):
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(LISTENING)
            await page.keyboard.press("#")
            await expect(page.locator("#transcript .note")).to_have_text(
                "WithoutItsKey: OpenAI refused the key (401): set OPENAI_API_KEY to one that is valid"
            )
            await expect(page.locator("#transcript .agent")).to_contain_text("Sorry")
            await expect(page.locator("#transcript .agent")).not_to_contain_text("key")

    run(main())
