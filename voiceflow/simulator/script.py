"""What a simulated caller does, and what the network does to it. Time is counted in pieces of 20 ms."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import msgspec
import numpy as np

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.processors.codec.convert import Chain, StreamResampler, convert
from voiceflow.transports.chunking import silence

PIECE: Final = 0.02
"""Seconds of audio in each message, as carriers send it."""
KEY: Final = 10
"""Pieces from one key to the next: 0.2 s, as long as a gateway's tone and the gap after it."""
PAUSE: Final = 25
"""Pieces that a `w` among the keys stands for: half a second, as carriers understand it."""
QUIET: Final = 500
"""Audio all of whose samples are below this counts as silence: -36 dB, above the noise of a G.711 or G.722 line."""


class Network(msgspec.Struct, frozen=True):
    """What happens to the caller's audio on its way."""

    loss: float = 0.0
    """The share of messages or packets that is lost, from 0 to 1."""
    jitter: float = 0.0
    """Seconds by which one may be late, at most."""
    reorder: float = 0.0
    """The share, from 0 to 1, that arrives after the one that was sent next."""


PERFECT: Final = Network()


class Script(msgspec.Struct, frozen=True, dict=True):  # dict: for what is computed once
    """What the caller says and presses, and when. The same for all calls."""

    format: AudioFormat
    speech: tuple[bytes, ...]
    """What the caller says, from the first moment on."""
    again: tuple[bytes, ...] = ()
    """What is said at the barge-in, over the agent."""
    keys: dict[int, str] = {}
    """The keys that are pressed, by the number of the piece that they precede."""
    barge_in: int | None = None
    """The number of the piece with which the caller interrupts the agent."""
    length: int | None = None
    """How many pieces the call lasts. None: until both sides are quiet."""
    vanish: int | None = None
    """The number of the piece in the middle of which the caller drops the connection."""
    network: Network = PERFECT

    def part(self, heard: AudioFormat) -> CallerPart:
        """What one caller does by this script, to whom the agent's audio comes as `heard`."""
        return CallerPart(self)

    @cached_property
    def silent_from(self) -> int:
        """The number of the piece from which on the caller is silent: audio that is heard then is an answer."""
        ear = Ear(self.format)
        quiet = [ear.is_quiet(self.piece(number)) for number in range(self.over)]
        loud = [number for number, is_quiet in enumerate(quiet) if not is_quiet]
        return max([0, *(number + 1 for number in loud), *(number + 1 for number in self.keys)])

    @cached_property
    def silence(self) -> bytes:
        return silence(self.format.bytes_for(PIECE), self.format)

    @cached_property
    def over(self) -> int:
        """The number of the first piece at which the caller has nothing more to do."""
        spoken = len(self.speech)
        if self.again and self.barge_in is not None:
            spoken = self.barge_in + len(self.again)
        return max([spoken, *(number + KEY for number in self.keys)])

    def piece(self, number: int) -> bytes:
        """The audio of piece `number`."""
        said, since = self.speech, number
        if self.again and self.barge_in is not None and number >= self.barge_in:
            said, since = self.again, number - self.barge_in
        return said[since] if since < len(said) else self.silence


class CallerPart:
    """What one caller does in one call, piece by piece. Here everything is known beforehand; see cues.py."""

    def __init__(self, script: Script) -> None:
        self.format = script.format
        self.keys = script.keys
        self.barge_in = script.barge_in
        self.length = script.length
        self.vanish = script.vanish
        self.network = script.network
        self.silence = script.silence
        self.over = script.over
        self.silent_from = script.silent_from if script.length is None else 0
        self._script = script

    def piece(self, number: int) -> bytes:
        """The audio of piece `number`."""
        return self._script.piece(number)

    def texts(self, start: float, end: float) -> list[str | None]:
        """The words of what the caller begins to say between two times, in seconds, None where they are not known."""
        return [None]

    def advance(self, number: int, now: float) -> None:
        """Told that piece `number` is next, at `now` on the phone's clock."""

    def hear(self, data: bytes, end: float) -> None:
        """Told that the agent sent `data`, which is heard until `end`."""

    def cleared(self, now: float) -> None:
        """Told that what the agent sent and is not heard by `now` never will be."""


def write(
    audio: AudioRaw | None,
    format: AudioFormat,
    *,
    digits: str = "",
    barge_in_at: float | None = None,
    seconds: float | None = None,
    vanish_after: float | None = None,
    network: Network = PERFECT,
) -> Script:
    """The script of a caller who says `audio`, if anything, and presses `digits` after it.

    At `barge_in_at` seconds the caller interrupts: by the digits, where there are some, or by saying it all again.
    """
    speech = pieces(audio, format) if audio is not None else ()
    interrupts = round(barge_in_at / PIECE) if barge_in_at is not None else None
    at = interrupts if interrupts is not None else max(len(speech), round(1.0 / PIECE))
    keys = press(digits, at)
    return Script(
        format,
        speech,
        again=speech[first_loud(speech, format) :] if interrupts is not None and not digits else (),
        keys=keys,
        barge_in=min(keys) if keys and interrupts is not None else interrupts,
        length=round(seconds / PIECE) if seconds is not None else None,
        vanish=round(vanish_after / PIECE) if vanish_after is not None else None,
        network=network,
    )


def pieces(audio: AudioRaw, format: AudioFormat) -> tuple[bytes, ...]:
    """`audio` as a carrier sends it: in `format`, in pieces of 20 ms, the last one filled up with silence."""
    data, size = convert(audio, format).data, format.bytes_for(PIECE)
    data += silence(-len(data) % size, format)
    return tuple(data[start : start + size] for start in range(0, len(data), size))


def press(digits: str, at: int) -> dict[int, str]:
    """The keys of `digits`, each by the number of the piece that it precedes, from piece `at` on."""
    keys = {}
    for digit in digits:
        if digit in "wW":
            at += PAUSE
        else:
            keys[at] = digit.upper()
            at += KEY
    return keys


class Ear:
    """Tells of each piece in turn whether it is silent. It keeps state between pieces, without which G.722 cannot be
    decoded."""

    def __init__(self, format: AudioFormat) -> None:
        self._decode = Chain(format, AudioFormat("pcm16", format.rate), StreamResampler).push

    def is_quiet(self, data: bytes) -> bool:
        samples = np.frombuffer(self._decode(data), "<i2")
        return bool(samples.min(initial=0) > -QUIET and samples.max(initial=0) < QUIET)


def first_loud(speech: tuple[bytes, ...], format: AudioFormat) -> int:
    """The number of the piece with which speech begins: a barge-in is not counted from the silence before it."""
    ear = Ear(format)
    return next((number for number, data in enumerate(speech) if not ear.is_quiet(data)), 0)
