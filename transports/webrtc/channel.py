"""The data channel to the page, which the page opens."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from voiceflow.transports.webrtc.messages import FromPage, MessageError, ToPage, decode, encode

if TYPE_CHECKING:
    from aiortc import RTCDataChannel

log = logging.getLogger("voiceflow.webrtc")

KEPT: Final = 100
"""Messages that wait for the channel to open; beyond that the oldest are dropped."""
BACKLOG: Final = 256 * 1024
"""Bytes that may wait for a page that does not read. Further messages are dropped."""
COMPLAINTS: Final = 5
"""How many unreadable messages of one page are logged."""


class Channel:
    """Sends messages to the page, and passes the page's messages to `hear`."""

    def __init__(self, hear: Callable[[FromPage], None]) -> None:
        self._hear = hear
        self._channel: RTCDataChannel | None = None
        self._early: deque[ToPage] = deque(maxlen=KEPT)
        self._unreadable = 0

    def attach(self, channel: RTCDataChannel) -> None:
        """Use `channel`, which is open, from now on, and send the messages that waited for it."""
        self._channel = channel
        channel.on("message", self._receive)
        while self._early:
            self.tell(self._early.popleft())

    def tell(self, message: ToPage) -> None:
        """Send a message to the page, at once or when the channel opens."""
        channel = self._channel
        if channel is None:
            self._early.append(message)
        elif channel.readyState == "open" and channel.bufferedAmount < BACKLOG:
            channel.send(encode(message))

    def _receive(self, data: str | bytes) -> None:
        try:
            message = decode(data)
        except MessageError as error:
            self._unreadable += 1
            if self._unreadable <= COMPLAINTS:
                # only the error's text: through a traceback the log record would keep the connection alive
                log.warning("a message from the page was ignored: %s", str(error))
            return
        self._hear(message)
