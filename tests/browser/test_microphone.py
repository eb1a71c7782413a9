"""A microphone that is refused, missing, out of reach or slow: the page says what to do, and goes on."""

import pytest
from browser.chromium import HOST, HUNG_UP, Microphone, needs_chromium, open_page, run
from playwright.async_api import Page, expect
from server.serving import serving, until

pytestmark = needs_chromium


async def call_and_be_told(page: Page, words: str) -> None:
    """Twice: the page must be as usable after the first time as before."""
    for _ in range(2):
        await expect(page.locator("#call")).to_have_text("Call")
        await page.click("#call")
        await expect(page.locator("#status.problem")).to_contain_text(words)
        await expect(page.locator("#call")).to_be_enabled()


@pytest.mark.parametrize(
    ("microphone", "words"),
    [("refused", "allow it for this page in the address bar"), ("missing", "connect one, then call again")],
)
def test_who_has_no_microphone_is_told_what_to_do(microphone: Microphone, words: str):
    async def main() -> None:
        async with serving() as served, open_page(served.http, microphone=microphone) as page:
            await call_and_be_told(page, words)
            assert not served.server.calls.active

    run(main())


def test_a_page_on_plain_http_from_elsewhere_says_how_to_open_it():
    async def main() -> None:
        async with serving(open=True) as served, open_page(f"http://{HOST}:{served.port}") as page:
            await call_and_be_told(page, "open this page by https, or on localhost")

    run(main())


def test_a_page_from_elsewhere_that_may_not_call_says_so():
    async def main() -> None:
        async with serving() as served, open_page(f"http://{HOST}:{served.port}", ready=False) as page:
            await expect(page.locator("#status")).to_contain_text("open the link that was printed at start")
            await expect(page.locator("#call")).to_be_disabled()

    run(main())


def test_a_microphone_that_is_granted_after_hanging_up_is_let_go():
    async def main() -> None:
        async with serving() as served, open_page(served.http) as page:
            await page.evaluate("window.permission = new Promise((resolve) => (window.grant = resolve)), null")
            await page.click("#call")
            await expect(page.locator("#call")).to_have_text("Hang up")
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text(HUNG_UP)
            await page.evaluate("grant()")
            while not await page.evaluate("microphones.some(({ readyState }) => readyState === 'ended')"):
                pass
            await page.click("#call")
            await expect(page.locator("#status")).to_have_text("You hear yourself.")
            await until(lambda: len(served.server.calls.active) == 1)
            await page.click("#call")
            await until(lambda: not served.server.calls.active)

    run(main())
