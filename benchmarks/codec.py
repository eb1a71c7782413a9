"""What converting audio costs per 20 ms piece, how much it delays the audio, and how clean the result is.

    python benchmarks/codec.py [--json FILE]

Our streaming resampler and soxr's take turns on the same pieces in the same run. The lag is how far the sound that came
out is behind the sound that went in, after each piece; its spread shows audio that arrives in bursts.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import Convert, Resampler, steps

PAIRS = (
    (8_000, 16_000),
    (16_000, 8_000),
    (16_000, 48_000),
    (48_000, 16_000),
    (22_050, 8_000),
    (22_050, 16_000),
    (24_000, 8_000),
    (24_000, 16_000),
    (44_100, 8_000),
    (44_100, 16_000),
    (16_000, 44_100),
)
CONVERSIONS = (
    (AudioFormat("mulaw", 8_000), CANONICAL),
    (CANONICAL, AudioFormat("mulaw", 8_000)),
    (AudioFormat("alaw", 8_000), CANONICAL),
    (AudioFormat("pcm16", 22_050), AudioFormat("mulaw", 8_000)),
    (AudioFormat("mulaw", 8_000), AudioFormat("pcm16", 8_000)),
    (AudioFormat("pcm16", 8_000), AudioFormat("mulaw", 8_000)),
    (AudioFormat("mulaw", 8_000), AudioFormat("alaw", 8_000)),
    (AudioFormat("g722", 16_000), CANONICAL),
    (CANONICAL, AudioFormat("g722", 16_000)),
    (AudioFormat("pcm16be", 16_000), CANONICAL),
    (AudioFormat("pcm16", 16_000, 2), CANONICAL),
    (AudioFormat("pcm16", 48_000, 2), CANONICAL),
    (CANONICAL, CANONICAL),
)
ROUNDS, PIECES = 15, 300
Samples = NDArray[np.int16]
Push = Callable[[Samples], Samples]


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    target = parser.parse_args().json
    resamplers = [resampler_figures(*pair) for pair in PAIRS]
    conversions = [conversion_figures(*pair) for pair in CONVERSIONS]
    console = Console()
    console.print(table("Resamplers, 20 ms pieces", resamplers), table("Convert, 20 ms pieces", conversions))
    if target:
        versions = {"python": platform.python_version(), "numpy": np.__version__, "soxr": soxr.__version__}
        figures = {"versions": versions, "resamplers": resamplers, "conversions": conversions}
        target.write_text(json.dumps(figures, indent=2) + "\n")


def resampler_figures(source: int, target: int) -> dict[str, Any]:
    piece = noise(source // 50)
    ours, theirs = Resampler(source, target), soxr_stream(source, target)
    pairs = [(cost(ours.push, piece), cost(theirs, piece)) for _ in range(ROUNDS)]
    late = Resampler(source, target)
    lag = lags(late.push, source, target, late.delay)
    soxr_lag = lags(soxr_stream(source, target), source, target, 0.0)
    return {
        "Hz": f"{source} to {target}",
        "us": round(statistics.median(a for a, _ in pairs), 1),
        "soxr us": round(statistics.median(b for _, b in pairs), 1),
        "us / soxr's": round(statistics.median(a / b for a, b in pairs), 2),
        "delay ms": round(late.delay * 1_000, 2),
        "lag ms": f"{lag[0]:.2f} to {lag[1]:.2f}",
        "soxr lag ms": f"{soxr_lag[0]:.1f} to {soxr_lag[1]:.1f}",
        "rejection dB": round(rejection(source, target), 1),
        "passband dB": round(passband(source, target), 2),
    }


def conversion_figures(source: AudioFormat, to: AudioFormat) -> dict[str, Any]:
    frame = AudioRaw(np.random.default_rng(1).bytes(source.bytes_for(0.02)), source)
    stage = Convert(to)
    return {
        "from": str(source),
        "to": str(to),
        "us": round(statistics.median(cost(stage.process, frame) for _ in range(ROUNDS)), 1),
        "steps": ", ".join(steps(source, to)) or "none",
    }


def cost(push: Callable[[Any], Any], piece: Any) -> float:
    """Microseconds for one piece."""
    start = time.perf_counter()
    for _ in range(PIECES):
        push(piece)
    return (time.perf_counter() - start) / PIECES * 1e6


def lags(push: Push, source: int, target: int, delay: float) -> tuple[float, float]:
    """The least and the most, in ms, that the sound is behind after each of 5 s of 20 ms pieces.

    The first 200 ms, in which a resampler may fill up, are left out.
    """
    piece, out, seen = np.zeros(source // 50, np.int16), 0, []
    for number in range(1, 251):
        out += len(push(piece))
        seen.append(number * len(piece) / source - out / target + delay)
    return min(seen[10:]) * 1_000, max(seen[10:]) * 1_000


def rejection(source: int, target: int) -> float:
    """How far the loudest alias or image is below its tone, in dB, from the lower Nyquist + 400 Hz up."""
    nyquist, worst = min(source, target) / 2, -200.0
    if source > target:
        for frequency in np.linspace(nyquist + 401, source / 2 - 50, 40):
            worst = max(worst, decibels(rms(heard(frequency, source, target)) / TONE_RMS))
    else:
        for frequency in np.linspace(100, nyquist - 401, 40):
            settled = heard(frequency, source, target)
            window = np.kaiser(len(settled), 14)
            spectrum = np.abs(np.fft.rfft(settled * window)) / (16_000 * window.sum())
            images = np.fft.rfftfreq(len(settled), 1 / target) > nyquist + 400
            worst = max(worst, decibels(spectrum[images].max()))
    return -worst


def passband(source: int, target: int) -> float:
    """How far a tone's level changes, at most, up to 0.85 of the lower Nyquist, in dB."""
    tones = np.linspace(100, 0.85 * min(source, target) / 2, 40)
    return max(abs(decibels(rms(heard(f, source, target)) / TONE_RMS)) for f in tones)


TONE_RMS = 32_000 / np.sqrt(2)


def heard(frequency: float, source: int, target: int) -> Samples:
    """What comes out of our resampler for a tone, without its beginning."""
    tone = np.rint(32_000 * np.sin(2 * np.pi * frequency / source * np.arange(source // 2)))
    return Resampler(source, target).push(tone.astype(np.int16))[target // 50 :]


def soxr_stream(source: int, target: int) -> Push:
    stream = soxr.ResampleStream(source, target, 1, dtype="int16", quality="VHQ")
    return lambda piece: stream.resample_chunk(piece)


def noise(count: int) -> Samples:
    return (np.random.default_rng(1).standard_normal(count) * 5_000).astype(np.int16)


def rms(signal: Samples) -> float:
    return float(np.sqrt(np.mean(signal.astype(float) ** 2)))


def decibels(ratio: float) -> float:
    return float(20 * np.log10(max(ratio, 1e-10)))


def table(title: str, rows: list[dict[str, Any]]) -> Table:
    shown = Table(title=title)
    for heading, value in rows[0].items():
        shown.add_column(heading, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        shown.add_row(*map(str, row.values()))
    return shown


if __name__ == "__main__":
    main()
