"""Parts shared by our ends of the dialects in JSON: decoding messages, and what comes when it should not.

A call must survive whatever its carrier sends. Only what is not JSON with an object in it, or a start whose audio we
cannot read, breaks the protocol. A field that cannot be read is as if it were missing; a message that is unknown, or
that lacks what it needs, is passed over. Both are reported as `Unexpected`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Generic, TypeAlias, TypeVar

import msgspec

from voiceflow.frames import DTMF
from voiceflow.transports.dialect import UNREADABLE, Event, Message, ProtocolError, Start, Unexpected, shorten

EARLY: Final = 25
"""How many messages that have overtaken the start are kept until it comes: half a second of audio."""
KEYS: Final = frozenset("0123456789*#ABCD")

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A number of pieces or of milliseconds."""


class FromCarrier(msgspec.Struct, kw_only=True, gc=False):
    """A message from a carrier."""

    stream_id: str | None = None


S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T", bound=FromCarrier)


class Key(msgspec.Struct, gc=False):
    """The part of a message that names a key of a telephone."""

    digit: str | int

    @property
    def event(self) -> DTMF | Unexpected:
        """The key, pressed. `Unexpected`: no telephone that we know of has it."""
        digit = str(self.digit).upper()
        return DTMF(digit) if digit in KEYS else Unexpected("expected one of the keys 0-9, *, #, A-D", shorten(digit))


class MarkName(msgspec.Struct, gc=False):
    """The part of a message that names a mark."""

    name: str


class Reader(Generic[T]):
    """Decodes the messages of one side of a dialect: structs tagged by their `event`."""

    def __init__(self, provider: str, messages: Any) -> None:
        """`messages` is the union of the structs; `provider` is the sender's name, for errors."""
        self._provider = provider
        # strict=False, because carriers also send numbers as strings.
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(messages, strict=False)
        self._kinds: dict[str, type[T]] = {str(kind.__struct_config__.tag): kind for kind in messages.__args__}

    def __call__(self, message: Message) -> tuple[T | None, Unexpected | None]:
        """The message, decoded, unless it is to be passed over; and what was unexpected in it, if anything was. Raises
        `ProtocolError` if it is not a JSON object."""
        if type(message) is not str:
            raise ProtocolError(f"{self._provider} sends text; got a binary message of {len(message)} bytes")
        try:
            return self._decoder.decode(message), None
        except UNREADABLE as error:
            return self._piecemeal(message, error)

    def _piecemeal(self, message: str, error: Exception) -> tuple[T | None, Unexpected]:
        """Decode what can be decoded of a message in which there is an `error`."""
        try:
            fields = msgspec.json.decode(message, type=dict[str, Any])
        except UNREADABLE as broken:
            raise ProtocolError(
                f"expected a {self._provider} message ({', '.join(self._kinds)}): {broken}; got {shorten(message)}"
            ) from None
        event = fields.get("event")
        kind = self._kinds.get(event) if isinstance(event, str) else None
        if kind is None:
            return None, Unexpected(f"expected one of the events {', '.join(self._kinds)}", shorten(message))
        return _readable(kind, fields), Unexpected(f'in "{event}": {error}', shorten(message))


def is_outbound(track: str) -> bool:
    """Whether media on `track` is our own voice, rather than the caller's."""
    return track != "inbound" and track.lower().startswith("outbound")


def texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    """A stream's parameters as text: their values need not come as strings."""
    return {name: str(value) for name, value in parameters.items() if value is not None}


def _readable(kind: type[S], fields: Any) -> S | None:
    """A struct of the fields that can be read. None if one is missing that has to be there."""
    if not isinstance(fields, dict):
        return None
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        try:
            found[field.name] = msgspec.convert(fields[field.encode_name], field.type, strict=False)
        except KeyError:
            continue
        except UNREADABLE:
            if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
                part = _readable(field.type, fields[field.encode_name])
                if part is not None:
                    found[field.name] = part
    try:
        return kind(**found)
    except TypeError:
        return None


class JsonStream(ABC, Generic[T]):
    """The part of our end that reads. What comes before the start is read after it; what comes after the stop, or
    belongs to another stream, is dropped."""

    reader: ClassVar[Reader[Any]]

    def __init__(self) -> None:
        self.stream_id: str | None = None
        """None: the stream has not started. "": its start did not name it."""
        self.stopped = False
        self._early: deque[T] = deque(maxlen=EARLY)

    def receive(self, message: Message) -> list[Event]:
        decoded, unexpected = self.reader(message)
        events = [] if decoded is None else self._in_time(decoded)
        return [*events, unexpected] if unexpected is not None and not self.stopped else events

    @abstractmethod
    def begin(self, message: T) -> Start | None:
        """The start, and note the stream's id; None if `message` is another. Raises `ProtocolError` for a start of
        which no call can be made."""

    @abstractmethod
    def go_on(self, message: T) -> list[Event]:
        """The events of a message that comes after the start, before or after the stop."""

    def _in_time(self, message: T) -> list[Event]:
        if self.stream_id is None:
            start = self.begin(message)
            if start is None:
                self._early.append(message)
                return []
            early, self._early = self._early, deque()
            return [start, *(event for each in early for event in self._in_time(each))]
        if self.stopped:
            return []
        if message.stream_id and self.stream_id and message.stream_id != self.stream_id:
            return [Unexpected("expected messages of one stream", f"one of stream {shorten(message.stream_id)}")]
        return self.go_on(message)
