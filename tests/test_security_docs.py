"""The figures in docs/security.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from voiceflow.call_limits import Limits
from voiceflow.security import marks, tokens, transfers
from voiceflow.server import (
    connections,
    http,
    mediastreams,
    offer_rates,
    pacing,
    refusals,
    signaling,
    uvicorn_limits,
    webhooks,
    websocket,
)
from voiceflow.transports import media_stream, rest_control
from voiceflow.transports.carriers.telnyx import signature
from voiceflow.transports.webrtc import offer

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "security.md").read_text()
FIGURES = {
    "head of a request": f"{http.LARGEST_HEAD // 1024} KiB",
    "trailers and frames of chunks, beyond as much as the body": f"{http.LARGEST_HEAD // 1024} KiB",
    "body of a webhook": f"{webhooks.LARGEST_BODY // 1024} KiB",
    "time for a request to arrive": f"{http.REQUEST:g} s",
    "connections of an address that has not shown who it is": f"{connections.STRANGERS_OF_A_PEER}",
    "time of a process for what all such addresses send, while more of it waits": {0.5: "half"}[pacing.SHARE],
    "first messages of a stream": (
        f"{mediastreams.MESSAGES_BEFORE_START}, with {mediastreams.BYTES_BEFORE_START // 1024} KiB, "
        f"within {mediastreams.HANDSHAKE:g} s"
    ),
    "message of a media stream": f"{uvicorn_limits.LARGEST_MESSAGE // 1024} KiB",
    "a peer that does not read is cut off after": f"{websocket.UNREAD:g} s",
    "signaling of a browser, in the long run": f"{signaling.RATE:g} messages a second",
    "offers of a browser that may call": (
        f"{offer_rates.BURST_OF_PEER} at once, {offer_rates.RATE_OF_PEER:g} a second in the long run; then 429"
    ),
    "... of all browsers": f"{offer_rates.BURST} at once, {offer_rates.RATE:g} a second",
    "candidates of a browser's connection, media lines and lines of its offer": (
        f"{offer.MOST_CANDIDATES}, {offer.MOST_MEDIA}, {offer.MOST_LINES}"
    ),
    "audio from a carrier": f"{media_stream.FASTEST:g} times as fast as it is spoken",
    "validity of a stream token": f"{tokens.LIFETIME} s, once",
    "validity of a signature of Telnyx": f"{signature.TOLERANCE // 60} minutes",
    "a call": f"{Limits().call / 60:g} minutes, of which {Limits().idle / 60:g} minutes in silence",
    "transfers of a call": f"{transfers.TRANSFERS}, of {rest_control.LONGEST_TRANSFER / 60:g} minutes each",
    "digits of a call": f"{transfers.DIGITS}",
}


@pytest.mark.parametrize("limit", FIGURES)
def test_a_limit_that_is_documented_is_that_of_the_code(limit: str) -> None:
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE))
    assert rows[limit] == FIGURES[limit]


def test_how_often_a_peer_is_named_is_as_documented() -> None:
    assert f"the first of each peer in {refusals.WHILE:g} s" in PAGE


def test_how_long_the_first_answers_to_webhooks_are_kept_is_as_documented() -> None:
    assert (marks.KEPT, marks.MANY, marks.KEPT_OF_MANY) == (24 * 3600, 10_000, 3600)
    assert "for a day; where there are more than 10 000, for an hour" in PAGE
