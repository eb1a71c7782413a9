"""Calls that never run: what a pipeline is linked for when there is no call yet, at start-up and for drawings."""

from __future__ import annotations

from typing import Final

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.call import Call
from voiceflow.route import Route
from voiceflow.transport import Sink, Source

FORMATS: Final = {
    "wav": CANONICAL,
    "twilio": AudioFormat("mulaw", 8_000),
    "telnyx": AudioFormat("mulaw", 8_000),
    "webrtc": AudioFormat("pcm16", 48_000),
}
"""The format that each transport nominally has, both ways."""


class _Caller(Source):
    def __init__(self, transport: str) -> None:
        self.produces = FORMATS[transport]
        self._name = f"{transport.capitalize()}Source"

    @property
    def name(self) -> str:
        return self._name


class _Line(Sink):
    def __init__(self, transport: str) -> None:
        self.accepts = FORMATS[transport]
        self._name = f"{transport.capitalize()}Sink"

    @property
    def name(self) -> str:
        return self._name


def nominal_call(transport: str, route: Route | None = None) -> Call:
    """A call to link a pipeline with, as a call of `transport` would; without a `route`, that of any number."""
    return Call(_Caller(transport), _Line(transport), transport=transport, route=route or Route())
