"""The messages between server and page on the data channel: JSON texts, told apart by their `type`.

    {"type":"transcript","text":"good mor","final":false}        to the page
    {"type":"dtmf","digit":"5"}                                  from it

Times are in seconds.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from voiceflow.errors import VoiceflowError
from voiceflow.transports.dialect import UNREADABLE

LABEL: Final = "voiceflow"
"""The label of the data channel, which the page opens."""
LARGEST: Final = 4096
"""Characters that a message from the page may have."""

Digit = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-D*#]\Z")]


class PageMessage(msgspec.Struct, frozen=True, tag_field="type", tag=lambda name: name.removeprefix("Page").lower()):
    """A message. Its `type` is the name of its class without `Page`, in lower case."""


# To the page


class PageTranscript(PageMessage, frozen=True):
    """What the caller says. Interims replace each other, and the final transcript replaces them."""

    text: str
    final: bool


class PageReply(PageMessage, frozen=True):
    """A reply of the agent. A later message with the same `id` replaces an earlier one."""

    id: int
    text: str
    """The text of the reply, as far as it is known."""
    heard: str
    """The words of the reply that the caller has heard."""
    done: bool
    """Whether nothing more of the reply will be heard."""
    interrupted: bool
    """Whether the reply was cut short after `heard`."""


class PageState(PageMessage, frozen=True):
    """What the agent is doing now."""

    state: Literal["listening", "thinking", "speaking"]


class PageSpeech(PageMessage, frozen=True):
    """Whether the caller is speaking."""

    speaking: bool


class PageClear(PageMessage, frozen=True):
    """The agent was interrupted: the page is to be silent at once, until `PageState` says "speaking" again."""


class PageLatency(PageMessage, frozen=True):
    """How long each part of a turn took."""

    turn: int
    """The number of the turn, from 1."""
    stages: dict[str, float]
    """Seconds by the name of the part, in order."""


class PageProblem(PageMessage, frozen=True):
    """A part of the pipeline has failed, and the call goes on. Told to pages on the server's own machine alone: callers
    elsewhere could do nothing with it."""

    processor: str
    text: str


class PageEnded(PageMessage, frozen=True):
    """The call is over."""

    reason: str


class PagePong(PageMessage, frozen=True):
    """The answer to `PagePing`."""


# From the page


class PageDtmf(PageMessage, frozen=True):
    """The caller pressed a key."""

    digit: Digit


class PageHangup(PageMessage, frozen=True):
    """The caller hangs up."""


class PageMuted(PageMessage, frozen=True):
    """Whether the caller is muted: nothing of what comes is for the agent then."""

    muted: bool


class PagePing(PageMessage, frozen=True):
    """A check that the server is there, which answers it with `PagePong`."""


ToPage: TypeAlias = (
    PageTranscript | PageReply | PageState | PageSpeech | PageClear | PageLatency | PageProblem | PageEnded | PagePong
)
FromPage: TypeAlias = PageDtmf | PageHangup | PageMuted | PagePing


class MessageError(VoiceflowError):
    """A message from the page that is none of `FromPage`. Says what was expected and what came."""


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
    except UNREADABLE as error:
        raise MessageError(f"expected a message from the page: {error}; got {data[:100]!r}") from None
    return message
