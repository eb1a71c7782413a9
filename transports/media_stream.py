"""A carrier's media stream as source and sink of a call, over one WebSocket and in any carrier's dialect.

An interruption empties what waits to be sent and puts the carrier's `clear` first. That no media comes does not end a
call: a caller may be on hold or muted. Peers that are gone are found by the server's pings.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from voiceflow.audio import AudioFormat
from voiceflow.call_control import CallControl
from voiceflow.errors import ProviderConnectionError
from voiceflow.frames import AudioRaw, End, Frame
from voiceflow.transport import Sink, Source
from voiceflow.transports.dialect import Echo, Event, ProtocolError, Refusal, Start, Stop, Stream, Unexpected
from voiceflow.transports.websocket import FAILED, NORMAL, POLICY, Socket, StreamClosedError

KINDS: Final = 20
"""How many kinds of unexpected messages are logged for one call."""
FASTEST: Final = 5.0
"""Seconds of audio that may come in a second, and go on doing so."""
AT_ONCE: Final = 20.0
"""Seconds of audio that may come at once: what the line held back while it had stalled."""
LONGEST_LINE: Final = 400
"""Characters that are logged of such a message."""
FAILURE: Final = "the call failed"
"""All that a peer is told about an error on our side."""


class MediaSource(Source):
    """Yields the caller's audio and keys from a carrier's stream. Returned marks go straight to the playout."""

    def __init__(
        self, format: AudioFormat, socket: Socket, stream: Stream, early: list[Event], sink: MediaSink
    ) -> None:
        self.produces = format
        self._sink = sink
        self._socket = socket
        self._stream = stream
        self._early = early
        """Events that came with the start or before it."""
        self._warned: set[str] = set()
        self._began = 0.0
        self.code = NORMAL
        """The close code for the end of the stream."""

    async def frames(self) -> AsyncIterator[Frame]:
        read, understand = self._socket.read, self._stream.receive
        self._socket.on_stalled = self._stalled
        self._began = asyncio.get_running_loop().time()
        size = allowed = 0
        try:
            events = self._early
            while True:
                for event in events:
                    if type(event) is AudioRaw:
                        size += len(event.data)
                        if size > allowed:
                            allowed = self._allow(size)
                        yield event
                    elif (frame := self._frame(event)) is not None:
                        yield frame
                events = understand(await read())
        except StreamClosedError as closed:
            yield End(str(closed))
        except ProtocolError as error:
            self.call.log.warning("%s", error)
            self.code = POLICY
            yield End(f"protocol error: {error}")

    def _allow(self, size: int) -> int:
        """How many bytes of audio may have come by now. Raises `ProtocolError` where `size` is more."""
        elapsed = asyncio.get_running_loop().time() - self._began
        allowed = int(self.produces.byte_rate * (AT_ONCE + FASTEST * elapsed))
        if size > allowed:
            raise ProtocolError(
                f"expected audio as fast as it is spoken; got {size / self.produces.byte_rate:.0f} s of it in "
                f"{elapsed:.1f} s"
            )
        return allowed

    def _frame(self, event: Event) -> Frame | None:
        """The frame of an event. None: the event is handled here and is nothing to the pipeline."""
        match event:
            case Echo(name):
                self._sink.echo(name)
            case Stop(reason):
                return End(reason)
            case Refusal():
                self._warn(str(event.code), f"the carrier refuses: {event.code} {event.title} {event.detail}")
            case Unexpected():
                self._warn(event.what, f"passed over: {event.what}; got {event.came}")
            case Start():
                self._warn("start", "passed over: expected one start of the stream; got a second")
            case _:
                return event
        return None

    def _warn(self, kind: str, text: str) -> None:
        """Log the first of each kind: a carrier may send the same with every piece of audio."""
        if kind not in self._warned and len(self._warned) < KINDS:
            self._warned.add(kind)
            self.call.log.warning("%s (further ones are not logged)", text.rstrip()[:LONGEST_LINE])

    def _stalled(self) -> None:
        self.code = POLICY
        self.emit(End("the peer does not read what it is sent: closed by us"))


class MediaSink(Sink):
    """Sends the agent's audio, marks and clears on a carrier's stream."""

    echoes = True

    def __init__(self, format: AudioFormat, socket: Socket, stream: Stream, control: CallControl | None) -> None:
        self.accepts = format
        self._socket = socket
        self._stream = stream
        self._control = control

    def write_audio(self, data: bytes) -> None:
        self._socket.write(self._stream.media(data))

    def write_mark(self, name: str) -> None:
        self._socket.write(self._stream.mark(name))

    def write_clear(self) -> None:
        self._socket.write_instead(self._stream.clear())

    async def hangup(self) -> None:
        """End the stream, upon which the carrier ends the call; also end the call by the REST interface, if there are
        credentials for it."""
        self._socket.write(self._stream.flush())
        await self._socket.flush()
        code, reason = (NORMAL, "hung up") if self.call.error is None else (FAILED, FAILURE)
        await self._socket.close(code, reason)
        if self._control is not None:
            try:
                await self._control.hangup()
            except ProviderConnectionError as error:
                self.call.log.warning("hanging up: %s", error)
