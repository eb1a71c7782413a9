"""Logging in, as a browser sees it: the page, the code of a refused socket, the end of an identity, pages of others."""

from __future__ import annotations

import time
from typing import Any

from auth.issuing import AUDIENCE, issuing
from browser.chromium import needs_chromium, open_page, run
from playwright.async_api import expect
from server.serving import serving, until

from voiceflow import Call, Element
from voiceflow.auth import AuthResult, CloudflareAccess
from voiceflow.auth.provider import Scope
from voiceflow.config.settings import Config

pytestmark = needs_chromium

LOGIN = "are not logged in, or your login is over: reload this page"
CLOSED = """([url, ...protocols]) => new Promise((resolve) => {
  new WebSocket(url, protocols).onclose = ({ code, reason }) => resolve([code, reason]);
})"""


class Users:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, call: Call) -> Element:
        if call.user is not None and call.user.user_id is not None:
            self.seen.append((call.user.user_id, call.user.provider))
        return call.source | call.sink


def test_a_browser_that_has_logged_in_calls_and_one_that_has_not_learns_it() -> None:
    users = Users()

    async def main() -> None:
        async with issuing() as issuer:
            config = Config(auth=(CloudflareAccess(issuer.url, AUDIENCE),))
            cookie = {"name": "CF_Authorization", "value": issuer.token()}
            async with (
                serving(users, config) as served,
                open_page(f"{served.http}/health", ready=False, ignore="401") as page,
            ):
                url = served.http.replace("http", "ws") + "/ws"
                assert await page.evaluate("async () => (await fetch('/')).status") == 401
                assert await page.evaluate(CLOSED, [url]) == [4001, "Unauthorized"]
                assert await page.evaluate(CLOSED, [url, "one", "two"]) == [4001, "Unauthorized"]
                await page.context.add_cookies([cookie | {"url": served.http}])
                await page.goto(served.http)
                await page.click("#call")
                await expect(page.locator("#status")).to_have_text("You hear yourself.")
                await until(lambda: users.seen == [("user-1", "cloudflare_access")])
                await page.click("#call")

    run(main())


def test_another_site_cannot_call_in_the_name_of_a_visitor_who_has_logged_in() -> None:
    async def main() -> None:
        async with issuing() as issuer:
            config = Config(auth=(CloudflareAccess(issuer.url, AUDIENCE),))
            cookie = {"name": "CF_Authorization", "value": issuer.token()}
            async with (
                serving(config=config) as served,
                serving() as other,
                open_page(f"{other.http}/health", ready=False, ignore="404") as page,
            ):
                await page.context.add_cookies([cookie | {"url": served.http}])
                url = served.http.replace("http", "ws") + "/ws"  # of the same site: the browser sends the cookie
                assert await page.evaluate(CLOSED, [url]) == [4001, "Unauthorized"]

    run(main())


def test_the_page_says_that_a_login_is_over() -> None:
    opened = 0

    async def authorize(scope: Scope) -> AuthResult | None:
        nonlocal opened
        if scope["type"] == "http":
            return AuthResult(True, "ann")
        opened += 1
        return AuthResult(True, "ann", expires=time.time() + 0.5) if opened == 1 else None

    async def main() -> None:
        async with serving(authorize=authorize) as served, open_page(served.http, ready=False) as page:
            await expect(page.locator("#status")).to_contain_text(LOGIN)
            await until(lambda: opened > 1)  # it tries again
            await expect(page.locator("#status")).to_contain_text(LOGIN)

    run(main())
