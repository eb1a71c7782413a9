"""A real browser that presses the page's buttons, speaks with a recording and hears what comes back."""

from __future__ import annotations

import base64
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.async_api import Browser, ConsoleMessage, Page

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
RATE = 48_000
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")

Microphone = Literal["granted", "refused", "missing"]
DEVICE = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={SPEECH}"]
MICROPHONES: dict[Microphone, list[str]] = {
    "granted": ["--use-fake-ui-for-media-stream", *DEVICE],
    "refused": ["--deny-permission-prompts", *DEVICE],
    "missing": ["--use-fake-ui-for-media-stream"],
}
HOST = "voice.test"
"""A name by which the browser finds this machine, as it would find another."""
NETWORK = "net::ERR_"
"""What a browser's own complaints about a server that is away contain."""

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
  navigator.mediaDevices.getUserMedia = async () => {
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
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


@contextlib.asynccontextmanager
async def open_browser(microphone: Microphone = "granted") -> AsyncIterator[Browser]:
    from playwright.async_api import async_playwright

    options = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {HOST} 127.0.0.1"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*options, *MICROPHONES[microphone]])
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def open_page(
    url: str, *, microphone: Microphone = "granted", ready: bool = True, ignore: str | None = None, **options: Any
) -> AsyncIterator[Page]:
    """The page at `url`, when it can call (if it is to be `ready`). Errors on its console fail the test, but for those
    that contain `ignore`."""
    from playwright.async_api import expect

    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not (ignore and ignore in message.text):
            errors.append(message.text)

    async with open_browser(microphone) as browser:
        page = await browser.new_page(**{"viewport": {"width": 1000, "height": 800}} | options)
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.add_init_script(TAP)
        await page.goto(url)
        if ready:
            await expect(page.locator("#call")).to_be_enabled()
        yield page
    assert errors == []


async def recording(page: Page) -> NDArray[np.float32]:
    """What the page heard since `record()`, as samples at 48 kHz."""
    return np.frombuffer(base64.b64decode(await page.evaluate("recorded()")), np.float32)
