"""Piper's voice follows the language of the call: to a voice that is on this machine, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from doubles import Ear, Script
from talking import Parrot, run
from tts.tiny_piper import tiny_voice

from voiceflow import AudioFormat, Call, Element, Frame, Route, Transcript, weights
from voiceflow.inference import loaded_models
from voiceflow.processors.tts import PiperTTS

ENGLISH, BRITISH, GERMAN = weights.DEFAULT_VOICE, "en_GB-alba-medium", "de_DE-thorsten-medium"
GUTEN_TAG = Transcript("Guten Tag.", language="de")
GOOD_DAY = Transcript("Good day.", language="en")


@pytest.fixture(autouse=True)
def voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three voices are here. The German one sounds higher."""
    names = (ENGLISH, BRITISH, GERMAN)
    for name in names:
        config = tiny_voice(tmp_path, name=name, rate=16_000 if name == GERMAN else 22_050).with_suffix(".onnx.json")
        config.write_text(json.dumps(json.loads(config.read_text()) | {"audio": {"sample_rate": 22_050}}))

    def piper(name: str) -> weights.VoiceFiles:
        return weights.VoiceFiles(name, tmp_path / f"{name}.onnx", tmp_path / f"{name}.onnx.json")

    monkeypatch.setattr(weights, "piper", piper)
    monkeypatch.setattr(weights, "where", lambda model: "cached" if model.name in names else None)
    monkeypatch.setattr(loaded_models, "_models", {})


def heard(*script: Frame | float, voice: str | None = None, **route: Any) -> list[str]:
    """The voices that say the caller's words back, in turn."""
    speakers: list[str] = []

    class Telling(PiperTTS):
        def synthesize(self, text: str, voice: str) -> bytes:
            audio = super().synthesize(text, voice)
            if text in ("Guten Tag.", "Good day."):
                speakers.append(self.voice)
            return audio

    def build(call: Call) -> Element:
        return call.source | Parrot() | Telling(voice or call.route.tts_voice) | call.sink

    call = Call(Script(*script), Ear(AudioFormat("pcm16", 22_050)), transport="test", route=Route(**route))
    assert run(call, build).error is None
    return speakers


def test_it_follows_what_was_recognised_and_comes_back() -> None:
    assert heard(0.1, GOOD_DAY, 5.0, GUTEN_TAG, 5.0, GUTEN_TAG, 5.0, GOOD_DAY, 5.0, GOOD_DAY, 5.0) == [
        ENGLISH,
        *[GERMAN] * 2,
        *[ENGLISH] * 2,
    ]


def test_it_is_a_voice_of_the_routes_language_from_the_beginning() -> None:
    assert heard(0.1, Transcript("Guten Tag."), 5.0, language="de") == [GERMAN]


def test_what_a_route_names_holds_whatever_is_recognised() -> None:
    assert heard(0.1, GUTEN_TAG, 5.0, language="en") == [ENGLISH]
    assert heard(0.1, GUTEN_TAG, 5.0, language="de", tts_voice=BRITISH) == [BRITISH]


def test_a_route_that_names_a_voice_and_no_language_is_followed() -> None:
    assert heard(0.1, GOOD_DAY, 5.0, GUTEN_TAG, 5.0, GOOD_DAY, 5.0, tts_voice=BRITISH) == [BRITISH, GERMAN, BRITISH]


def test_a_voice_that_the_pipeline_names_stays() -> None:
    assert heard(0.1, GUTEN_TAG, 5.0, voice=BRITISH) == [BRITISH]


def test_a_language_without_a_voice_here_is_spoken_by_the_voice_that_there_is(caplog: pytest.LogCaptureFixture) -> None:
    assert heard(0.1, Transcript("Good day.", language="sv"), 5.0) == [ENGLISH]
    assert f"no voice for the language 'sv' is on this machine: {ENGLISH} goes on" in caplog.text


def test_a_voice_that_cannot_be_loaded_is_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / f"{GERMAN}.onnx").write_bytes(b"broken")
    assert heard(0.1, GUTEN_TAG, 5.0) == [ENGLISH]
    assert f"the voice {GERMAN} cannot be loaded, {ENGLISH} goes on" in caplog.text


def test_calls_share_the_model_of_the_other_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    load = PiperTTS.load

    def counted(tts: PiperTTS) -> Any:
        loaded.append(tts.model_key)
        return load(tts)

    monkeypatch.setattr(PiperTTS, "load", counted)
    for _ in range(3):
        heard(0.1, GUTEN_TAG, 5.0)
    assert loaded.count(GERMAN) == 1
