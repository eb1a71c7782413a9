"""Where we take RTP packets out of aiortc, before its own jitter buffer and decoder.

aiortc's jitter buffer for audio needs four packets in a row and has no notion of time: each loss stalls it for
280 ms and leaves it 200 ms later for the rest of the call. aiortc has no way to bring another one; so one object is
put into the place of that buffer, under the private name of its attribute. Whether aiortc still is as we know it,
is checked for each call: a different aiortc is an error that says so, not a call without sound.

Nothing comes out of aiortc's track then, so there is nothing of it to read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Final

import aiortc
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtp import RtpPacket

from voiceflow.errors import CallError

PLACE: Final = "_RTCRtpReceiver__jitter_buffer"
KNOWN: Final = "1.16"


class Tap:
    """Stands in the place of a jitter buffer and passes on each packet as it comes."""

    def __init__(self, arrive: Callable[[RtpPacket], None]) -> None:
        self._arrive = arrive

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        self._arrive(packet)
        return False, None  # no picture is lost, nothing is to be decoded


def tap(receiver: RTCRtpReceiver, arrive: Callable[[RtpPacket], None]) -> None:
    """Have each RTP packet of `receiver` passed to `arrive`. Raises `CallError` if aiortc is not as we know it."""
    for expected, fits in (
        (f"RTCRtpReceiver to keep a JitterBuffer in {PLACE}", isinstance(getattr(receiver, PLACE, None), JitterBuffer)),
        (
            "JitterBuffer.add to take one packet",
            [*inspect.signature(JitterBuffer.add).parameters] == ["self", "packet"],
        ),
        ("JitterBuffer.add to return a flag and a frame or None", _adds()),
    ):
        if not fits:
            raise CallError(
                f"aiortc {aiortc.__version__} has changed inside: expected {expected}. Browser calls need an aiortc "
                f"like {KNOWN}"
            )
    setattr(receiver, PLACE, Tap(arrive))


def stop_asking(transport: RTCIceTransport) -> None:
    """Before a connection is closed: have aioice ask the peer no more whether it is still there. If it was just about
    to connect, it would begin after it was closed, and never end."""
    transport._connection.query_consent = _nothing  # type: ignore[method-assign]


async def _nothing() -> None:
    pass


def _adds() -> bool:
    try:
        return JitterBuffer(capacity=16, prefetch=4).add(RtpPacket(sequence_number=1, timestamp=1)) == (False, None)
    except (TypeError, AttributeError):
        return False
