"""Parts shared by our ends of the dialects in JSON: decoding messages, and checking which may come when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from voiceflow.transports.dialect import UNREADABLE, Message, ProtocolError, shorten

T = TypeVar("T")


class Key(msgspec.Struct, gc=False):
    """The part of a message that names a key of a telephone."""

    digit: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Da-d*#]\Z")]


class MarkName(msgspec.Struct, gc=False):
    """The part of a message that names a mark."""

    name: str


class _Event(msgspec.Struct):
    event: str


class Reader(Generic[T]):
    """Decodes the messages of one side of a dialect: structs tagged by their `event`."""

    def __init__(self, provider: str, messages: Any) -> None:
        """`messages` is the union of the structs; `provider` is the sender's name, for errors."""
        self._provider = provider
        # strict=False, because carriers also send numbers as strings.
        self._decode: Callable[[str], T] = msgspec.json.Decoder(messages, strict=False).decode
        self._events = tuple(str(message.__struct_config__.tag) for message in messages.__args__)

    def __call__(self, message: Message) -> T | None:
        """The message, decoded; None if its event is not known. Raises `ProtocolError` if it cannot be read."""
        if type(message) is not str:
            raise ProtocolError(f"{self._provider} sends text; got a binary message of {len(message)} bytes")
        try:
            return self._decode(message)
        except UNREADABLE as error:
            if self._is_unknown_event(message):
                return None
            raise ProtocolError(
                f"expected a {self._provider} message ({', '.join(self._events)}): {error}; got {shorten(message)}"
            ) from None

    def _is_unknown_event(self, message: str) -> bool:
        try:
            return msgspec.json.decode(message, type=_Event).event not in self._events
        except UNREADABLE:
            return False


class Lifetime:
    """The state of a stream: before its start, running, or after its stop."""

    def __init__(self) -> None:
        self.stream_id: str | None = None
        self.stopped = False

    def expect_new(self, event: str) -> None:
        """Raise `ProtocolError` unless the stream has yet to start."""
        if self.stream_id is not None:
            raise ProtocolError(f'expected one "{event}", before everything else; got one after "start"')

    def expect_running(self, event: str, stream_id: str) -> None:
        """Raise `ProtocolError` unless the stream is running and has this id."""
        if stream_id != self.stream_id or self.stopped:
            raise ProtocolError(self._misplaced(event, stream_id))

    def _misplaced(self, event: str, stream_id: str) -> str:
        if self.stream_id is None:
            return f'expected "start" before "{event}"; it has not come'
        if self.stopped:
            return f'expected nothing after "stop"; got "{event}"'
        return f'expected "{event}" of stream {shorten(self.stream_id)}; got one of {shorten(stream_id)}'
