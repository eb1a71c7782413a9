"""What the carriers' wire dialects share: the events, the two ends of a stream, and which dialects there are.

A dialect does no I/O, has no clock and no task: text goes in and events come out, audio goes in and text comes
out. It has two ends. A `Stream` is ours: it reads what the carrier sends. A `Carrier` is the other one, for the
simulated caller and the load generator: it writes what the carrier sends, and refuses what the carrier refuses.

    connected -> start -> media, dtmf, mark (an echo) ... -> stop        from the carrier
                          media, mark, clear ...                         from us, after its start

A new carrier is a file for each end and one `register_provider`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.errors import ProviderDetectionError, VoiceflowError
from voiceflow.frames import DTMF, AudioRaw

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What msgspec raises for text that does not fit: ValueError for lone surrogates, RecursionError for `[[[[...`."""


class ProtocolError(VoiceflowError):
    """A message that its dialect does not allow, or not at this place. Says what was expected and what came."""


class Start(msgspec.Struct, frozen=True):
    """The stream begins: who calls whom, and how either direction is coded."""

    provider: str
    stream_id: str
    call_sid: str
    """What the carrier's REST interface calls the call: Twilio's call SID, Telnyx's call control id."""
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


class Refused(msgspec.Struct, frozen=True):
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


Event: TypeAlias = AudioRaw | DTMF | Start | Echo | Stop | Refused
"""What comes from the carrier."""

Request: TypeAlias = AudioRaw | MarkRequest | ClearRequest | Refused
"""What the carrier is asked for, and what it refuses of that."""


class Stream(Protocol):
    """Our end of one stream."""

    outbound: AudioFormat | None
    """The format that `media` takes. Unknown until the stream has started, unless it was given."""
    ignored: int
    """Messages that were dropped because their event is not known: carriers add new ones."""

    def receive(self, message: str | bytes) -> list[Event]:
        """What one message means, which may be nothing yet. Raises `ProtocolError`, and nothing else."""

    def media(self, data: bytes) -> list[str]:
        """The messages that play `data`, after what was sent before; none where the carrier wants longer
        pieces, and then what is left over goes ahead of the next. Raises `ProtocolError` before the start."""

    def flush(self) -> list[str]:
        """The messages that play what `media` left over, made long enough with silence."""

    def mark(self, name: str) -> list[str]:
        """The messages that ask for `name` back, once everything before was played."""

    def clear(self) -> list[str]:
        """The messages that drop what the carrier has not played. What `media` left over is dropped, too."""


class Carrier(Protocol):
    """The carrier's end of one stream, built from the `Start` that our end is to read."""

    start: Start
    buffer: Buffer | None

    def hello(self) -> list[str]:
        """The messages that open the stream."""

    def media(self, data: bytes) -> str:
        """The message that brings the caller's next audio."""

    def lose(self, data: bytes) -> None:
        """The caller's next audio is lost on its way to the carrier's media server."""

    def dtmf(self, digit: str) -> str: ...
    def mark(self, name: str) -> str: ...
    def stop(self) -> str: ...

    def refuse(self, refused: Refused) -> list[str]:
        """The messages that tell our end of a refusal; none where the carrier only notes it in its console."""

    def receive(self, message: str | bytes) -> list[Request]:
        """What one message asks for, or how it is refused. Raises nothing."""


class Buffer(msgspec.Struct, frozen=True):
    """How much unplayed audio a carrier keeps. Whoever plays it counts; audio beyond is dropped and refused."""

    seconds: float
    refused: Refused


class Provider(msgspec.Struct, frozen=True):
    """One dialect: where its ends are, as "module:class", and how to tell its streams."""

    name: str
    stream_class: str
    carrier_class: str
    recognises: Callable[[Mapping[str, Any]], bool]
    """Whether a stream that begins with this message is of this dialect."""

    @property
    def stream(self) -> Callable[..., Stream]:
        """Makes our end, given the outbound format or nothing: then it is the inbound one. Imports it."""
        end: Callable[..., Stream] = pkgutil.resolve_name(self.stream_class)
        return end

    @property
    def carrier(self) -> Callable[..., Carrier]:
        """Makes the carrier's end, given the `Start` that our end is to read. Imports it."""
        end: Callable[..., Carrier] = pkgutil.resolve_name(self.carrier_class)
        return end


_PROVIDERS: Final[dict[str, Provider]] = {}


def register_provider(provider: Provider) -> None:
    """Make a dialect known, by its name. Earlier ones are asked earlier whether they recognise a stream."""
    _PROVIDERS[provider.name] = provider


register_provider(
    Provider(
        "twilio",
        "voiceflow.transports.twilio:TwilioStream",
        "voiceflow.transports.twilio_carrier:TwilioCarrier",
        # Only Twilio's `connected` names a protocol ("Call"), and only its other messages have a streamSid.
        lambda first: "protocol" in first or "streamSid" in first,
    )
)
register_provider(
    Provider(
        "telnyx",
        "voiceflow.transports.telnyx:TelnyxStream",
        "voiceflow.transports.telnyx_carrier:TelnyxCarrier",
        lambda first: "stream_id" in first or (first.get("event") == "connected" and "version" in first),
    )
)


def get_provider(name: str) -> Provider:
    """The dialect of that name. Raises `ProviderDetectionError` if there is none."""
    provider = _PROVIDERS.get(name)
    if provider is None:
        raise ProviderDetectionError(f"unknown provider {name!r}: the known ones are {', '.join(_PROVIDERS)}")
    return provider


def detect_provider(first_message: str | bytes) -> Provider:
    """The dialect of the stream that begins with this message, which its `Stream` has yet to receive.

    Raises `ProviderDetectionError` if none is known.
    """
    known = ", ".join(_PROVIDERS)
    try:
        first = msgspec.json.decode(first_message, type=dict[str, Any])
    except UNREADABLE as error:
        raise ProviderDetectionError(
            f"expected the first message of one of {known}, a JSON object; got {shorten(first_message)} ({error})"
        ) from None
    for provider in _PROVIDERS.values():
        if provider.recognises(first):
            return provider
    raise ProviderDetectionError(
        f"expected the first message of one of {known}; got {shorten(first_message)}. "
        f"Does a carrier's media stream point here, or something else?"
    )


def shorten(message: str | bytes) -> str:
    """A message as an error quotes it: a megabyte of it would help nobody."""
    return repr(message) if len(message) <= 120 else f"{message[:120]!r}... of {len(message)}"


def quote(text: str) -> str:
    """`text` as a JSON string."""
    try:
        return msgspec.json.encode(text).decode()
    except UnicodeEncodeError:
        raise ProtocolError(f"expected text that can be sent as UTF-8; got {text!r}") from None
