"""A tap that takes RTP packets out of aiortc before its own jitter buffer and decoder.

aiortc's jitter buffer for audio needs four packets in a row and has no notion of time: each loss stalls it for
280 ms and leaves it 200 ms later for the rest of the call. aiortc has no option for another buffer, so an object of
ours replaces it, under the private name of its attribute. For each call it is checked that aiortc's internals are as
expected: if they have changed, there is an error that says so, and not a call without sound.

aiortc's track of the caller's audio then yields nothing and need not be read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Final

import aiortc
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtp import RtpPacket

from voiceflow.errors import CallError

PLACE: Final = "_RTCRtpReceiver__jitter_buffer"
"""The private attribute in which aiortc's receiver keeps its jitter buffer."""
KNOWN: Final = "1.16"
"""The version of aiortc for which this is written."""


class Tap:
    """Replaces aiortc's jitter buffer and passes on each packet as it comes."""

    def __init__(self, arrive: Callable[[RtpPacket], None]) -> None:
        self._arrive = arrive

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        self._arrive(packet)
        return False, None  # no loss to report to the sender of a video, and no frame to decode


def tap(receiver: RTCRtpReceiver, arrive: Callable[[RtpPacket], None]) -> None:
    """Have each RTP packet of `receiver` passed to `arrive`. Raises `CallError` if aiortc's internals have changed."""
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


def _adds() -> bool:
    """Whether aiortc's `JitterBuffer.add` returns what `Tap.add` returns."""
    try:
        return JitterBuffer(capacity=16, prefetch=4).add(RtpPacket(sequence_number=1, timestamp=1)) == (False, None)
    except (TypeError, AttributeError):
        return False
