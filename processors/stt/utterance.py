"""The audio of one utterance: where it begins, where it ends, and where a long one is cut.

Audio is kept as it came, piece by piece, and joined only to be transcribed. While nobody speaks, the last two
seconds are kept: an utterance begins some time before a VAD is sure of it.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from voiceflow.audio import CANONICAL

KEPT = CANONICAL.bytes_for(2.0)
"""Bytes of audio that are kept while nobody speaks."""
LONGEST_STALL = 5.0
"""Seconds by which audio may come late, at most; what is missing beyond that was never sent."""
TAIL = 0.2
"""Seconds of silence that stay with the last word: a final consonant is quiet."""
LONGEST = CANONICAL.bytes_for(28.0)
"""Bytes of audio that are transcribed in one piece at most: Whisper and similar models look at 30 s at a time."""
CUT_FROM = CANONICAL.bytes_for(20.0)
"""Bytes of audio after which the search for a place to cut begins."""
BLOCK, PAUSE = CANONICAL.bytes_for(0.02) // 2, 10
"""Loudness is measured in blocks of 20 ms, `BLOCK` samples each; a pause is `PAUSE` blocks."""


class MediaClock:
    """When the caller said what has come: counted by the audio, since pieces that come in a burst after a stall were
    spoken before. `now` is the call's clock, in seconds since its start; a place is the same of the audio."""

    def __init__(self) -> None:
        self._place = 0.0
        self._offset: float | None = None  # from a place to the call's clock
        self.arrived = 0.0
        """When audio came last, by the call's clock."""

    def add(self, seconds: float, now: float) -> None:
        """A piece of audio has come."""
        self._place += seconds
        if self._offset is None:
            self._offset = now - self._place
        late = now - self._place - self._offset
        self._place += max(0.0, late - LONGEST_STALL)
        self._offset = min(self._offset, now - self._place)
        self.arrived = now

    def place(self, now: float) -> float:
        """Where the audio would be if it had gone on since it came last."""
        return self._place + now - self.arrived

    def time(self, place: float) -> float:
        """The time of the call at a place of the audio."""
        return max(0.0, place + (self._offset or 0.0))


class Utterance:
    """Collects audio, 16-bit mono PCM at 16 kHz. `speaking` tells whether an utterance is under way."""

    def __init__(self) -> None:
        self.speaking = False
        self._pieces: deque[bytes] = deque()
        self._size = 0

    @property
    def seconds(self) -> float:
        """How many seconds of audio it holds."""
        return self._size / CANONICAL.byte_rate

    @property
    def audio(self) -> bytes:
        """All audio that it holds."""
        return b"".join(self._pieces)

    def add(self, audio: bytes) -> None:
        self._pieces.append(audio)
        self._size += len(audio)
        while not self.speaking and self._size - len(self._pieces[0]) >= KEPT:
            self._size -= len(self._pieces.popleft())

    def begin(self, lead: float) -> None:
        """Begin an utterance that started `lead` seconds ago."""
        self.speaking = True
        self._keep_last(CANONICAL.bytes_for(lead))

    def end(self, trail: float) -> bytes:
        """End the utterance, whose last word ended `trail` seconds ago. Returns the audio of it that was not taken yet.

        The silence after it is kept: it may belong to the next utterance. So no audio is transcribed twice.
        """
        self.speaking = False
        audio = self.audio
        silence = min(CANONICAL.bytes_for(max(0.0, trail - TAIL)), len(audio))
        self._hold(audio[len(audio) - silence :])
        self._keep_last(KEPT)
        return audio[: len(audio) - silence]

    def take_piece(self) -> bytes | None:
        """Take the first part of an utterance that is too long for one piece, up to a quiet place; else None."""
        if self._size <= LONGEST:
            return None
        audio = self.audio
        cut = quietest(audio, CUT_FROM, LONGEST)
        self._hold(audio[cut:])
        return audio[:cut]

    def reset(self) -> None:
        """Forget everything."""
        self.speaking = False
        self._hold(b"")

    def _hold(self, audio: bytes) -> None:
        self._pieces = deque([audio] if audio else [])
        self._size = len(audio)

    def _keep_last(self, size: int) -> None:
        """Drop all but the last `size` bytes."""
        while self._size > size:
            first = self._pieces.popleft()
            self._size -= len(first)
            if self._size < size:
                self._pieces.appendleft(first[self._size - size :])
                self._size = size


def quietest(audio: bytes, start: int, stop: int) -> int:
    """The middle, in bytes, of the quietest pause of `audio` between the bytes `start` and `stop`."""
    samples = np.frombuffer(audio[start:stop], "<i2").astype(np.float32)
    blocks = samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    energy = np.convolve((blocks * blocks).mean(axis=1), np.ones(PAUSE), "valid")
    return start + 2 * BLOCK * (int(energy.argmin()) + PAUSE // 2)
