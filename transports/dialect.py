"""The types that all carriers' media-stream dialects share: messages, events, and the two ends of a stream.

A dialect does no I/O and has neither clock nor task: messages go in and events come out, audio goes in and messages
come out. It has two ends. A `Stream` is our end: it reads what the carrier sends. A `Mirror` is the carrier's end,
for the simulated caller and the load generator: it writes what the carrier sends, and refuses what the carrier
refuses.

    connected -> start -> media, dtmf, mark (an echo) ... -> stop        from the carrier
                          media, mark, clear ...                         from us, after the carrier's start

The carriers themselves are in carriers/.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeAlias

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.errors import VoiceflowError
from voiceflow.frames import DTMF, AudioRaw

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""The exceptions of msgspec for text that it cannot decode: ValueError for lone surrogates, RecursionError for
`[[[[...`."""

Message: TypeAlias = str | bytes
"""One WebSocket message, text or binary: some carriers send audio as base64 in text, others as bytes."""


class ProtocolError(VoiceflowError):
    """A message after which the stream cannot go on. Says what was expected and what came. What a stream can do without
    is `Unexpected` instead."""


class Start(msgspec.Struct, frozen=True):
    """The stream begins: caller, called number, and the audio format of each direction."""

    provider: str
    stream_id: str
    call_sid: str
    """The call's id in the carrier's REST interface."""
    caller_id: str
    """The caller's number, or "" where the carrier does not say."""
    did: str
    """The number that was called, or "" where the carrier does not say."""
    inbound: AudioFormat
    """The format of the caller's audio."""
    outbound: AudioFormat
    """The format of the agent's audio."""
    parameters: dict[str, str] = {}
    """The parameters that our answer to the carrier's webhook gave the stream."""
    metadata: dict[str, Any] = {}
    """Everything that identifies the call: the first five fields above, and fields that only this carrier has."""

    def __post_init__(self) -> None:
        common = ("provider", "stream_id", "call_sid", "caller_id", "did")
        metadata = {**self.metadata, **{name: getattr(self, name) for name in common}}
        msgspec.structs.force_setattr(self, "metadata", metadata)


class Echo(msgspec.Struct, frozen=True):
    """A mark came back: all audio that was sent before it has been played or cleared."""

    name: str


class Stop(msgspec.Struct, frozen=True):
    """The stream is over."""

    reason: str


class Refusal(msgspec.Struct, frozen=True):
    """The carrier refuses a message that it was sent. The stream goes on without it."""

    code: int
    """The carrier's error code."""
    title: str
    detail: str = ""


class Unexpected(msgspec.Struct, frozen=True):
    """The carrier sent what its dialect does not have, or not here. The stream goes on without it."""

    what: str
    """What was expected, or what is wrong: the same for all messages of one kind, which are logged once."""
    came: str
    """The message, shortened."""


class MarkRequest(msgspec.Struct, frozen=True):
    """We ask the carrier to return `name` once all audio sent before it has been played."""

    name: str


class ClearRequest(msgspec.Struct, frozen=True):
    """We ask the carrier to drop all audio that it has not played, and to return the marks that wait in it."""


Event: TypeAlias = AudioRaw | DTMF | Start | Echo | Stop | Refusal | Unexpected
"""What our end reads from the carrier's messages."""

Request: TypeAlias = AudioRaw | MarkRequest | ClearRequest | Refusal
"""What the carrier's end reads from our messages: audio, requests, and a refusal in place of either."""


class Stream(Protocol):
    """Our end of one stream."""

    outbound: AudioFormat | None
    """The format of the audio that `media` takes. None: it is not known before the stream has started."""

    def receive(self, message: Message) -> list[Event]:
        """The events of one message, which may be none. Raises `ProtocolError`, and nothing else."""

    def media(self, data: bytes) -> list[Message]:
        """The messages that play `data` after the audio sent before. Audio that is shorter than the carrier takes is
        kept and goes ahead of the next. Raises `ProtocolError` before the start."""

    def flush(self) -> list[Message]:
        """The messages that play the audio that `media` has kept, padded with silence to the carrier's minimum."""

    def mark(self, name: str) -> list[Message]:
        """The messages that ask the carrier to return `name` once all audio sent before has been played."""

    def clear(self) -> list[Message]:
        """The messages that drop the audio the carrier has not played. Audio that `media` has kept is dropped, too."""


class Mirror(Protocol):
    """The carrier's end of one stream, built from the `Start` that our end is to read."""

    start: Start
    buffer: Buffer | None
    """None: the carrier documents no limit."""

    def hello(self) -> list[Message]:
        """The messages that open the stream."""

    def media(self, data: bytes) -> Message:
        """The message with the caller's next audio."""

    def lose(self, data: bytes) -> None:
        """Go on as if the caller's next audio, `data`, had been lost on its way to the carrier's media server."""

    def dtmf(self, digit: str) -> Message: ...
    def mark(self, name: str) -> Message: ...
    def stop(self) -> Message: ...

    def refuse(self, refused: Refusal) -> list[Message]:
        """The messages that tell our end of a refusal; none if the carrier shows it only in its console."""

    def receive(self, message: Message) -> list[Request]:
        """What one of our messages asks for, or how the carrier refuses it. Raises nothing."""


class Buffer(msgspec.Struct, frozen=True):
    """How much unplayed audio a carrier keeps. The simulated caller, which plays it, keeps to the limit: further audio
    is dropped and answered with a refusal."""

    seconds: float
    refused: Refusal
    """The refusal of audio beyond the limit."""


def shorten(message: Message) -> str:
    """A message as errors quote it: its `repr`, at most 120 characters or bytes of it."""
    return repr(message) if len(message) <= 120 else f"{message[:120]!r}... of {len(message)}"


def quote(text: str) -> str:
    """`text` as a JSON string. Raises `ProtocolError` for lone surrogates."""
    try:
        return msgspec.json.encode(text).decode()
    except UnicodeEncodeError:
        raise ProtocolError(f"expected text that can be sent as UTF-8; got {text!r}") from None
