"""Where the signaling of a page is."""

from __future__ import annotations

import pytest

from voiceflow import ProviderConnectionError
from voiceflow.simulator.signaling import signaling_url


@pytest.mark.parametrize(
    ("url", "signaling"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/ws"),
        ("https://voice.example.com/talk?to=me", "wss://voice.example.com/ws"),
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
