"""The word error rate of Whisper over a telephone line, with our resampler and with soxr in the same place.

    python benchmarks/wer.py [--json FILE] [--quick] [--model base]

Sentences spoken by Piper, with background noise, go through G.711 at 8 kHz as a call's audio does. Ours converts them
in pieces of 20 ms with `Convert`; soxr resamples each sentence as a whole, which no live call can. Lost packets are
silence. Everything random is seeded, so both get the same. Needs the extras `stt` and `tts`; without a network, also
`offline`.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from report import console, options, show, write

from voiceflow import weights
from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import Convert, convert
from voiceflow.processors.stt import WhisperSTT

SENTENCES = (
    "I would like to book a table for four people on Saturday evening.",
    "Could you please tell me what time the last train leaves?",
    "The package arrived yesterday, but the box was damaged.",
    "I need to change my appointment from Tuesday to Thursday morning.",
    "How much does the express delivery cost?",
    "My internet connection has been very slow since the weekend.",
    "Please cancel my subscription at the end of this month.",
    "Is there a pharmacy near the station that is open on Sundays?",
    "We forgot a blue umbrella in the meeting room on the second floor.",
    "The heating in our apartment does not work, and it is getting cold.",
    "Can I pay with a credit card, or do you only accept cash?",
    "Thank you very much for your help, that was all I wanted to know.",
)
VOICE = "en_US-joe-medium"
MULAW = AudioFormat("mulaw", 8_000)
PIECE = MULAW.bytes_for(0.02)
SILENCE = b"\xff" * PIECE
Samples = NDArray[np.float64]


class Line(NamedTuple):
    """What happens to a sentence on its way."""

    name: str
    noise: float | None = None
    """The signal-to-noise ratio in dB."""
    loss: float = 0.0
    """The share of packets that are lost."""


LINES = (
    Line("G.711"),
    Line("noise at 20 dB", noise=20),
    Line("noise at 10 dB", noise=10),
    Line("noise at 5 dB", noise=5),
    Line("1 % loss", loss=0.01),
    Line("2 % loss", loss=0.02),
    Line("3 % loss", loss=0.03),
)


class Score(NamedTuple):
    errors: int
    words: int
    seconds: list[float]
    """How long the recognition of each sentence took."""

    @property
    def wer(self) -> float:
        """The word error rate in percent."""
        return 100 * self.errors / self.words

    def plus(self, other: Score) -> Score:
        return Score(self.errors + other.errors, self.words + other.words, self.seconds + other.seconds)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--model", default="base", help="Whisper's size, or a folder (default: base)")
    chosen = parser.parse_args()
    sentences = SENTENCES[:2] if chosen.quick else SENTENCES
    with console.status("speaking") as status:
        spoken = [(text, speech) for text, speech in zip(sentences, speak(sentences), strict=True)]
        stt = WhisperSTT(chosen.model)
        status.update("loading Whisper")
        stt.model = stt.load()
        direct = score(stt, [(text, convert(speech, CANONICAL)) for text, speech in spoken])
        rows = []
        totals = {name: Score(0, 0, []) for name in PATHS}
        for line in LINES:
            row: dict[str, Any] = {"line": line.name}
            for name, path in PATHS.items():
                status.update(f"{line.name}, {name}")
                heard = [(text, send(speech, line, path, seed)) for seed, (text, speech) in enumerate(spoken)]
                row[f"{name}, %"] = (figures := score(stt, heard)).wer
                totals[name] = totals[name].plus(figures)
                row[f"{name}, s"] = statistics.median(figures.seconds)
            rows.append(row)
    rows.append({"line": "all"} | {k: v for n, t in totals.items() for k, v in _columns(n, t).items()})
    words = totals["ours"].words // len(LINES)
    show(
        f"Word error rate of {len(spoken)} sentences, {words} words ({direct.wer:.3g} % at 16 kHz), and median time",
        rows,
    )
    write(chosen.json, {"model": chosen.model, "direct": direct._asdict(), "figures": rows}, "faster-whisper", "soxr")


def _columns(name: str, total: Score) -> dict[str, float]:
    return {f"{name}, %": total.wer, f"{name}, s": statistics.median(total.seconds)}


# The line


def ours(audio: AudioRaw, to: AudioFormat) -> AudioRaw:
    """Convert `audio` as a pipeline does: 20 ms at a time."""
    stage, size = Convert(to), audio.format.bytes_for(0.02)
    pieces = [AudioRaw(audio.data[i : i + size], audio.format) for i in range(0, len(audio.data), size)]
    out = [*map(stage.process, pieces), stage.finish()]
    return AudioRaw(b"".join(piece.data for piece in out if piece), to)


Path = Callable[[AudioRaw, AudioFormat], AudioRaw]
PATHS: dict[str, Path] = {"ours": ours, "soxr": convert}


def send(speech: AudioRaw, line: Line, path: Path, seed: int) -> AudioRaw:
    """`speech` as it arrives at a processor, after it was spoken into a telephone at the other end of `line`."""
    random = np.random.default_rng(seed)
    said = speech.samples.astype(np.float64)
    if line.noise is not None:
        said += pink(random, len(said)) * loudness(said) * 10 ** (-line.noise / 20)
    voiced = AudioRaw(said.clip(-32_768, 32_767).astype("<i2").tobytes(), speech.format)
    coded = path(voiced, MULAW).data
    packets = [coded[i : i + PIECE] for i in range(0, len(coded), PIECE)]
    lost = random.random(len(packets)) < line.loss
    arrived = b"".join(SILENCE if gone else packet for gone, packet in zip(lost, packets, strict=True))
    return path(AudioRaw(arrived, MULAW), CANONICAL)


def pink(random: np.random.Generator, count: int) -> Samples:
    """Noise like that of rooms and traffic: its power density halves with every octave. Its RMS is 1."""
    spectrum = np.fft.rfft(random.standard_normal(count))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), count / 400))
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def loudness(speech: Samples) -> float:
    """The RMS of the parts in which something is said."""
    blocks = speech[: len(speech) // 400 * 400].reshape(-1, 400)
    power = (blocks**2).mean(axis=1)
    return float(np.sqrt(power[power > power.max() / 1_000].mean()))


# The ends of the line


def speak(sentences: tuple[str, ...]) -> list[AudioRaw]:
    from piper import PiperVoice
    from piper.config import SynthesisConfig

    found = weights.piper(VOICE)
    voice = PiperVoice.load(found.onnx, found.config)
    steady = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)  # the same every time
    form = AudioFormat("pcm16", voice.config.sample_rate)
    pause = bytes(form.bytes_for(0.3))
    return [
        AudioRaw(pause + b"".join(c.audio_int16_bytes for c in voice.synthesize(text, steady)) + pause, form)
        for text in sentences
    ]


def score(stt: WhisperSTT, heard: list[tuple[str, AudioRaw]]) -> Score:
    errors, count, seconds = 0, 0, []
    for text, audio in heard:
        began = time.perf_counter()
        result = stt.transcribe(audio.data, CANONICAL.rate)
        seconds.append(time.perf_counter() - began)
        errors += distance(words(text), words(result.text))
        count += len(words(text))
    return Score(errors, count, seconds)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def distance(said: list[str], heard: list[str]) -> int:
    """The least number of words to insert, delete or replace to get from one list to the other."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        above, row = row, [i]
        for j, other in enumerate(heard, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
    return row[-1]


if __name__ == "__main__":
    main()
