"""A carrier's media stream as source and sink of a call, over one WebSocket and in any carrier's dialect.

A message that can be sent at once is; others wait in an outbox, which one task sends. An interruption empties the
outbox and puts the carrier's `clear` first. The socket is used through bare ASGI, without a framework: each call
receives 50 messages a second and sends as many.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, MutableMapping
from typing import Any, Final

from voiceflow.audio import AudioFormat
from voiceflow.call_control import CallControl
from voiceflow.errors import ProviderConnectionError, VoiceflowError
from voiceflow.frames import AudioRaw, End, Frame
from voiceflow.transport import Sink, Source
from voiceflow.transports.dialect import Echo, Event, Message, ProtocolError, Refusal, Start, Stop, Stream, Unexpected

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SILENCE: Final = 10.0
"""Carriers send media all the time: a stream on which nothing came for this many seconds is dead."""
OUTBOX: Final = 500
"""Messages that may wait for a peer that does not read: some ten seconds of speech."""
GOODBYE: Final = 1.0
"""How long, in seconds, a peer that does not read may delay the end of its call."""
KINDS: Final = 20
"""How many kinds of unexpected messages are logged for one call."""
NORMAL: Final = 1000
POLICY: Final = 1008
"""The close code for a stream that is refused or has broken the protocol (RFC 6455, section 7.4.1)."""
FAILED: Final = 1011
FAILURE: Final = "the call failed"
"""All that a peer is told about an error on our side."""


class StreamClosedError(VoiceflowError):
    """The peer has closed the socket. Names its close code and reason."""


class Socket:
    """One WebSocket, through ASGI. Messages are sent in order: at once, or, while the peer is slow, by the task that
    runs `run`. Writing to a closed socket does nothing and raises nothing."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._outbox: deque[Message] = deque()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._begun: _Begun | None = None
        self._closed = False

    async def read(self) -> Message:
        """The next message. Raises `StreamClosedError`."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            how = f"the stream was closed, code {message.get('code', 1005)} {message.get('reason') or ''}"
            raise StreamClosedError(how.rstrip())
        text: str | None = message.get("text")
        return text if text is not None else message.get("bytes") or b""

    @property
    def is_stalled(self) -> bool:
        """Whether the peer does not read what it is sent."""
        return len(self._outbox) > OUTBOX

    def write(self, messages: list[Message]) -> None:
        """Send `messages` after all that was written before."""
        if messages and not self._closed:
            self._outbox.extend(messages)
            if not self._filled.is_set():
                self._send_at_once()

    def write_instead(self, messages: list[Message]) -> None:
        """Send `messages` in place of those that have not been sent yet."""
        self._outbox.clear()
        self.write(messages)

    async def run(self) -> None:
        """Send what waits in the outbox, until cancelled or until the peer is gone."""
        outbox, send = self._outbox, self._send
        try:
            while True:
                if self._begun is not None:
                    begun, self._begun = self._begun, None
                    await begun
                while outbox:
                    message = outbox.popleft()
                    await send({"type": "websocket.send", "text" if type(message) is str else "bytes": message})
                self._emptied.set()
                self._filled.clear()
                await self._filled.wait()
        except OSError:  # how ASGI reports that the peer is gone (ASGI 2.4, "Send - send event")
            self._end()

    def _send_at_once(self) -> None:
        """Send messages for as long as `send` does not wait; leave the rest to `run`. Waking a task for them would cost
        as much as sending them, and a `clear` would wait until the code that interrupts yields to the event loop."""
        while self._outbox:
            message = self._outbox.popleft()
            kind = "text" if type(message) is str else "bytes"
            sending = self._send({"type": "websocket.send", kind: message}).__await__()
            try:
                pending = next(sending)
            except StopIteration:
                continue
            except OSError:  # as in `run`
                self._end()
                return
            self._begun = _Begun(sending, pending)
            self._emptied.clear()
            self._filled.set()
            return

    async def flush(self) -> None:
        """Wait until everything has been sent, at most `GOODBYE` seconds for a peer that does not read."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self._emptied.wait()

    async def close(self, code: int, reason: str) -> None:
        """Close the socket, unless it is closed already. `reason` is cut to what a close frame holds: 123 bytes
        (RFC 6455, section 5.5). A peer that does not read within `GOODBYE` seconds is not told."""
        if self._closed:
            return
        self._end()
        short = reason.encode()[:123].decode(errors="ignore")
        with contextlib.suppress(OSError):  # the peer is gone, or does not read: TimeoutError is an OSError
            async with asyncio.timeout(GOODBYE):
                await self._send({"type": "websocket.close", "code": code, "reason": short})

    def _end(self) -> None:
        self._closed = True
        self._outbox.clear()
        self._emptied.set()


class _Begun:
    """The rest of an awaitable that was begun outside of a task and waits for the future `pending`."""

    def __init__(self, rest: Generator[Any, Any, None], pending: Any) -> None:
        self._rest = rest
        self._pending = pending

    def __await__(self) -> Generator[Any, Any, None]:
        yield self._pending
        yield from self._rest


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
        self._messages = 0
        self._messages_before = 0
        self._watch: asyncio.TimerHandle | None = None
        self.code = NORMAL
        """The close code for the end of the stream."""

    async def frames(self) -> AsyncIterator[Frame]:
        read, understand = self._socket.read, self._stream.receive
        self._watch_silence()
        try:
            events = self._early
            while True:
                for event in events:
                    frame = event if type(event) is AudioRaw else self._frame(event)
                    if frame is not None:
                        yield frame
                message = await read()
                self._messages += 1
                events = understand(message)
        except StreamClosedError as closed:
            yield End(str(closed))
        except ProtocolError as error:
            self.call.log.warning("%s", error)
            self.code = POLICY
            yield End(f"protocol error: {error}")
        finally:
            if self._watch is not None:
                self._watch.cancel()

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
            self.call.log.warning("%s (further ones are not logged)", text.rstrip())

    def _watch_silence(self) -> None:
        """Check every `SILENCE` seconds whether anything came: a timer for each message would cost more."""
        if self._socket.is_stalled:
            self._lose(f"the carrier does not read: more than {OUTBOX} messages wait for it")
        elif self._watch is not None and self._messages == self._messages_before:
            self._lose(f"nothing came from the carrier for {SILENCE:g} s")
        else:
            self._messages_before = self._messages
            self._watch = asyncio.get_running_loop().call_later(SILENCE, self._watch_silence)

    def _lose(self, reason: str) -> None:
        self.code = POLICY
        self.emit(End(reason))


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
