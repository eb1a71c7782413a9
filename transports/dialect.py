"""What the carriers' wire dialects share: messages, events, and the two ends of a stream.

A dialect does no I/O, has no clock and no task: messages go in and events come out, audio goes in and messages come
out. It has two ends. A `Stream` is ours: it reads what the carrier sends. A `Mirror` is the carrier's, for the
simulated caller and the load generator: it writes what the carrier sends, and refuses what the carrier refuses.

    connected -> start -> media, dtmf, mark (an echo) ... -> stop        from the carrier
                          media, mark, clear ...                         from us, after its start

Which carriers there are, and what else is theirs alone, is in carriers/.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeAlias

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.errors import VoiceflowError
from voiceflow.frames import DTMF, AudioRaw

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What msgspec raises for text that does not fit: ValueError for lone surrogates, RecursionError for `[[[[...`."""

Message: TypeAlias = str | bytes
"""One message of a WebSocket, text or binary: carriers send audio in either."""


class ProtocolError(VoiceflowError):
    """A message that its dialect does not allow, or not at this place. Says what was expected and what came."""


class Start(msgspec.Struct, frozen=True):
    """The stream begins: who calls whom, and how either direction is coded."""

    provider: str
    stream_id: str
    call_sid: str
    """What the carrier's REST interface calls the call."""
    caller_id: str
    """Who calls, or "" where the carrier does not say."""
    did: str
    """The number that was called, or ""."""
    inbound: AudioFormat
    outbound: AudioFormat
    parameters: dict[str, str] = {}
    """What our answer to the carrier's webhook asked to be sent along."""
    metadata: dict[str, Any] = {}
    """All that identifies the call: to the fields above comes what only this carrier has."""

    def __post_init__(self) -> None:
        common = ("provider", "stream_id", "call_sid", "caller_id", "did")
        metadata = {**self.metadata, **{name: getattr(self, name) for name in common}}
        msgspec.structs.force_setattr(self, "metadata", metadata)


class Echo(msgspec.Struct, frozen=True):
    """A mark came back: what was sent before it was played, or cleared."""

    name: str


class Stop(msgspec.Struct, frozen=True):
    """The stream is over."""

    reason: str


class Refusal(msgspec.Struct, frozen=True):
    """The carrier does not take what it was sent. The stream goes on without it."""

    code: int
    """The carrier's number for it."""
    title: str
    detail: str = ""


class MarkRequest(msgspec.Struct, frozen=True):
    """We ask the carrier to return `name` once everything before it was played."""

    name: str


class ClearRequest(msgspec.Struct, frozen=True):
    """We ask the carrier to drop what it has not played, and to return the marks in it."""


Event: TypeAlias = AudioRaw | DTMF | Start | Echo | Stop | Refusal
"""What comes from the carrier."""

Request: TypeAlias = AudioRaw | MarkRequest | ClearRequest | Refusal
"""What the carrier is asked for, and what it refuses of that."""


class Stream(Protocol):
    """Our end of one stream."""

    outbound: AudioFormat | None
    """The format that `media` takes. Unknown until the stream has started, unless it was given."""
    ignored: int
    """Messages that were dropped because their event is not known: carriers add new ones."""

    def receive(self, message: Message) -> list[Event]:
        """What one message means, which may be nothing yet. Raises `ProtocolError`, and nothing else."""

    def media(self, data: bytes) -> list[Message]:
        """The messages that play `data`, after what was sent before; none where the carrier wants longer
        pieces, and then what is left over goes ahead of the next. Raises `ProtocolError` before the start."""

    def flush(self) -> list[Message]:
        """The messages that play what `media` left over, made long enough with silence."""

    def mark(self, name: str) -> list[Message]:
        """The messages that ask for `name` back, once everything before was played."""

    def clear(self) -> list[Message]:
        """The messages that drop what the carrier has not played. What `media` left over is dropped, too."""


class Mirror(Protocol):
    """The carrier's end of one stream, built from the `Start` that our end is to read."""

    start: Start
    buffer: Buffer | None

    def hello(self) -> list[Message]:
        """The messages that open the stream."""

    def media(self, data: bytes) -> Message:
        """The message that brings the caller's next audio."""

    def lose(self, data: bytes) -> None:
        """The caller's next audio is lost on its way to the carrier's media server."""

    def dtmf(self, digit: str) -> Message: ...
    def mark(self, name: str) -> Message: ...
    def stop(self) -> Message: ...

    def refuse(self, refused: Refusal) -> list[Message]:
        """The messages that tell our end of a refusal; none where the carrier only notes it in its console."""

    def receive(self, message: Message) -> list[Request]:
        """What one message asks for, or how it is refused. Raises nothing."""


class Buffer(msgspec.Struct, frozen=True):
    """How much unplayed audio a carrier keeps. Whoever plays it counts; audio beyond is dropped and refused."""

    seconds: float
    refused: Refusal


def shorten(message: Message) -> str:
    """A message as an error quotes it: a megabyte of it would help nobody."""
    return repr(message) if len(message) <= 120 else f"{message[:120]!r}... of {len(message)}"


def quote(text: str) -> str:
    """`text` as a JSON string."""
    try:
        return msgspec.json.encode(text).decode()
    except UnicodeEncodeError:
        raise ProtocolError(f"expected text that can be sent as UTF-8; got {text!r}") from None
