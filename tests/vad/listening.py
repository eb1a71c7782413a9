"""What tests of voice activity share: sounds, and a call in which a detector listens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from doubles import Ear, Script, now
from numpy.typing import NDArray
from talking import Parrot, Voice, run

from voiceflow import CANONICAL, AudioFormat, AudioRaw, Call, Frame, Processor, SpeechStarted, SpeechStopped
from voiceflow.inference import loaded_models as models
from voiceflow.processors.vad import VAD, EnergyVAD, SileroVAD
from voiceflow.sounds.wavfile import read_wav

RATE = 16_000
MULAW = AudioFormat("mulaw", 8000)
BOTH = (EnergyVAD, SileroVAD)
Sound = NDArray[np.float64]

SPEECH: Sound = read_wav(Path(__file__).parent.parent / "data" / "speech.wav").samples.astype(np.float64)
"""7.2 s with two pauses of less than half a second; what is said begins at 0.26 s and ends at 6.45 s."""
SAID = SPEECH[int(0.26 * RATE) : int(6.4 * RATE)]


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE))


def white(seconds: float, rms: float, seed: int = 1) -> Sound:
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * rms


def pink(seconds: float, rms: float, seed: int = 1) -> Sound:
    spectrum = np.fft.rfft(white(seconds, 1.0, seed))
    noise: Sound = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), round(seconds * RATE))
    leveled: Sound = noise / noise.std() * rms
    return leveled


def hum(seconds: float, rms: float, hertz: float) -> Sound:
    """Mains hum with its odd harmonics."""
    time = np.arange(round(seconds * RATE)) / RATE
    tones: Sound = sum((np.sin(2 * np.pi * hertz * h * time) / h for h in (1, 2, 3, 5)), np.zeros(len(time)))
    leveled: Sound = tones / tones.std() * rms
    return leveled


def melody(seconds: float, rms: float) -> Sound:
    """Plucked notes, four a second."""
    time = np.arange(RATE // 4) / RATE
    notes = [
        sum(np.sin(2 * np.pi * pitch * h * time) / h * np.exp(-3 * time) for h in range(1, 6))
        for pitch in (220, 277, 330, 440, 392, 330, 294, 247)
    ]
    line: Sound = np.concatenate([note for _, note in zip(range(round(4 * seconds)), cycle(notes))])
    leveled: Sound = line / line.std() * rms
    return leveled


def clicks(seconds: float, samples: int = 30, every: int = 3777) -> Sound:
    line = silence(seconds)
    for start in range(100, len(line) - samples, every):
        line[start : start + samples] = 30_000
    return line


def row(*sounds: Sound) -> Sound:
    return np.concatenate(sounds)


def mixed(*sounds: Sound) -> Sound:
    """Added up; the shorter ones end in silence."""
    line = np.zeros(max(map(len, sounds)))
    for sound in sounds:
        line[: len(sound)] += sound
    return line


def pcm(sound: Sound) -> AudioRaw:
    return AudioRaw(np.clip(np.rint(sound), -32768, 32767).astype("<i2").tobytes())


def spoken(sound: Sound, pieces: Iterable[int] = (320,)) -> Iterator[Frame | float]:
    """A caller's script: each piece arrives when its last sample was spoken. `pieces` are samples, again and again."""
    data, start = pcm(sound).data, 0
    for samples in cycle(pieces):
        piece = data[start : start + 2 * samples]
        if not piece:
            return
        yield len(piece) / CANONICAL.byte_rate
        yield AudioRaw(piece)
        start += len(piece)


class Event(NamedTuple):
    started: bool
    at: int
    """How many samples had passed."""
    edge: int
    """The sample at which the speech began, or ended."""
    time: float


class Listener(Processor):
    """A stage behind the detector."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.samples = 0
        self.arrived = 0.0
        self.events: list[Event] = []
        self.trails: list[float] = []

    def process(self, frame: AudioRaw | SpeechStarted | SpeechStopped) -> AudioRaw | SpeechStarted | SpeechStopped:
        match frame:
            case AudioRaw():
                self.data.append(frame.data)
                self.samples += len(frame.data) // 2
                self.arrived = now()
            case SpeechStarted():
                self.note(frame.lead, started=True)
            case SpeechStopped():
                self.trails.append(frame.trail)
                self.note(frame.trail - (now() - self.arrived), started=False)
        return frame

    def note(self, ago: float, *, started: bool) -> None:
        """Something that was `ago` seconds of audio ago."""
        self.events.append(Event(started, self.samples, self.samples - round(ago * RATE), now()))

    @property
    def spans(self) -> list[tuple[float, float]]:
        """Where it was spoken, in seconds."""
        assert [event.started for event in self.events] == [True, False] * (len(self.events) // 2)
        edges = [round(event.edge / RATE, 2) for event in self.events]
        return list(zip(edges[::2], edges[1::2], strict=True))


def listen(
    vad: VAD,
    *script: Frame | float,
    act: Callable[[Call], Awaitable[Any]] | None = None,
    live: bool = True,
    ear: AudioFormat = CANONICAL,
) -> Listener:
    """What `vad` makes of a call that follows `script`, while `act` happens in it."""
    listener = Listener()
    call = Call(Script(*script, live=live), Ear(ear), transport="test")
    acting = None if act is None else lambda: act(call)
    asyncio.run(models.load([vad]))  # so that the call begins at once
    run(call, lambda call: call.source | vad | listener | Parrot() | Voice() | call.sink, acting)
    return listener


def hear(vad: VAD, sound: Sound, pieces: Iterable[int] = (320,)) -> Listener:
    return listen(vad, *spoken(sound, pieces))
