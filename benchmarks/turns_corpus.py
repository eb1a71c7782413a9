"""The sounds of benchmarks/turns.py: speech of Piper and espeak-ng in several voices, noises, rooms and lines. They are
the same each time they are made."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # noises are those of the tests
from vad.listening import RATE, Sound, pcm, pink, row, silence

from voiceflow import weights
from voiceflow.audio import AudioFormat
from voiceflow.processors.codec import convert

BLOCK: Final = RATE // 100
PIPER: Final = "en_US-joe-medium"
TELEPHONE: Final = AudioFormat("mulaw", 8_000)

QUESTIONS: Final = (
    "I would like to book a table for four people on Saturday evening.",
    "Could you please tell me what time the last train leaves?",
    "My internet connection has been very slow since the weekend.",
    "How much is it?",
    "No, on Thursday, please.",
    "Can I pay with a credit card, or do you only accept cash?",
    "Hello, I have a question about my last bill. It is higher than the one before, and I do not know why.",
    "The heating in our apartment does not work, and it is getting cold.",
)
NEWS: Final = (
    "Heavy rain and strong winds are expected in the north of the country tonight, while the south stays mostly dry. "
    "The national rail company has announced that several lines will be closed over the weekend for repairs, and it "
    "advises travellers to check their connections. In sport, the home team won the final match of the season by two "
    "goals to one, in front of more than forty thousand spectators, who celebrated until late at night. "
)
STORY: Final = (
    "Your order was sent on Monday and it will arrive on Wednesday between ten and twelve. If nobody is at home, the "
    "driver leaves the parcel with a neighbour, or takes it to the post office in the station road, where it is kept "
    "for a week. You can also choose another day, or another address. The delivery is free of charge for orders above "
    "fifty euros, and everything that you do not like may be returned within thirty days. "
)
NODS: Final = ("Yeah.", "Okay.", "Right.", "Mm-hmm.", "Uh-huh.", "Yes.")
INTERRUPTIONS: Final = (
    "Wait a moment, please.",
    "No, that is the wrong address.",
    "Stop, I have another question.",
    "Sorry, can you say that again?",
)


class Voice(NamedTuple):
    """Who speaks: Piper, made higher by `pitch`, or a voice of espeak-ng."""

    espeak: str = ""
    pitch: float = 1.0


VOICES: Final = (
    Voice(),
    Voice(pitch=1.18),
    Voice(pitch=0.88),
    Voice("en-us+m3"),
    Voice("en-gb+f2"),
    Voice("en-us+f4"),
)
OTHERS: Final = (Voice("en-gb+m1"), Voice(pitch=1.3), Voice("en-us+f3"))
"""Those who talk in the room."""
AGENT: Final = Voice(pitch=1.06)
AGENTS: Final = (AGENT, Voice("en-us+f4"), Voice(pitch=1.2))


@functools.cache
def say(text: str, voice: Voice) -> Sound:
    """What `voice` says, without the silence before and after, at an active level of 1."""
    if voice.espeak:
        command = ["espeak-ng", "-v", voice.espeak, "-s", "155", "--stdout", text]
        data = subprocess.run(command, capture_output=True, check=True).stdout[44:]
        spoken = resampled(np.frombuffer(data, "<i2").astype(np.float64), RATE / 22_050)
    else:
        spoken = resampled(_piper(text), RATE / 22_050 / voice.pitch)
    return trimmed(spoken) / active(spoken)


@functools.cache
def _piper(text: str) -> Sound:
    from piper.config import SynthesisConfig

    steady = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)  # the same every time
    chunks = _piper_voice().synthesize(text, steady)
    return np.frombuffer(b"".join(chunk.audio_int16_bytes for chunk in chunks), "<i2").astype(np.float64)


@functools.cache
def _piper_voice() -> Any:
    from piper import PiperVoice

    found = weights.piper(PIPER)
    return PiperVoice.load(found.onnx, found.config)


def resampled(sound: Sound, ratio: float) -> Sound:
    """`sound` at `ratio` times as many samples. What does not fit below half the lower rate is cut off."""
    size = round(len(sound) * ratio)
    spectrum = np.fft.rfft(sound)
    kept = min(len(spectrum), size // 2 + 1)
    whole = np.zeros(size // 2 + 1, complex)
    whole[:kept] = spectrum[:kept]
    result: Sound = np.fft.irfft(whole, size) * ratio
    return result


def levels(sound: Sound) -> Sound:
    """The RMS of each 10 ms."""
    whole = sound[: len(sound) // BLOCK * BLOCK].reshape(-1, BLOCK)
    result: Sound = np.sqrt((whole * whole).mean(axis=1))
    return result


def active(sound: Sound) -> float:
    """The RMS of those parts of `sound` that are no pauses: within 30 dB of the loudest 10 ms."""
    found = levels(sound)
    return float(np.sqrt((found[found > found.max() / 31.6] ** 2).mean()))


def trimmed(sound: Sound) -> Sound:
    """`sound` from where it begins to where it ends: 30 dB below its active level."""
    loud = np.flatnonzero(levels(sound) > active(sound) / 31.6)
    return sound[loud[0] * BLOCK : (loud[-1] + 1) * BLOCK]


def decibels(level: float) -> float:
    """The factor that `level`, in dB, is."""
    return float(10 ** (level / 20))


def full_scale(level: float) -> float:
    """The RMS of 16-bit samples at `level`, in dBFS."""
    return 32_768 * decibels(level)


def lasting(sound: Sound, seconds: float, start: int = 0) -> Sound:
    """`sound` again and again, from the sample `start` on."""
    return np.resize(np.roll(sound, -start), round(seconds * RATE))


def telephone(sound: Sound) -> Sound:
    """`sound` as it arrives from a telephone: mu-law at 8 kHz."""
    return convert(convert(pcm(sound), TELEPHONE), AudioFormat("pcm16", RATE)).samples.astype(np.float64)


def reverberant(sound: Sound) -> Sound:
    """`sound` in a room, where it fades within 0.12 s."""
    tail = np.random.default_rng(3).standard_normal(RATE * 3 // 25) * np.exp(-np.arange(RATE * 3 // 25) / (0.03 * RATE))
    response, size = row(np.ones(1), 0.08 * tail), len(sound) + len(tail) + 1
    room: Sound = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)
    return room[: len(sound)]


# what is no speech


def babble(seconds: float) -> Sound:
    """Nine people who talk at the same time, at a level of 1."""
    talkers = [
        lasting(say(text, voice), seconds, 17_000 * place)
        for place, (voice, text) in enumerate((v, t) for v in OTHERS for t in (NEWS, STORY, " ".join(QUESTIONS)))
    ]
    together = np.sum(talkers, axis=0)
    leveled: Sound = together / together.std()
    return leveled


def cough(seed: int = 1) -> Sound:
    """A burst of noise of 0.25 s, and a weaker one, at a level of 1."""
    time = np.arange(round(0.25 * RATE)) / RATE
    burst = pink(0.25, 1.0, seed) * np.minimum(1, time / 0.01) * np.exp(-time / 0.07)
    both = row(burst, silence(0.06), 0.5 * burst)
    return both / active(both)
