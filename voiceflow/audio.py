"""Audio formats: what the bytes of an audio frame mean.

A format is interned, so two formats are equal exactly when they are the same object, and the media
path compares them with `is`.
"""

from __future__ import annotations

from typing import Final

from .errors import AudioCodecError

# A number of bytes and how many samples of one channel they hold. ITU-T G.722 (64 kbit/s) codes two samples in a byte.
_BYTES_AND_SAMPLES: Final = {
    "pcm16": (2, 1),
    "pcm16be": (2, 1),
    "mulaw": (1, 1),
    "alaw": (1, 1),
    "g722": (1, 2),
}
ENCODINGS: Final = tuple(_BYTES_AND_SAMPLES)


class AudioFormat:
    """How audio is encoded: an encoding, a rate in Hz, a number of channels.

    `pcm16` is signed 16-bit little-endian, `pcm16be` the same big-endian, `mulaw` and `alaw` are G.711,
    `g722` is 64 kbit/s G.722, whose rate is always 16 000 Hz. Channels are interleaved. Raises `AudioCodecError` for
    another encoding, a rate outside 4 000 to 192 000 Hz, or more than two channels.

    >>> AudioFormat("pcm16", 16_000, 1) is AudioFormat("pcm16", 16_000, 1)
    True
    """

    __slots__ = ("byte_rate", "channels", "encoding", "frame_bytes", "rate")

    encoding: str
    rate: int
    """Samples of each channel per second (Hz)."""
    channels: int
    byte_rate: float
    """Bytes per second."""
    frame_bytes: int
    """Bytes of one sample of every channel: audio is a whole number of these. In G.722, one byte holds two samples."""

    _interned: Final[dict[tuple[str, int, int], AudioFormat]] = {}

    def __new__(cls, encoding: str, rate: int, channels: int = 1) -> AudioFormat:
        key = (encoding, rate, channels)
        known = cls._interned.get(key)
        if known is not None:
            return known
        if encoding not in _BYTES_AND_SAMPLES:
            raise AudioCodecError(f"unknown audio encoding {encoding!r}: use one of {', '.join(ENCODINGS)}")
        if not 4_000 <= rate <= 192_000:
            raise AudioCodecError(f"audio rate {rate!r} Hz is outside 4 000 to 192 000 Hz")
        if not 1 <= channels <= 2:
            raise AudioCodecError(f"audio with {channels!r} channels: only mono and stereo are supported")
        if encoding == "g722" and (rate, channels) != (16_000, 1):
            raise AudioCodecError(f"G.722 is 16 000 Hz mono, not {rate} Hz with {channels} channels")
        size, samples = _BYTES_AND_SAMPLES[encoding]
        self = super().__new__(cls)
        self.encoding, self.rate, self.channels = encoding, rate, channels
        self.byte_rate = rate * channels * size / samples
        self.frame_bytes = size * channels
        return cls._interned.setdefault(key, self)

    def bytes_for(self, seconds: float) -> int:
        """The size of `seconds` of audio in bytes, rounded to whole samples."""
        return round(seconds * self.byte_rate / self.frame_bytes) * self.frame_bytes

    def with_encoding(self, encoding: str) -> AudioFormat:
        return AudioFormat(encoding, self.rate, self.channels)

    def __reduce__(self) -> tuple[type[AudioFormat], tuple[str, int, int]]:
        return AudioFormat, (self.encoding, self.rate, self.channels)

    def __repr__(self) -> str:
        return f"AudioFormat({self.encoding!r}, {self.rate}, {self.channels})"

    def __str__(self) -> str:
        channels = "" if self.channels == 1 else " stereo"
        return f"{self.encoding} {self.rate} Hz{channels}" if self is not ANY else "any"


def _any() -> AudioFormat:
    self = object.__new__(AudioFormat)
    self.encoding, self.rate, self.channels, self.byte_rate, self.frame_bytes = "any", 0, 0, 1.0, 1
    return self


CANONICAL: Final = AudioFormat("pcm16", 16_000, 1)
"""The format of the audio that a processor gets and yields unless it declares another."""

ANY: Final = _any()
"""As `accepts`: any format. As `produces`: the format that came in. No frame ever has this format."""
