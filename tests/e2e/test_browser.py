"""A person talks to the assistant from the page: a real browser, real engines."""

import asyncio

import httpx
from browser.chromium import HUNG_UP, needs_chromium, open_page, run, shared_browser
from e2e.serving import Assistant
from playwright.async_api import expect

PATIENCE = 60_000
"""Milliseconds: engines share the machine with the browser."""
WATCHDOG = 180.0
"""Seconds after which the test has failed."""

__all__ = ["shared_browser"]


@needs_chromium
def test_what_both_say_appears_on_the_page(assistant: Assistant) -> None:
    async def main() -> None:
        async with open_page(assistant.page) as page:
            await page.click("#call")
            said = page.locator("#transcript .caller").filter(has_text="appointment")
            await expect(said.first).to_be_visible(timeout=PATIENCE)
            answer = page.locator("#transcript .caller + .agent")
            await expect(answer.first).to_contain_text("a", timeout=PATIENCE)
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(HUNG_UP)
        async with httpx.AsyncClient() as client:
            while (await client.get(f"{assistant.page}/health")).json()["active_calls"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    run(main(), seconds=WATCHDOG)
