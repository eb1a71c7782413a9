"""L16 (16-bit linear PCM on the wire) from carriers that do not document its byte order.

The order is detected from the samples. Neighbouring samples of speech are close to each other; with their bytes
swapped they are far apart, because the low byte, which is close to noise, then counts 256 times.
"""

from __future__ import annotations

from array import array
from typing import Final, Literal, TypeAlias

import numpy as np

from voiceflow.audio import AudioFormat
from voiceflow.logs import get_logger

log = get_logger("voiceflow.byteorder")

ByteOrder: TypeAlias = Literal["little", "big"]

VOICED: Final = 0.5
"""Seconds of audible sound from which the byte order is detected."""
AUDIBLE: Final = 100
"""Pieces whose mean absolute sample is below this (-50 dBFS) are left out: silence tells nothing."""
CLEAR: Final = 2.0
"""How many times further apart the samples must be in the wrong order for a decision. Speech gives 30 and more, white
noise 1."""


class L16:
    """Converts the L16 audio of one stream in both directions. Frames are little-endian, the wire is `order`."""

    def __init__(self) -> None:
        self.order: ByteOrder = "little"
        """The wire's byte order: little-endian is assumed, until the caller's audio shows that it is the other one."""
        self._check: ByteOrderCheck | None = None

    def listen(self, format: AudioFormat) -> None:
        """Detect the byte order from now on, in the audio given to `read`, which has this format."""
        self._check = ByteOrderCheck(format)

    def read(self, data: bytes) -> bytes:
        """Audio in a frame's byte order, from audio on the wire."""
        found = self._check.listen(data) if self._check is not None else None
        if found is not None:
            self._check = None
            if found != self.order:
                log.info("L16 is %s-endian, not %s-endian as assumed: switched, both ways", found, self.order)
                self.order = found
        return self.write(data)

    def write(self, data: bytes) -> bytes:
        """Audio in the wire's byte order, from a frame's audio."""
        if self.order == "little":
            return data
        samples = array("H", data)
        samples.byteswap()
        return samples.tobytes()


class ByteOrderCheck:
    """Detects the byte order of one stream of L16 audio."""

    def __init__(self, format: AudioFormat) -> None:
        self._wanted = format.bytes_for(VOICED)
        self._heard = self._little = self._big = 0

    def listen(self, data: bytes) -> ByteOrder | None:
        """The byte order, once `VOICED` seconds of audible sound have left no doubt; None until then."""
        little = np.frombuffer(data, "<i2").astype(np.int32)
        big = np.frombuffer(data, ">i2").astype(np.int32)
        distance_little, distance_big = (int(np.abs(np.diff(samples)).sum()) for samples in (little, big))
        smoother = little if distance_little <= distance_big else big
        if np.abs(smoother).sum() < AUDIBLE * len(smoother):
            return None
        self._heard += len(data)
        self._little += distance_little
        self._big += distance_big
        if self._heard < self._wanted:
            return None
        order: ByteOrder | None = None
        if self._big > CLEAR * self._little:
            order = "little"
        elif self._little > CLEAR * self._big:
            order = "big"
        self._heard = self._little = self._big = 0
        return order
