"""Our own page in Firefox."""

import asyncio

from browser.firefox import FirefoxPage, needs_firefox, open_firefox, run
from browser.scripted import Scripted
from server.serving import serving, until

from voiceflow import DTMF, Call, Processor

pytestmark = needs_firefox

CALL = "document.querySelector('#call')"
SEVEN = "[...document.querySelectorAll('#keypad button')].find((key) => key.textContent === '7')"


async def becomes(page: FirefoxPage, expression: str) -> None:
    while not await page.evaluate(expression):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def test_a_call_is_up_although_all_of_its_addresses_are_hidden():
    pressed = []

    class Keys(Processor):
        def process(self, frame: DTMF) -> DTMF:
            pressed.append(frame.digit)
            return frame

    def build(call: Call) -> Processor:
        return call.source | Keys() | call.sink

    async def main() -> None:
        async with serving(build) as served, open_firefox(served.http) as page:
            await becomes(page, f"!{CALL}.disabled")
            await page.evaluate(f"{CALL}.click()")
            await until(lambda: bool(served.server.calls.active))
            while not pressed:
                await page.evaluate(f"{SEVEN}.click()")
                await asyncio.sleep(0.2)
            assert pressed[0] == "7"
            await page.evaluate(f"{CALL}.click()")
            await until(lambda: not served.server.calls.active)

    run(main())


def test_leaving_the_page_ends_the_call():
    async def main() -> None:
        async with serving(Scripted({}, {})) as served:
            async with open_firefox(served.http) as page:
                await becomes(page, f"!{CALL}.disabled")
                await page.evaluate(f"{CALL}.click()")
                await until(lambda: bool(served.server.calls.active))
            await until(lambda: not served.server.calls.active)

    run(main())


def test_the_page_says_what_goes_on_mutes_and_lists_what_can_be_chosen():
    status = "document.querySelector('#status').textContent"
    names = "[...document.querySelectorAll('#microphone option')].map(({ text }) => text)"

    async def main() -> None:
        async with serving(Scripted({}, {})) as served, open_firefox(served.http) as page:
            await becomes(page, f"{status} === 'Ready. Press Call and talk.'")
            await page.evaluate(f"{CALL}.click()")
            await becomes(page, f"{status} === 'The agent is listening.'")
            await becomes(page, f"{names}.length === 2 && {names}[0] === 'System default'")
            await page.evaluate("document.querySelector('#mute').click()")
            assert await page.evaluate(status) == "You are muted."
            assert await page.evaluate("document.querySelector('#mute').getAttribute('aria-pressed')") == "true"
            await page.evaluate(f"{CALL}.click()")
            assert await page.evaluate(status) == "Call ended: you hung up."

    run(main())
