"""The client's WebSocket when the server does not answer, or is away for long. The page's clock is the test's."""

import json
from itertools import pairwise

import pytest
from browser.chromium import needs_chromium, open_page, run
from playwright.async_api import Page, WebSocketRoute, expect
from server.serving import serving, until

pytestmark = [needs_chromium, pytest.mark.slow]


class Answering:
    """In the server's place: answers what it is told to, and counts the sockets."""

    def __init__(self, *answered: str) -> None:
        self.answered = answered
        self.sockets: list[WebSocketRoute] = []
        self.asked: list[str] = []

    async def install(self, page: Page) -> None:
        await page.clock.install()
        await page.route_web_socket("**/ws", self._open)
        await page.reload()

    def _open(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        socket.on_message(lambda message: self._answer(socket, json.loads(message)["type"]))

    def _answer(self, socket: WebSocketRoute, kind: str) -> None:
        self.asked.append(kind)
        if kind in self.answered:
            socket.send(json.dumps({"type": "pong"} if kind == "ping" else {"type": "hello_ack", "ice_servers": []}))


def test_a_socket_that_answers_no_more_is_replaced():
    async def main() -> None:
        server = Answering("hello")
        async with serving() as served, open_page(served.http) as page:
            await server.install(page)
            await expect(page.locator("#call")).to_be_enabled()
            await page.clock.run_for(30_000)
            await until(lambda: server.asked == ["hello", "ping"])
            await page.clock.run_for(15_000)
            await expect(page.locator("#status")).to_contain_text("cannot be reached")
            await page.clock.run_for(500)
            await until(lambda: len(server.sockets) == 2)
            await expect(page.locator("#status")).to_have_text("Ready. Press Call and talk.")

    run(main())


def test_a_socket_that_is_answered_stays():
    async def main() -> None:
        server = Answering("hello", "ping")
        async with serving() as served, open_page(served.http) as page:
            await server.install(page)
            await expect(page.locator("#call")).to_be_enabled()
            for pings in range(1, 4):
                await page.clock.run_for(30_000)
                await until(lambda pings=pings: server.asked == ["hello", *["ping"] * pings])
            assert len(server.sockets) == 1

    run(main())


def test_attempts_become_rarer_up_to_four_a_minute():
    script = """async () => {
        const { VoiceflowClient } = await import("/voiceflow-client.js");
        window.lost = [];
        window.client = new VoiceflowClient({ signalingUrl: "/none" });
        client.addEventListener("lost", () => lost.push(Date.now()));
    }"""

    async def main() -> None:
        closed: list[WebSocketRoute] = []

        async def refuse(socket: WebSocketRoute) -> None:
            closed.append(socket)
            await socket.close()

        async with serving() as served, open_page(served.http) as page:
            await page.clock.install()
            await page.route_web_socket("**/none", refuse)
            await page.reload()
            await page.evaluate(script)
            for attempts in range(1, 9):
                await until(lambda attempts=attempts: len(closed) == attempts)
                while len(await page.evaluate("lost")) < attempts:
                    pass
                while len(closed) == attempts:
                    await page.clock.run_for(100)
            lost = await page.evaluate("lost")
            waits = [(after - before) / 1000 for before, after in pairwise(lost)]
            for wait, most in zip(waits, (0.5, 1, 2, 4, 8, 15, 15), strict=False):
                assert most / 2 - 0.1 <= wait <= most + 0.2
            await page.evaluate("client.destroy()")
            await page.clock.run_for(60_000)
            assert len(closed) == 9

    run(main())


@pytest.mark.parametrize("answered", ["hello", ""])
def test_a_call_that_the_server_does_not_answer_fails(answered: str):
    async def main() -> None:
        server = Answering("hello")
        async with serving() as served, open_page(served.http) as page:
            await server.install(page)
            await expect(page.locator("#call")).to_be_enabled()
            server.answered = (answered,)
            await page.click("#call")
            await until(lambda: server.asked[1:] == ["hello", "webrtc_offer"][: 2 if answered else 1])
            await page.clock.run_for(15_000)
            await expect(page.locator("#status")).to_have_text("The call failed: the server does not answer.")
            await expect(page.locator("#call")).to_have_text("Call")
            assert server.asked[-1] == "hangup"

    run(main())
