"""What server and page tell each other over the data channel: JSON texts, told apart by their `type`.

    {"type":"transcript","text":"good mor","final":false}        to the page
    {"type":"dtmf","digit":"5"}                                  from it

Times are in seconds.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from voiceflow.errors import VoiceflowError

LABEL: Final = "voiceflow"
"""Of the data channel, which the page opens."""
LARGEST: Final = 4096
"""Bytes of a message from the page."""

Digit = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-D*#]\Z")]


class PageMessage(msgspec.Struct, frozen=True, tag_field="type", tag=lambda name: name.removeprefix("Page").lower()):
    """A message; its `type` is the name of its class without `Page`, in small letters."""


# To the page


class PageTranscript(PageMessage, frozen=True):
    """What the caller says. Interims replace each other, a final one replaces them."""

    text: str
    final: bool


class PageReply(PageMessage, frozen=True):
    """What the agent says. A later one with the same `id` replaces it."""

    id: int
    text: str
    """What it is meant to say, as far as that is known."""
    heard: str
    """The words of it that have been heard."""
    done: bool
    """Nothing more of it will be heard."""
    interrupted: bool
    """It was cut short after `heard`."""


class PageState(PageMessage, frozen=True):
    """What the agent does now."""

    state: Literal["listening", "thinking", "speaking"]


class PageSpeech(PageMessage, frozen=True):
    """Whether the caller speaks."""

    speaking: bool


class PageClear(PageMessage, frozen=True):
    """The agent was interrupted: be silent at once, until `PageState` says "speaking" again."""


class PageLatency(PageMessage, frozen=True):
    """How long each part of a turn took, in order."""

    turn: int
    stages: dict[str, float]


class PageEnded(PageMessage, frozen=True):
    """The call is over."""

    reason: str


# From the page


class PageDtmf(PageMessage, frozen=True):
    """A key was pressed."""

    digit: Digit


class PageHangup(PageMessage, frozen=True):
    """The caller hangs up."""


# Both ways


class PagePing(PageMessage, frozen=True):
    """Answer with `PagePong`."""


class PagePong(PageMessage, frozen=True):
    """The answer to `PagePing`."""


ToPage: TypeAlias = (
    PageTranscript | PageReply | PageState | PageSpeech | PageClear | PageLatency | PageEnded | PagePing | PagePong
)
FromPage: TypeAlias = PageDtmf | PageHangup | PagePing | PagePong


class MessageError(VoiceflowError):
    """A message that is none of `FromPage`."""


_decode: Any = msgspec.json.Decoder(FromPage).decode
_encode = msgspec.json.Encoder().encode


def encode(message: ToPage) -> str:
    return _encode(message).decode()


def decode(data: str | bytes) -> FromPage:
    """Read a message from the page. Raises `MessageError`."""
    if not isinstance(data, str):
        raise MessageError(f"expected text; got a binary message of {len(data)} bytes")
    if len(data) > LARGEST:
        raise MessageError(f"expected at most {LARGEST} characters; got {len(data)}")
    try:
        message: FromPage = _decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MessageError(f"expected a message from the page: {error}; got {data[:100]!r}") from None
    return message
