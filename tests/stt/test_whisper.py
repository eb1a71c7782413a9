"""WhisperSTT on tiny models that the real faster-whisper loads. What they say is given, not heard."""

import asyncio
import sys

import numpy as np
import pytest
from doubles import make_call
from stt.tiny_whisper import make, tiny_whisper
from talking import Notes, run, talk, timed

from voiceflow import (
    AudioCodecError,
    AudioRaw,
    MissingExtraError,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    WeightsError,
)
from voiceflow.inference import loaded_models as models
from voiceflow.processors.stt import Transcription, WhisperSTT

SECOND = bytes(32_000)


def loaded(*says: str, **model: float) -> WhisperSTT:
    stt = WhisperSTT(tiny_whisper(*says, **model))
    stt.model = stt.load()
    return stt


def test_the_text_comes_with_its_language_and_how_probable_it_is_that_nobody_spoke():
    heard = loaded("hello", " world").transcribe(SECOND, 16_000)
    assert heard == Transcription("hello world", no_speech_probability=pytest.approx(0.0, abs=0.01), language="en")


def test_improbable_text_where_speech_is_improbable_is_silence():
    heard = loaded(" yes", sure=2.5, no_speech=8.0).transcribe(SECOND, 16_000)
    assert heard == Transcription("", no_speech_probability=pytest.approx(1.0, abs=0.01), language="en")


def test_probable_text_counts_though_speech_is_improbable():
    assert loaded(" yes", no_speech=8.0).transcribe(SECOND, 16_000).text == "yes"


def test_text_that_repeats_itself_is_no_text(tmp_path):
    stt = WhisperSTT(make(tmp_path, *[" yes"] * 6, ends=False))
    stt.model = stt.load()
    assert stt.transcribe(SECOND, 16_000).text == ""


@pytest.mark.parametrize("samples", [0, 1, 160, 16_000, 28 * 16_000])
def test_audio_of_any_length_up_to_28_seconds_is_transcribed(samples):
    assert loaded("hello").transcribe(bytes(2 * samples), 16_000).text in ("hello", "")


@pytest.mark.parametrize("seed", range(3))
def test_any_sound_is_transcribed(seed):
    noise = np.random.default_rng(seed).integers(-32_768, 32_767, 16_000).astype("<i2").tobytes()
    assert loaded("hello").transcribe(noise, 16_000).text == "hello"


def test_another_rate_is_refused():
    with pytest.raises(AudioCodecError, match="Whisper takes audio at 16000 Hz, not at 8000 Hz"):
        loaded("hello").transcribe(SECOND, 8_000)


def test_in_a_call_its_text_is_a_transcript():
    stt, notes = WhisperSTT(tiny_whisper("hello", " world")), Notes()
    run(make_call(SpeechStarted(), AudioRaw(SECOND), 1.0, SpeechStopped(), 1.0), talk(ears=(stt, notes)))
    (transcript,) = notes.of(Transcript)
    assert isinstance(transcript, Transcript)
    assert (transcript.text, transcript.language, transcript.final) == ("hello world", "en", True)


# models


def test_an_unknown_model_is_an_error_that_names_it():
    with pytest.raises(WeightsError, match="bass"):
        WhisperSTT("bass").load()


def test_a_damaged_model_is_an_error_that_says_what_to_do(tmp_path):
    make(tmp_path, "hello")
    model = tmp_path / "model.bin"
    model.write_bytes(model.read_bytes()[: model.stat().st_size // 2])
    with pytest.raises(
        WeightsError, match=r"cannot be loaded .* it is damaged or of another kind\. Delete that folder"
    ):
        WhisperSTT(tmp_path).load()


@pytest.mark.parametrize("content", [b"", b"no model at all", bytes(10_000)])
def test_a_file_that_is_no_model_is_the_same(tmp_path, content):
    make(tmp_path, "hello")
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be loaded"):
        WhisperSTT(tmp_path).load()


def test_a_damaged_tokenizer_is_the_same(tmp_path):
    make(tmp_path, "hello")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        WhisperSTT(tmp_path).load()


def test_a_model_without_its_tokenizer_is_not_completed_from_the_network(tmp_path):
    make(tmp_path, "hello")
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"has no tokenizer\.json"):
        WhisperSTT(tmp_path).load()


def test_a_language_that_the_model_does_not_know_is_refused_at_once():
    with pytest.raises(ValueError, match=r"does not know the language 'tlh': use one of en"):
        WhisperSTT(tiny_whisper("hello"), "tlh").load()


def test_without_faster_whisper_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingExtraError, match=r"WhisperSTT needs .* pip install 'voiceflow-pipelines\[stt\]'"):
        WhisperSTT(tiny_whisper("hello")).load()


def test_calls_share_one_model():
    path = tiny_whisper("hello")
    first, second = WhisperSTT(path), WhisperSTT(path)
    for stt in (first, second):
        run(make_call(0.1, SpeechStarted()), talk(ears=(stt,)))
    assert first.model is second.model


def test_what_only_transcribing_depends_on_loads_no_model_of_its_own():
    path = tiny_whisper("hello")
    stts = [WhisperSTT(path), WhisperSTT(path, None), WhisperSTT(path, beam_size=1), WhisperSTT(path, interims=True)]
    asyncio.run(models.load(stts))
    assert len({id(stt.model) for stt in stts}) == 1


def test_a_language_that_the_shared_model_does_not_know_is_refused_by_the_call():
    path = tiny_whisper("hello")
    asyncio.run(models.load([WhisperSTT(path)]))
    error, _ = timed(make_call(SpeechStarted(), 1.0), talk(ears=(WhisperSTT(path, "tlh"),)))
    assert "does not know the language 'tlh': use one of en" in str(error)
