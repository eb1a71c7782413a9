"""What an answer to a webhook tells a carrier to do with a call, one thing after the other."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from voiceflow.audio import AudioFormat


class OpenStream(msgspec.Struct, frozen=True):
    """Hand the call's audio to a WebSocket, until that is closed."""

    url: str
    parameters: dict[str, str] = {}
    """What the stream's start brings back."""
    outbound: AudioFormat | None = None
    """The format that the agent's audio is to have. None: that of the caller's."""
    status_callback: str = ""
    """The URL that is told of the stream's beginning and end. "": none."""


class SpeakText(msgspec.Struct, frozen=True):
    """Say a text to the caller, in the carrier's own voice."""

    text: str


class PlayDigits(msgspec.Struct, frozen=True):
    """Play the tones of keys to the caller."""

    digits: str


class DialNumber(msgspec.Struct, frozen=True):
    """Connect the caller to a number or a SIP address."""

    to: str


class RejectCall(msgspec.Struct, frozen=True):
    """Do not accept the call."""

    reason: str
    """busy, or rejected"""


class HangUpCall(msgspec.Struct, frozen=True):
    """End the call."""


Instruction: TypeAlias = OpenStream | SpeakText | PlayDigits | DialNumber | RejectCall | HangUpCall
