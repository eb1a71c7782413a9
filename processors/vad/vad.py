"""The base of all voice activity detectors: audio passes untouched, and frames between its pieces tell where speech
starts and stops."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from voiceflow.frames import AudioRaw, SpeechStarted, SpeechStopped
from voiceflow.processor import Processor
from voiceflow.processors.vad.detector import RATE, Detector
from voiceflow.processors.vad.echo import Echo
from voiceflow.processors.vad.foreground import Foreground
from voiceflow.processors.vad.levels import level, rms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from voiceflow.call import Call

STAY: Final = 0.6
"""The fraction of what starts speech, a level or a probability, that keeps it going: words fade, and an agent that
takes every trailing syllable for a pause is worse than one that waits."""
OVERDUE: Final = 0.2
"""Seconds by which a piece of audio may be late before audio has stopped arriving: less than this is jitter. A piece is
due as long after the one before it as that one lasts."""
SAMPLE: Final = 2  # bytes per sample


class VAD(Detector, Processor):
    """The base of voice activity detectors: a subclass judges windows of `window` samples.

    `SpeechStarted` follows the frame that completes `confirm` seconds of voice, `SpeechStopped` the one that
    completes `silence` seconds without. If a live caller's audio stops arriving, the clock ends the speech instead.
    The agent's own voice, returned by the line, is not speech (see echo.py), nor are weaker voices in the room while
    the caller speaks or after it (see foreground.py).

    `confirm`, `silence`, `preroll` and `longest` (seconds) may be changed during the call.
    """

    window: ClassVar[int]
    """How many samples `is_voiced` gets: an even number."""

    def __init__(self, confirm: float, silence: float, preroll: float) -> None:
        super().__init__(confirm, silence, preroll)
        self._rest = b""  # audio that has come but is not yet a whole window
        self._arrived = 0.0  # when audio last came, on the loop's clock
        self._overdue = 0.0  # when audio will have stopped arriving, if none comes before
        self._timer: asyncio.TimerHandle | None = None
        self._echo = Echo(self.window / RATE)
        self._foreground = Foreground(self.window / RATE)

    @abstractmethod
    def is_voiced(self, window: NDArray[np.int16], level: float) -> bool:
        """Whether `window` holds a voice; `level` is its RMS. Called for every window, in order."""

    async def open(self, call: Call) -> None:
        self._loop = asyncio.get_running_loop()
        self._live = call.is_live  # other sources wait for the pipeline: their audio is never overdue
        call.on_played(self._echo.played)

    def process(self, frame: AudioRaw) -> Iterator[AudioRaw | SpeechStarted | SpeechStopped]:
        yield frame
        self._arrived = now = self._loop.time()
        self._overdue = now + len(frame.data) / (SAMPLE * RATE) + OVERDUE
        data = self._rest + frame.data if self._rest else frame.data
        size = self.window * SAMPLE
        end = len(data) - len(data) % size
        for offset in range(0, end, size):
            window = np.frombuffer(data, "<i2", self.window, offset)
            behind = (len(data) - offset) / (SAMPLE * RATE)
            if self.push(self._judge(window, now - behind), self.window):
                self._rest = data[offset + size :]
                if self.was_cut:
                    self._foreground.cut()
                yield self._started() if self.speaking else self._stopped()
        self._rest = data[end:]

    def finish(self) -> Iterator[SpeechStopped]:
        """End the speech that the call's end interrupts."""
        self._disarm()
        if self.stop():
            yield self._stopped()

    async def close(self) -> None:
        self._disarm()

    def reset(self) -> None:
        self._disarm()
        self._rest = b""
        self._foreground.forget()
        self.start_over()

    def _judge(self, window: NDArray[np.int16], at: float) -> bool:
        loud = level(window)
        gate = self._echo.gate(rms(window), at)
        voiced = self.is_voiced(window, loud) and loud > gate
        voiced = self._foreground.judge(voiced, loud, speaking=self.speaking)
        if self._foreground.overrun:
            self.ended(self.position + self.window - round(self._foreground.overrun * RATE))
        return voiced

    def _started(self) -> SpeechStarted:
        if self._live and self._timer is None:
            self._timer = self._loop.call_later(self.silence, self._watch)
        return SpeechStarted((self._received - self.began) / RATE)

    def _stopped(self) -> SpeechStopped:
        """The frame, with the time since the last voiced audio, including time in which no audio arrived."""
        return SpeechStopped(self._quiet + (self._loop.time() - self._arrived if self._live else 0.0))

    @property
    def _quiet(self) -> float:
        """How many seconds of audio have come since the last voiced window."""
        return (self._received - self.voiced_end) / RATE

    @property
    def _received(self) -> int:
        """How many samples have come so far."""
        return self.position + len(self._rest) // SAMPLE

    # When audio stops arriving

    def _watch(self) -> None:
        """End the speech if audio has stopped arriving; else set the timer to check again."""
        self._timer = None
        if not self.speaking:
            return
        due = max(self._overdue, self._arrived + self.silence - self._quiet)
        if self._loop.time() < due - 1e-6:  # a timer may be early by a rounding error
            self._timer = self._loop.call_at(due, self._watch)
        else:
            self.stop()
            self._foreground.forget()
            self.emit(self._stopped())

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
