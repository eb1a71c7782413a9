"""Piper itself, with a voice small enough to make on the spot."""

import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from doubles import Ear, Script, make_call, virtual
from talking import Parrot, ear_of, run
from tts.tiny_piper import TONE, tiny_voice
from tts.voices import spoken, tiny

from voiceflow import AudioFormat, AudioRaw, Call, Error, Frame, LLMEnd, LLMText, Mark, Transcript, WeightsError
from voiceflow.inference import loaded_models as models
from voiceflow.processors.tts import TTS, PiperTTS


def said(tts: TTS, text: str) -> list[Frame]:
    return spoken(tts, LLMText(text), LLMEnd())


def seconds(frames: list[Frame]) -> float:
    return sum(frame.duration for frame in frames if isinstance(frame, AudioRaw))


def pitch(frames: list[Frame]) -> float:
    """The loudest frequency of the first phoneme but one, in Hz."""
    samples = next(frame for frame in frames if isinstance(frame, AudioRaw)).samples[2 * TONE : 3 * TONE]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(TONE), 16 * TONE))
    return float(spectrum.argmax() * 22_050 / (16 * TONE))


@pytest.fixture
def voice() -> str:
    return str(tiny())


def test_it_speaks_sentence_by_sentence(voice):
    out = said(PiperTTS(voice), "Hello world. And a second one.")
    assert [frame.text for frame in out if isinstance(frame, Mark)] == ["Hello world.", "", "And a second one.", ""]
    assert {frame.format for frame in out if isinstance(frame, AudioRaw)} == {AudioFormat("pcm16", 22_050)}
    assert out[-1] == LLMEnd()
    assert seconds(out) % (TONE / 22_050) == pytest.approx(0.0, abs=1e-6) or seconds(out) > 1.0
    assert max(abs(frame.samples.astype(int)).max() for frame in out if isinstance(frame, AudioRaw)) > 30_000


def test_speed(voice):
    usual, fast, slow = (seconds(said(PiperTTS(voice, speed), "Hello world.")) for speed in (1.0, 2.0, 0.5))
    assert fast == pytest.approx(usual / 2, rel=0.01)
    assert slow == pytest.approx(usual * 2, rel=0.01)


@pytest.mark.parametrize("speed", [0.0, -1.0, 0.2, 4.1, float("nan")])
def test_a_speed_that_nobody_understands_is_refused(speed):
    with pytest.raises(ValueError, match=r"outside 0\.25 to 4"):
        PiperTTS(speed=speed)


def test_the_speakers_of_a_voice(tmp_path, caplog):
    path = tiny_voice(tmp_path, speakers=12)
    first, eighth = (pitch(said(PiperTTS(f"{path}{speaker}"), "Hello.")) for speaker in ("", "#7"))
    assert eighth - first == pytest.approx(7 * 4, abs=2)
    beyond = pitch(said(PiperTTS(f"{path}#12"), "Hello."))
    assert beyond == first
    assert "has no speaker 12, using speaker 0 of 12" in caplog.text


def test_its_rate_is_known_before_it_is_loaded(tmp_path):
    assert PiperTTS().produces is AudioFormat("pcm16", 22_050)
    assert PiperTTS("no-such-voice").rate == 22_050
    assert PiperTTS(str(tiny_voice(tmp_path, rate=16_000))).produces is AudioFormat("pcm16", 16_000)


def test_its_voices_are_the_catalogue():
    assert {"en_US-lessac-medium", "en_GB-alba-medium", "de_DE-thorsten-medium"} <= set(PiperTTS().list_voices())


# --- a voice that is no voice ---


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(WeightsError, match=re.escape(f"there is no {tmp_path / 'none.onnx'}")):
        PiperTTS(str(tmp_path / "none.onnx"))


@pytest.mark.parametrize("config", ["", "{", "[]", "{}", '{"audio": {"sample_rate": "high"}}'])
def test_a_description_that_is_none(tmp_path, config):
    path = tiny_voice(tmp_path)
    Path(f"{path}.json").write_text(config)
    with pytest.raises(WeightsError, match="does not describe a voice"):
        PiperTTS(str(path))


@pytest.mark.parametrize("damage", ["cut short", "empty", "garbage"])
def test_a_corrupted_model(tmp_path, damage):
    path = tiny_voice(tmp_path)
    data = path.read_bytes()
    path.write_bytes({"cut short": data[: len(data) // 2], "empty": b"", "garbage": b"\xff" * 5000}[damage])
    with pytest.raises(WeightsError, match=re.escape(f"{path} is not a voice that Piper can load")):
        said(PiperTTS(str(path)), "Hello.")


def test_a_description_that_lacks_something(tmp_path):
    path = tiny_voice(tmp_path)
    Path(f"{path}.json").write_text(json.dumps({"audio": {"sample_rate": 22_050}}))
    with pytest.raises(WeightsError, match="is not a voice that Piper can load"):
        said(PiperTTS(str(path)), "Hello.")


# --- text of all kinds ---


@pytest.mark.parametrize(
    "text",
    [
        "Привет, мир.",
        "你好，世界。",
        "مرحبا.",
        "नमस्ते।",
        "1980",
        "٣",
        "①",
        "５",
        "[[ hə ]] there",
        "a\0b",
        "a\ud83db",
        "Zürich & 3 < 4",
        "x" * 5000,
    ],
)
def test_whatever_has_letters_is_spoken(voice, text):
    out = said(PiperTTS(voice), text)
    assert not [frame for frame in out if isinstance(frame, Error)]
    assert seconds(out) > 0.1


@pytest.mark.parametrize("text", ["...", "\N{GRINNING FACE}\N{PARTY POPPER}", "?!", "\n\n"])
def test_whatever_has_none_is_not(voice, text):
    assert said(PiperTTS(voice), text) == [LLMEnd()]


# --- several calls ---


def test_brackets_hold_words_and_no_phonemes(voice):
    tts = PiperTTS(voice)
    virtual(models.load([tts]))
    assert tts.synthesize("say [[hello]] now", "") == tts.synthesize("say hello now", "")


def test_calls_share_a_voice(voice):
    async def main() -> None:
        first, second = PiperTTS(voice), PiperTTS(f"{voice}#0", speed=2.0)
        await models.load([first, second])
        assert first.model is second.model

    virtual(main())


def test_threads_do_not_disturb_each_other(voice, tmp_path):
    english, other = PiperTTS(voice), PiperTTS(str(tiny_voice(tmp_path, name="german")))
    config = Path(f"{tmp_path / 'german.onnx'}.json")
    config.write_text(config.read_text().replace('"en-us"', '"de"'))
    english.model, other.model = english.load(), other.load()
    texts = [f"This is sentence number {n}, which is spoken." for n in range(6)]
    alone = {(tts, text): tts.synthesize(text, "") for tts in (english, other) for text in texts}
    assert len({alone[tts, texts[0]] for tts in (english, other)}) == 2
    differing = []

    def speak(tts: PiperTTS) -> None:
        differing.extend(text for text in texts * 3 if tts.synthesize(text, "") != alone[tts, text])

    threads = [threading.Thread(target=speak, args=(tts,)) for tts in (english, other, english, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differing == []


def test_a_call_hears_it(voice):
    call = Call(Script(Transcript("Hello world."), 5.0), Ear(AudioFormat("mulaw", 8000)), transport="test")
    ended = run(call, lambda call: call.source | Parrot() | PiperTTS(voice) | call.sink)
    assert ended.error is None
    assert 0.5 < len(ear_of(call).audio) / 8000 < 2.0
    assert make_call().apology is None
    assert call.apology.duration > call.hold.duration > 0.5
