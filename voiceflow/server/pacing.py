"""How much of the event loop peers may take by what they send. A few bytes can mean much work: 256 KiB are 40 000 pings
or 10 000 requests, and uvloop reads up to 32 times as much at once. Meanwhile no running call would be heard.

So what comes is handed on in pieces of `PIECE` bytes. Strangers take turns, and all of them together have a share of
the loop's time. Nothing more is read from a peer of whom pieces are left, or whose protocol asks for none.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

PIECE: Final = 2048
"""Bytes that are handed on at once: some 300 pings, or 70 requests. A carrier's message has a few hundred."""
SHARE: Final = 0.5
"""The part of the loop's time that strangers may take, all together."""
AT_ONCE: Final = 0.005
"""Seconds that they may take at once."""


class Turns:
    """The strangers of a server, in the order in which their next pieces are handed on."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._waiting: deque[PacedTransport] = deque()
        self._clock = clock
        self._left, self._at = AT_ONCE, clock()
        self._has_begun = False

    def add(self, transport: PacedTransport) -> None:
        """Have the next piece of a stranger handed on: at once, if nobody waits and there is time left."""
        self._waiting.append(transport)
        if not self._has_begun:
            self._has_begun = True
            self._run()

    def _run(self) -> None:
        now = self._clock()
        self._left = min(AT_ONCE, self._left + SHARE * (now - self._at))
        while self._waiting and self._left > 0:
            self._waiting.popleft().hand_on()
            self._at, now = now, self._clock()
            self._left -= now - self._at
        self._at = now
        self._has_begun = bool(self._waiting)
        if self._waiting:
            asyncio.get_running_loop().call_later(AT_ONCE, self._run)


class PacedTransport(asyncio.Transport):
    """A transport whose protocol gets what its peer sends in pieces."""

    def __init__(self, transport: asyncio.Transport, turns: Turns) -> None:
        super().__init__()
        self._transport = transport
        self._turns = turns
        self._rest = bytearray()  # may be megabytes: bytes would be copied for each piece
        self._paused = False  # by the protocol
        self._has_turn = False
        self.is_strangers = True

    def begin(self, take: Callable[[bytes], None], wants_more: Callable[[], bool] = lambda: True) -> None:
        """Hand on what comes from now on to `take`. `wants_more` says whether a piece is taken now: a protocol that
        wants none has to call `resume_reading` later. What is left from before is not handed on."""
        self._take, self._wants_more = take, wants_more
        self._rest.clear()

    def received(self, data: bytes) -> None:
        """Hand on what has come from the peer, now or later."""
        if not (self.is_strangers or self._rest or self._paused) and len(data) <= PIECE:
            self._take(data)
            return
        self._rest += data
        self._transport.pause_reading()
        self._go_on()

    def hand_on(self) -> None:
        """Hand on one piece: the turn has come."""
        self._has_turn = False
        if self._transport.is_closing():
            self._rest.clear()
        elif self._rest and not self._paused and self._wants_more():
            piece = bytes(self._rest[:PIECE])
            del self._rest[:PIECE]
            self._take(piece)
            self._go_on()

    def _go_on(self) -> None:
        if self._paused or self._has_turn:
            return
        if not self._rest:
            if not self._transport.is_closing():
                self._transport.resume_reading()
            return
        self._has_turn = True
        if self.is_strangers:
            self._turns.add(self)
        else:
            asyncio.get_running_loop().call_soon(self.hand_on)

    def pause_reading(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._paused = False
        self._go_on()

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def write(self, data: Any) -> None:
        self._transport.write(data)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._transport.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._transport.get_protocol()
