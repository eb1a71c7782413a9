"""The data channels of a browser, which it opens, and what is said on them.

A channel of our own name speaks our own messages (messages.py), one of any other name RTVI (rtvi.py), until what comes
on it shows that its client speaks the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from voiceflow.logs import get_logger
from voiceflow.transports.webrtc import messages, rtvi
from voiceflow.transports.webrtc.messages import FromPage, MessageError, ToPage

if TYPE_CHECKING:
    from aiortc import RTCDataChannel, RTCSctpTransport

log = get_logger("voiceflow.webrtc")

KEPT: Final = 100
"""Messages that wait for a channel to open; beyond that the oldest are dropped."""
BACKLOG: Final = 256 * 1024
"""Bytes that may wait for a page that does not read. Further messages are dropped."""
COMPLAINTS: Final = 5
"""How many unreadable messages of one page are logged."""


class Channel:
    """Sends messages to the page, and passes the page's messages to `hear`."""

    def __init__(self, hear: Callable[[FromPage], None]) -> None:
        self._hear = hear
        self._lines: list[_Line] = []
        self._early: deque[ToPage] = deque(maxlen=KEPT)
        self._unreadable = 0

    def attach(self, channel: RTCDataChannel) -> None:
        """Use `channel`, which is open, from now on, and send the messages that waited for one."""
        line = _Line(channel)
        self._lines = [*(known for known in self._lines if known.is_open), line]
        channel.on("message", lambda data: self._receive(line, data))
        while self._early:
            line.tell(self._early.popleft())

    def tell(self, message: ToPage) -> None:
        """Send a message to the page, at once or when a channel opens."""
        lines = [line for line in self._lines if line.is_open]
        for line in lines:
            line.tell(message)
        if not lines:
            self._early.append(message)

    def _receive(self, line: _Line, data: str | bytes) -> None:
        try:
            said = line.read(data)
        except MessageError as error:
            self._unreadable += 1
            if self._unreadable <= COMPLAINTS:
                # only the error's text: through a traceback the log record would keep the connection alive
                log.warning("a message from the page was ignored: %s", str(error))
            return
        for message in said:
            self._hear(message)


def tolerate(sctp: RTCSctpTransport) -> None:
    """Have what a browser sends on its channels, and breaks their protocols (RFC 8831, 8832), ignored, the first of it
    with a line in the log. aiortc has no option for that: it would end the connection, with a traceback."""
    receive, ignored = sctp._data_channel_receive, 0

    async def received(stream: int, kind: int, data: bytes) -> None:
        nonlocal ignored
        try:
            await receive(stream, kind, data)
        except (AssertionError, ValueError) as error:
            ignored += 1
            if ignored <= COMPLAINTS:
                why = str(error) or "the channel is open already, or was never opened"
                log.warning("a message on data channel %d was ignored: %s", stream, why)

    sctp._data_channel_receive = received  # type: ignore[method-assign, assignment]


class _Line:
    """One data channel."""

    def __init__(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        self._narrator = None if channel.label == messages.LABEL else rtvi.Narrator()
        """Tells in RTVI; None: in our own messages."""

    @property
    def is_open(self) -> bool:
        return self._channel.readyState == "open"

    def tell(self, message: ToPage) -> None:
        self._send([messages.encode(message)] if self._narrator is None else self._narrator.tell(message))

    def read(self, data: str | bytes) -> list[FromPage]:
        """What a message says. Raises `MessageError`."""
        foreign = rtvi.parse(data) if isinstance(data, str) else None
        if foreign is None:
            said = messages.decode(data)
            self._narrator = None
            return [said]
        if self._narrator is None and foreign.type != rtvi.PING:
            self._narrator = rtvi.Narrator()
        self._send(rtvi.answers(foreign))
        return rtvi.understood(foreign)

    def _send(self, texts: Iterable[str]) -> None:
        for text in texts:
            if self.is_open and self._channel.bufferedAmount < BACKLOG:
                self._channel.send(text)
