"""A real browser that presses the page's buttons, speaks with a recording and hears what comes back."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from playwright.async_api import Error
from server.serving import WATCHDOG, loop_factory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.async_api import Browser, ConsoleMessage, Page, Playwright

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
RATE = 48_000
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")

Microphone = Literal["granted", "refused", "missing"]
HOST = "voice.test"
"""A name by which the browser finds this machine, as it would find another."""
LISTENING, SPEAKING = "The agent is listening.", "The agent is speaking."
"""What the page says of a call that is up."""
HUNG_UP = "Call ended: you hung up."
NETWORK = "net::ERR_"
"""What a browser's own complaints about a server that is away contain."""
OPTIONS = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {HOST} 127.0.0.1", "--deny-permission-prompts"]
DEVICES = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={SPEECH}"]

TAP = """
window.peers = [];
window.messages = [];
window.channels = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) {
    super(...options);
    window.peers.push(this);
  }
  createDataChannel(...options) {
    const channel = super.createDataChannel(...options);
    window.channels.push(channel);
    channel.addEventListener("message", ({ data }) => {
      window.messages.push({ at: performance.now(), ...JSON.parse(data) });
    });
    return channel;
  }
};
window.microphones = [];
if (navigator.mediaDevices) {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  window.permission = Promise.resolve();
  navigator.mediaDevices.getUserMedia = async ({ audio: { deviceId } }) => {
    const audio = { deviceId, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    await window.permission;
    const stream = await open({ audio });
    window.microphones.push(...stream.getTracks());
    return stream;
  };
}
window.record = (size = 1024) => {
  const context = new AudioContext({ sampleRate: 48000 });
  const tracks = window.peers.at(-1).getReceivers().map((receiver) => receiver.track);
  const source = context.createMediaStreamSource(new MediaStream(tracks.filter((track) => track.kind === "audio")));
  const tap = context.createScriptProcessor(size, 1, 1);
  window.heard = [];
  window.loudness = [];
  tap.onaudioprocess = ({ inputBuffer }) => {
    const samples = inputBuffer.getChannelData(0).slice();
    window.heard.push(samples);
    window.loudness.push({ at: performance.now(), peak: Math.max(...samples.map(Math.abs)) });
  };
  source.connect(tap).connect(context.destination);
};
window.recorded = () => {
  const samples = new Float32Array(window.heard.flatMap((piece) => [...piece]));
  let bytes = "";
  for (const byte of new Uint8Array(samples.buffer)) bytes += String.fromCharCode(byte);
  return btoa(bytes);
};
"""
"""What a test needs of the page that the page itself does not: the peer connections, what came over the data channel,
and the agent's audio by WebAudio. The microphone is left as it is, for what is measured is ours and not the browser's
noise suppression; it is granted when `permission` resolves."""


class Chromium:
    """A browser and the loop that drives it, shared by all tests: to start them takes longer than most tests."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=loop_factory)
        self._stack = contextlib.AsyncExitStack()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def run(self, main: Coroutine[Any, Any, None], seconds: float) -> None:
        """Run a test, which leaves no task behind but those that drive the browser. It has failed after `seconds`."""
        self._runner.run(self._checked(main, seconds))

    async def _checked(self, main: Coroutine[Any, Any, None], seconds: float) -> None:
        await self.browser()
        before = asyncio.all_tasks()
        async with asyncio.timeout(seconds):
            await main
            while left := asyncio.all_tasks() - before:  # a client's own may take a moment
                await asyncio.wait(left)

    async def browser(self) -> Browser:
        if self._browser is None:
            self._browser = await self.launch(*DEVICES)
        return self._browser

    async def launch(self, *options: str) -> Browser:
        """Another browser. It is closed with the shared one, if not before."""
        from playwright.async_api import async_playwright

        if self._playwright is None:
            self._playwright = await self._stack.enter_async_context(async_playwright())
        browser = await self._playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, *options])
        self._stack.push_async_callback(browser.close)
        return browser

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()


@functools.cache
def chromium() -> Chromium:
    return Chromium()


@pytest.fixture(scope="session", autouse=True)
def shared_browser() -> Iterator[None]:
    """Closes the browser after the last test. Several folders of tests import this, and each gets a fixture of it."""
    yield
    if chromium.cache_info().currsize:
        chromium().close()
        chromium.cache_clear()


def run(main: Coroutine[Any, Any, None], *, seconds: float = WATCHDOG) -> None:
    """Run a test with the shared browser, within `seconds`."""
    chromium().run(main, seconds)


@contextlib.asynccontextmanager
async def open_page(
    url: str,
    *,
    microphone: Microphone = "granted",
    ready: bool = True,
    ignore: str | None = None,
    own: bool = False,
    **options: Any,
) -> AsyncIterator[Page]:
    """The page at `url`, when it can call (if it is to be `ready`), in a browser of its `own` if asked. Errors on its
    console fail the test, but for those that contain `ignore`."""
    from playwright.async_api import expect

    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not (ignore and ignore in message.text):
            errors.append(message.text)

    if microphone == "missing":
        browser = await chromium().launch()
    else:
        browser = await (chromium().launch(*DEVICES) if own else chromium().browser())
    permissions = ["microphone"] if microphone != "refused" else []
    context = await browser.new_context(
        **{"viewport": {"width": 1000, "height": 800}, "locale": "en-US", "permissions": permissions} | options
    )
    try:
        page = await context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.add_init_script(TAP)
        await page.goto(url)
        if ready:
            await expect(page.locator("#call")).to_be_enabled()
        yield page
    finally:
        with contextlib.suppress(Error) if own else contextlib.nullcontext():
            await context.close()
    assert errors == []


async def refuse_microphones(page: Page, error: str) -> None:
    """Let the browser give the page no further microphone, with the `DOMException` of this name."""
    refuse = """(name) => {
      window.permission = Promise.reject(new DOMException("", name));
      window.permission.catch(() => {});
    }"""
    await page.evaluate(refuse, error)


async def becomes(page: Page, expression: str) -> None:
    """Wait until `expression` is true. Playwright's `wait_for_function` would need `eval`, which the page forbids."""
    while not await page.evaluate(expression):
        pass


async def recording(page: Page) -> NDArray[np.float32]:
    """What the page heard since `record()`, as samples at 48 kHz."""
    return np.frombuffer(base64.b64decode(await page.evaluate("recorded()")), np.float32)
