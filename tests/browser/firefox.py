"""Firefox, driven over Marionette, its own protocol: lengths and JSON over TCP.

Its devices are fake, a tone in the place of a microphone, and it hides its addresses, as it does until a page was
granted a device of the machine's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from server import serving

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
needs_firefox = pytest.mark.skipif(FIREFOX is None, reason="no Firefox here: apt-get install firefox-esr")
START: Final = 150.0
"""Seconds within which it must have started, and then within which it must have made a window."""
TEST: Final = 120.0
"""Seconds within which a test must have ended."""
PREFERENCES: Final = {
    "marionette.port": 0,
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "browser.newtabpage.enabled": False,
    "browser.startup.homepage": "about:blank",
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


class Firefox:
    """A browser that is shared by all tests. Each has a session and a window of its own."""

    def __init__(self) -> None:
        assert FIREFOX is not None
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        profile = Path(self._folder.name)
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines))
        self._process = subprocess.Popen(
            [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(profile)],
            env={**os.environ, "HOME": str(profile)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.port = self._await_port(profile / "MarionetteActivePort")
        asyncio.run(self._warm_up())

    async def _warm_up(self) -> None:
        """Have it make its first window, which takes long where the machine is busy."""
        async with asyncio.timeout(START), marionette(self.port):
            pass

    def _await_port(self, file: Path) -> int:
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            if file.exists() and (text := file.read_text()):
                return int(text)
            assert self._process.poll() is None, "Firefox has ended by itself"
            time.sleep(0.05)
        raise AssertionError(f"Firefox has not started within {START:g} s")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


@functools.cache
def firefox() -> Firefox:
    return Firefox()


@pytest.fixture(scope="session", autouse=True)
def shared_firefox() -> Iterator[None]:
    """Closes the browser after the last test."""
    yield
    if firefox.cache_info().currsize:
        firefox().close()
        firefox.cache_clear()


class FirefoxPage:
    """A page in a session of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)

    async def evaluate(self, expression: str) -> Any:
        """What an expression of JavaScript comes to, or what its promise resolves to."""
        return await self.command("WebDriver:ExecuteScript", script=f"return {expression}", args=[])

    async def command(self, name: str, **parameters: Any) -> Any:
        id = next(self._ids)
        message = json.dumps([0, id, name, parameters]).encode()
        self._writer.write(b"%d:%s" % (len(message), message))
        _, answered, error, result = await self.read()
        assert answered == id
        assert error is None, error["message"]
        return result.get("value", result) if isinstance(result, dict) else result

    async def read(self) -> Any:
        size = int((await self._reader.readuntil(b":"))[:-1])
        return json.loads(await self._reader.readexactly(size))


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test that uses Firefox."""
    firefox()
    serving.run(main, seconds=TEST)


@contextlib.asynccontextmanager
async def open_firefox(url: str) -> AsyncIterator[FirefoxPage]:
    """The page at `url`."""
    async with marionette(firefox().port) as page:
        await page.command("WebDriver:Navigate", url=url)
        yield page
        await page.command("WebDriver:Navigate", url="about:blank")


@contextlib.asynccontextmanager
async def marionette(port: int) -> AsyncIterator[FirefoxPage]:
    """A session of the Firefox at this port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    page = FirefoxPage(reader, writer)
    try:
        assert (await page.read())["marionetteProtocol"] == 3
        await page.command("WebDriver:NewSession")
        await page.command("WebDriver:SetTimeouts", script=100_000)
        yield page
        await page.command("WebDriver:DeleteSession")
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
