"""One carrier's WebSocket, through bare ASGI, without a framework: each call receives 50 messages a second and sends as
many.

A message that can be sent at once is, where `send` is known to need no task; others wait in an outbox, which one task
sends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any, Final

from voiceflow.errors import VoiceflowError
from voiceflow.transports.dialect import Message

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

OUTBOX: Final = 500
"""Messages that may wait for a peer that does not read: some ten seconds of speech."""
GOODBYE: Final = 1.0
"""How long, in seconds, a peer that does not read may delay the end of its call."""
NORMAL: Final = 1000
POLICY: Final = 1008
"""The close code for a stream that is refused or has broken the protocol (RFC 6455, section 7.4.1)."""
FAILED: Final = 1011
WHY: Final = "voiceflow.why"
"""The key of `websocket.disconnect` under which our server says who ended the connection, and why."""


class StreamClosedError(VoiceflowError):
    """The socket is closed. Says who closed it and why."""


class Socket:
    """One WebSocket, through ASGI. Messages are sent in order: at once, or, while the peer is slow, by the task that
    runs `run`. Writing to a closed socket does nothing and raises nothing."""

    def __init__(self, receive: Receive, send: Send, *, at_once: bool = True) -> None:
        """`at_once`: the first step of `send` may be taken outside of a task. Otherwise the task that runs `run` sends
        everything."""
        self.on_stalled: Callable[[], None] | None = None
        """Called once, when more than `OUTBOX` messages wait for a peer that does not read."""
        self._receive = receive
        self._send = send
        self._at_once = at_once
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
            how = f"the peer closed the stream, code {message.get('code', 1005)} {message.get('reason') or ''}"
            raise StreamClosedError(message.get(WHY) or how.rstrip())
        text: str | None = message.get("text")
        return text if text is not None else message.get("bytes") or b""

    def write(self, messages: list[Message]) -> None:
        """Send `messages` after all that was written before."""
        if messages and not self._closed:
            self._outbox.extend(messages)
            if not self._filled.is_set():
                if self._at_once:
                    self._send_at_once()
                else:
                    self._leave_to_task()
            elif self.on_stalled is not None and len(self._outbox) > OUTBOX:
                on_stalled, self.on_stalled = self.on_stalled, None
                asyncio.get_running_loop().call_soon(on_stalled)  # not amid what is being written

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
            self._leave_to_task()
            return

    def _leave_to_task(self) -> None:
        self._emptied.clear()
        self._filled.set()

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
