"""Where the signaling of a page is, and who may come in by it."""

from __future__ import annotations

import re

import pytest
from server.programs import in_fastapi, serving
from server.serving import echo, run

from voiceflow import ProviderConnectionError
from voiceflow.config.settings import Config
from voiceflow.server import app
from voiceflow.simulator.signaling import connect, signaling_url


@pytest.mark.parametrize(
    ("url", "signaling"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/ws"),
        ("https://voice.example.com/talk?to=me", "wss://voice.example.com/ws"),
        ("https://voice.example.com/voice/?key=secret", "wss://voice.example.com/voice/ws"),
        ("http://[::1]:80/", "ws://[::1]:80/ws"),
        ("wss://voice.example.com/calls/ws", "wss://voice.example.com/calls/ws"),
    ],
)
def test_it_is_beside_the_page_or_where_it_is_said_to_be(url: str, signaling: str) -> None:
    assert signaling_url(url) == signaling


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://a", "http://", "http://[::1", ""])
def test_what_is_no_page_is_refused(url: str) -> None:
    with pytest.raises(ProviderConnectionError, match="expected one such as http"):
        signaling_url(url)


def test_the_link_that_opens_a_page_lets_its_caller_in_and_the_bare_address_says_what_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def says_hello(url: str) -> None:
        signaling = await connect(url)
        try:
            await signaling.ask("hello_ack", type="hello")
        finally:
            await signaling.close()

    async def main() -> None:
        async with serving(in_fastapi("/voice", app(echo, config=Config()))) as running:
            (key,) = re.findall(r"this link, .*/\?key=(\S+)", caplog.text)
            await says_hello(f"{running.http}/voice/?key={key}")
            for other in ("", "?key=", "?key=wrong"):
                with pytest.raises(ProviderConnectionError, match="the connection: refused; call the link"):
                    await says_hello(f"{running.http}/voice/{other}")

    run(main())
