"""Whether the browser is still there is asked of its ICE agent: a caller may be muted, and have no data channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from webrtc.browser import Browser, connected, live, start, until

from voiceflow.transports.webrtc import ice
from voiceflow.transports.webrtc import source_sink as ends


@pytest.mark.parametrize("make", [lambda: Browser(channel=False), lambda: Browser(label="chat")])
def test_a_caller_who_takes_the_microphone_away_is_still_there_until_they_are_gone(
    make: Callable[[], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends, "VANISHED", 2.0)
    monkeypatch.setattr(ice, "PING", 0.2)
    monkeypatch.setattr(ice, "LOOK", 0.1)

    async def main() -> None:
        browser = make()
        async with connected(browser) as session:
            _, running = start(session)
            await until(lambda: len(browser.heard()))
            browser.connection.getSenders()[0].replaceTrack(None)
            await asyncio.sleep(1.5 * ends.VANISHED)
            assert not running.done()
            await browser.vanish()
            assert "nothing came from the browser" in (await running).reason

    live(main())
