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
"""Messages that wait for the channel to open."""
BACKLOG: Final = 256 * 1024
"""Bytes that may wait for a page that does not read. What comes then is dropped."""
COMPLAINTS: Final = 5
"""How many unreadable messages of one page are logged."""


class Channel:
    """Tells the page what happens in the call, and passes on what the page says."""

    def __init__(self, hear: Callable[[FromPage], None]) -> None:
        self._hear = hear
        self._channel: RTCDataChannel | None = None
        self._early: deque[ToPage] = deque(maxlen=KEPT)
        self._unreadable = 0

    def attach(self, channel: RTCDataChannel) -> None:
        """`channel` is open."""
        self._channel = channel
        channel.on("message", self._receive)
        while self._early:
            self.tell(self._early.popleft())

    def tell(self, message: ToPage) -> None:
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
                # its text only: by its traceback a record would hold on to the connection
                log.warning("a message from the page was ignored: %s", str(error))
            return
        self._hear(message)
