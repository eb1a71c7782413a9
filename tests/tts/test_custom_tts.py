"""The example of a voice of one's own runs, with nothing installed."""

import numpy as np
import pytest
from doubles import virtual

from voiceflow import AudioRaw, Call
from voiceflow.pipelines.custom_tts import Whistle, pipeline
from voiceflow.processors.spoken import speak
from voiceflow.transports.wav import WavSink, WavSource


def talking(seconds: float) -> AudioRaw:
    """A caller who is loud for so long, between two silences."""
    samples = np.random.default_rng(7).integers(-9_000, 9_000, round(seconds * 16_000)).astype("<i2")
    return AudioRaw(bytes(16_000) + samples.tobytes() + bytes(48_000))


def test_it_whistles_how_long_the_caller_talked():
    source = WavSource(talking(1.5))
    sink = WavSink(source)
    ended = virtual(Call(source, sink, transport="wav").run(pipeline))
    assert ended.error is None
    heard = sink.heard().data
    said = {n: speak(f"You talked for {n / 10:.1f} seconds.", "en").text for n in range(100)}
    tenths = [n for n, text in said.items() if Whistle().synthesize(text, "") in heard]
    assert tenths == [pytest.approx(17, abs=2)]  # what comes before the first sound belongs to it
