"""What our ends of dialects in JSON read messages with, and how it knows which may come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from voiceflow.transports.dialect import UNREADABLE, Message, ProtocolError, shorten

T = TypeVar("T")


class Key(msgspec.Struct, gc=False):
    """A key of a telephone, in a message."""

    digit: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Da-d*#]\Z")]


class MarkName(msgspec.Struct, gc=False):
    """A mark's name, in a message."""

    name: str


class _Event(msgspec.Struct):
    event: str


class Reader(Generic[T]):
    """Reads the messages of one side of a dialect: structs tagged by their `event`."""

    def __init__(self, provider: str, messages: Any) -> None:
        """`messages` is the union of the structs."""
        self._provider = provider
        # Lax, because carriers send numbers as strings, too.
        self._decode: Callable[[str], T] = msgspec.json.Decoder(messages, strict=False).decode
        self._events = tuple(str(message.__struct_config__.tag) for message in messages.__args__)

    def __call__(self, message: Message) -> T | None:
        """The message, or None if it is of an event that is not known."""
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
    """Where a stream is in its life: before its start, running, or after its stop."""

    def __init__(self) -> None:
        self.stream_id: str | None = None
        self.stopped = False

    def expect_new(self, event: str) -> None:
        """Raise `ProtocolError` unless the stream has yet to start."""
        if self.stream_id is not None:
            raise ProtocolError(f'expected one "{event}", before everything else; got one after "start"')

    def expect_running(self, event: str, stream_id: str) -> None:
        """Raise `ProtocolError` unless the stream runs, under this id."""
        if stream_id != self.stream_id or self.stopped:
            raise ProtocolError(self._misplaced(event, stream_id))

    def _misplaced(self, event: str, stream_id: str) -> str:
        if self.stream_id is None:
            return f'expected "start" before "{event}"; it has not come'
        if self.stopped:
            return f'expected nothing after "stop"; got "{event}"'
        return f'expected "{event}" of stream {shorten(self.stream_id)}; got one of {shorten(stream_id)}'
