"""aiortc's inside, and what happens if it changes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import aiortc
import pytest
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from voiceflow.errors import CallError
from voiceflow.transports.webrtc import rtp_tap as tapping
from voiceflow.transports.webrtc.rtp_tap import PLACE, tap


def receiver() -> Any:
    return SimpleNamespace(**{PLACE: JitterBuffer(capacity=16, prefetch=4)})


def test_packets_are_passed_on_and_nothing_is_left_for_aiortc_to_decode() -> None:
    came: list[RtpPacket] = []
    tapped, packet = receiver(), RtpPacket(sequence_number=5)
    tap(tapped, came.append)
    assert getattr(tapped, PLACE).add(packet) == (False, None)
    assert came == [packet]


def test_a_receiver_without_its_buffer_is_an_error_that_says_so() -> None:
    with pytest.raises(CallError, match=rf"aiortc {aiortc.__version__} has changed inside: expected .* keep a Jitter"):
        tap(SimpleNamespace(), lambda packet: None)  # type: ignore[arg-type]


class OtherArguments(JitterBuffer):
    def add(self, packet: RtpPacket, arrival: float) -> Any:  # type: ignore[override]
        return super().add(packet)


class OtherResult(JitterBuffer):
    def add(self, packet: RtpPacket) -> Any:
        return super().add(packet)[1]


@pytest.mark.parametrize(("other", "expected"), [(OtherArguments, "take one packet"), (OtherResult, "return a flag")])
def test_a_buffer_that_works_differently_is_an_error_that_says_so(
    other: type[JitterBuffer], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tapping, "JitterBuffer", other)
    with pytest.raises(CallError, match=expected):
        tap(SimpleNamespace(**{PLACE: other(capacity=16)}), lambda packet: None)  # type: ignore[arg-type]
