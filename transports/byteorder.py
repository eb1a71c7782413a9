"""L16, 16-bit samples on the wire, whose byte order the carrier does not document.

So it is heard from the samples themselves. Neighbouring samples of speech are close to each other; with their
bytes swapped they are far apart: what was the low byte, close to noise, then counts 256 times.
"""

from __future__ import annotations

import logging
from array import array
from typing import Final, Literal, TypeAlias

import numpy as np

from voiceflow.audio import AudioFormat

log = logging.getLogger("voiceflow.byteorder")

ByteOrder: TypeAlias = Literal["little", "big"]

VOICED: Final = 0.5
"""Seconds of audible sound that are listened to."""
AUDIBLE: Final = 100
"""Mean size of the samples of a piece (-50 dBFS) from which it is listened to. Silence tells nothing."""
CLEAR: Final = 2.0
"""How many times further apart the samples must be in the wrong order. Speech gives 30 and more, white noise 1."""


class L16:
    """The L16 of one stream, in either direction. Frames are little-endian, the wire is `order`."""

    def __init__(self, order: ByteOrder) -> None:
        self.order: ByteOrder = order
        """As configured, until listening to the caller has shown otherwise."""
        self._check: ByteOrderCheck | None = None

    def listen(self, format: AudioFormat) -> None:
        """The caller's audio is L16: what comes is listened to until its order is known."""
        self._check = ByteOrderCheck(format)

    def read(self, data: bytes) -> bytes:
        """From the wire."""
        found = self._check.listen(data) if self._check is not None else None
        if found is not None:
            self._check = None
            if found != self.order:
                log.warning("L16 is %s-endian, not %s-endian as configured: switched, both ways", found, self.order)
                self.order = found
        return self.write(data)

    def write(self, data: bytes) -> bytes:
        """To the wire."""
        if self.order == "little":
            return data
        samples = array("H", data)
        samples.byteswap()
        return samples.tobytes()


class ByteOrderCheck:
    """Listens until it knows."""

    def __init__(self, format: AudioFormat) -> None:
        self._wanted = format.bytes_for(VOICED)
        self._heard = self._little = self._big = 0

    def listen(self, data: bytes) -> ByteOrder | None:
        """The order, once half a second of sound was heard that leaves no doubt."""
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
