"""Calls that never run: what a pipeline is linked for when there is no call yet, at start-up and for drawings."""

from __future__ import annotations

from typing import Final

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.call import Call
from voiceflow.route import Route
from voiceflow.transport import Sink, Source
from voiceflow.transports.carriers import carrier_named, names

OPUS: Final = AudioFormat("pcm16", 48_000)
"""What browsers' Opus is decoded to."""


def transports() -> tuple[str, ...]:
    """The transports by which calls come."""
    return ("wav", *names(), "webrtc")


def nominal_format(transport: str) -> AudioFormat:
    """The format that a transport nominally has, both ways. Raises `ProviderDetectionError` for an unknown one."""
    match transport:
        case "wav":
            return CANONICAL
        case "webrtc":
            return OPUS
        case _:
            return carrier_named(transport).usual_format


class _Caller(Source):
    def __init__(self, transport: str) -> None:
        self.produces = nominal_format(transport)
        self._name = f"{transport.capitalize()}Source"

    @property
    def name(self) -> str:
        return self._name


class _Line(Sink):
    def __init__(self, transport: str) -> None:
        self.accepts = nominal_format(transport)
        self._name = f"{transport.capitalize()}Sink"

    @property
    def name(self) -> str:
        return self._name


def nominal_call(transport: str | None, route: Route | None = None) -> Call:
    """A call to link a pipeline with, as a call of `transport` would, or, without one, of the first carrier; without a
    `route`, that of any number. Raises `ProviderDetectionError` for a transport that is unknown."""
    transport = transport or names()[0]
    return Call(_Caller(transport), _Line(transport), transport=transport, route=route or Route())
