"""Opus as WebRTC carries it: 48 kHz, packets of 20 ms from us, packets of any length from the peer.

We encode and decode here, on the event loop, instead of passing raw audio to aiortc. This is in mono, which halves the
work (the decoder mixes a stereo packet correctly), does without the two threads through which aiortc passes each
piece, and sends silence, which is most of what an agent sends, as one constant packet. A packet takes some 60 us to
encode and 25 us to decode.

Source: RFC 6716 (section 3.1 for the first byte of a packet).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Literal

import av

from voiceflow.audio import AudioFormat

FORMAT: Final = AudioFormat("pcm16", 48_000)
"""The format of audio out of the decoder and into the encoder."""
FRAME: Final = 960
"""Samples in each packet that we send: 20 ms."""
FRAME_BYTES: Final = FRAME * FORMAT.frame_bytes
TIME_BASE: Final = Fraction(1, FORMAT.rate)
SILENCE: Final = b"\xf8\xff\xfe"
"""The packet that libopus makes of 20 ms of digital silence. It decodes to zeros, whatever came before."""
BIT_RATE: Final = 48_000  # bits a second; decoded speech then correlates with the original above 0.99
LONGEST: Final = 5_760
"""The most samples that one packet may hold: 120 ms."""


def samples_in(packet: bytes) -> int:
    """How many samples `packet` holds. 0: it is not an Opus packet."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:  # SILK
        frame = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:  # hybrid
        frame = (480, 960)[config & 1]
    else:  # CELT
        frame = (120, 240, 480, 960)[config & 3]
    count = (1, 2, 2, packet[1] & 0x3F if len(packet) > 1 else 0)[code]
    return frame * count if frame * count <= LONGEST else 0


class Encoder:
    """Encodes mono audio, in pieces of 20 ms, to packets."""

    def __init__(self) -> None:
        self._codec = _codec("w")
        self._codec.time_base = TIME_BASE
        self._codec.bit_rate = BIT_RATE
        # "lowdelay" looks 2.5 ms ahead, the other applications 6.5 ms; it is also the cheapest to compute.
        self._codec.options = {"application": "lowdelay", "compression_level": "5"}
        self._encoded = 0
        self._quiet = True

    def encode(self, audio: bytes | None) -> bytes:
        """The packet for the next 20 ms: `FRAME` samples, or None for silence."""
        if audio is None:
            if self._quiet:
                return SILENCE
            audio = bytes(FRAME_BYTES)  # once, because the encoder still holds its look-ahead
            self._quiet = True
        else:
            self._quiet = False
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.sample_rate = FORMAT.rate
        frame.time_base = TIME_BASE
        frame.pts = self._encoded
        frame.planes[0].update(audio)
        self._encoded += FRAME
        return b"".join(map(bytes, self._codec.encode(frame)))


class Decoder:
    """Decodes packets to mono audio."""

    def __init__(self) -> None:
        self._codec = _codec("r")
        self._last = SILENCE[0]

    def decode(self, packet: bytes) -> bytes:
        """The audio of `packet`, in `FORMAT`. Empty: it is not an Opus packet."""
        try:
            audio = self._decode(packet)
        except av.FFmpegError:
            return b""
        self._last = packet[0]
        return audio

    def conceal(self) -> bytes:
        """Audio in place of a lost packet: libopus continues the last audio and fades it out.

        A packet without content tells libopus that one is missing (RFC 6716, section 3.2.1: a frame of no bytes).
        """
        return self._decode(bytes([self._last & 0xFC]))

    def _decode(self, packet: bytes) -> bytes:
        frames = self._codec.decode(av.Packet(packet))
        return b"".join(bytes(frame.planes[0])[: frame.samples * FORMAT.frame_bytes] for frame in frames)


def _codec(mode: Literal["r", "w"]) -> av.AudioCodecContext:
    codec = av.CodecContext.create("libopus", mode)
    assert isinstance(codec, av.AudioCodecContext)
    codec.sample_rate = FORMAT.rate
    codec.format = "s16"
    codec.layout = "mono"
    return codec
