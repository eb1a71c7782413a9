"""How calls from a page end, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import signal
import time
from collections.abc import AsyncIterator

import pytest
import uvicorn
from aiortc import RTCPeerConnection
from browser.chromium import LISTENING, NETWORK, needs_chromium, open_page, run
from browser.scripted import Scripted
from launching import free_port
from playwright.async_api import Page, expect
from server.serving import Served, Uvicorn, serving, until

from voiceflow import DTMF, Call, CallError, Processor
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.server.launch import uvicorn_settings
from voiceflow.server.server import Server

pytestmark = [needs_chromium, pytest.mark.slow]

VANISHED = 5.0
"""Seconds after which a call must have ended whose browser is gone without a word."""
LATE = 1.0
"""Seconds that a busy machine may add."""


def open_connections() -> list[RTCPeerConnection]:
    return [one for one in gc.get_objects() if type(one) is RTCPeerConnection and one.connectionState != "closed"]


async def call(page: Page) -> None:
    await page.click("#call")
    await expect(page.locator("#status")).to_have_text(LISTENING)


async def at_rest(served: Served) -> None:
    await until(lambda: not served.server.calls.active and not open_connections())


def silence() -> Scripted:
    return Scripted({}, {})


@pytest.mark.parametrize("by", ["the button", "leaving the page", "closing the page"])
def test_a_call_ends_at_once_when_the_caller_hangs_up_by(by: str):
    async def main() -> None:
        async with serving(silence()) as served, open_page(served.http) as page:
            await call(page)
            began = time.monotonic()
            match by:
                case "the button":
                    await page.click("#call")
                case "leaving the page":
                    await page.goto("about:blank")
                case "closing the page":
                    await page.close()
            await at_rest(served)
            assert time.monotonic() - began < LATE
            assert await served.active_calls() == 0

    run(main())


def test_a_call_ends_soon_when_the_browser_is_killed():
    async def main() -> None:
        async with serving(silence()) as served, open_page(served.http, own=True) as page:
            await call(page)
            browser = page.context.browser
            assert browser is not None
            session = await browser.new_browser_cdp_session()
            processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
            began = time.monotonic()
            for process in sorted(processes, key=lambda process: process["type"] != "browser"):
                os.kill(process["id"], signal.SIGKILL)
            await at_rest(served)
            assert time.monotonic() - began < VANISHED + LATE

    run(main())


def test_a_quiet_call_goes_on():
    async def main() -> None:
        async with serving(silence()) as served, open_page(served.http) as page:
            await call(page)
            pongs = "messages.filter(({ type }) => type === 'pong').length"
            while await page.evaluate(pongs) < VANISHED + 1:  # one comes each second
                pass
            await expect(page.locator("#status")).to_have_text(LISTENING)

    run(main())


def test_a_page_that_hears_nothing_more_of_its_server_says_so():
    async def main() -> None:
        async with serving(silence()) as served, open_page(served.http) as page:
            await page.clock.install()
            await page.reload()
            await expect(page.locator("#call")).to_be_enabled()
            await call(page)
            await page.evaluate("channels.at(-1).onmessage = null")
            await page.clock.run_for(VANISHED * 1000)
            await expect(page.locator("#status")).to_have_text(LISTENING)
            await page.clock.run_for(LATE * 1000)
            await expect(page.locator("#status")).to_have_text("The call failed: the connection to the server broke.")
            await at_rest(served)

    run(main())


def test_a_call_that_the_agent_ends_is_over_on_the_page():
    async def main() -> None:
        async with serving(silence()) as served, open_page(served.http) as page:
            await call(page)
            (active,) = served.server.calls.active
            await active.hangup()
            await expect(page.locator("#status")).to_have_text("Call ended: hung up.")
            await expect(page.locator("#call")).to_have_text("Call")
            await at_rest(served)
            await call(page)

    run(main())


class Broken(Processor):
    def process(self, frame: DTMF) -> DTMF:
        return frame

    async def open(self, call: Call) -> None:
        raise CallError("its model does not answer")


def test_a_call_whose_pipeline_does_not_open_is_over_at_once():
    async def main() -> None:
        async with serving(lambda call: call.source | Broken() | call.sink) as served, open_page(served.http) as page:
            for _ in range(2):
                await page.click("#call")
                await expect(page.locator("#status")).to_have_text(re.compile("The call failed|Call ended"))
                await expect(page.locator("#call")).to_have_text("Call")
            await at_rest(served)

    run(main())


@contextlib.asynccontextmanager
async def serving_at(port: int) -> AsyncIterator[None]:
    server = Uvicorn(
        uvicorn.Config(Server(silence(), Config(), Routes(), b"key"), port=port, **uvicorn_settings(Config()))
    )
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started or task.done())
    try:
        yield
    finally:
        server.stop.set()
        await task


def test_a_page_outlives_its_server_and_calls_the_next_one():
    async def main() -> None:
        port = free_port()
        async with contextlib.AsyncExitStack() as stack:
            async with serving_at(port):
                page = await stack.enter_async_context(open_page(f"http://127.0.0.1:{port}", ignore=NETWORK))
                await call(page)
            await expect(page.locator("#status")).to_have_text("The server cannot be reached. Trying again …")
            await expect(page.locator("#call")).to_have_text("Call")
            await expect(page.locator("#call")).to_be_disabled()
            async with serving_at(port):
                await expect(page.locator("#status")).to_have_text("Ready. Press Call and talk.")
                await call(page)
                await page.click("#call")

    run(main())
