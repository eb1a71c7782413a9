"""Nominal calls, which never run: pipelines are linked with them where there is no real call, at start-up and for
drawings."""

from __future__ import annotations

from typing import Final

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.call import Call
from voiceflow.route import Route
from voiceflow.transport import Sink, Source
from voiceflow.transports.carriers import carrier_named, names

OPUS: Final = AudioFormat("pcm16", 48_000)
"""The format to which browsers' Opus is decoded."""


def transports() -> tuple[str, ...]:
    """The names of all transports."""
    return ("wav", *names(), "webrtc")


def nominal_format(transport: str) -> AudioFormat:
    """The usual audio format of a transport, in both directions. Raises `ProviderDetectionError` for an unknown one."""
    match transport:
        case "wav":
            return CANONICAL
        case "webrtc":
            return OPUS
        case _:
            return carrier_named(transport).usual_format


class _NominalSource(Source):
    name = ""

    def __init__(self, transport: str) -> None:
        self.name = f"{transport.capitalize()}Source"
        self.produces = nominal_format(transport)


class _NominalSink(Sink):
    name = ""

    def __init__(self, transport: str) -> None:
        self.name = f"{transport.capitalize()}Sink"
        self.accepts = nominal_format(transport)


def nominal_call(transport: str | None, route: Route | None = None) -> Call:
    """A call to link a pipeline with, in the usual format of `transport` (None: the first carrier's), on `route`
    (None: the default route). Raises `ProviderDetectionError` for a transport that is unknown."""
    transport = transport or names()[0]
    return Call(_NominalSource(transport), _NominalSink(transport), transport=transport, route=route or Route())
