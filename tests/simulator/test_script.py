"""What the simulated caller says and presses, and when."""

from __future__ import annotations

import numpy as np
import pytest

from voiceflow.audio import AudioFormat
from voiceflow.cli.call_script import SPEECH
from voiceflow.frames import AudioRaw
from voiceflow.simulator.script import Ear, Script, pieces, press, write
from voiceflow.sounds.wavfile import read_wav

FORMATS = [
    AudioFormat("mulaw", 8_000),
    AudioFormat("alaw", 8_000),
    AudioFormat("g722", 16_000),
    AudioFormat("pcm16", 16_000),
    AudioFormat("pcm16", 8_000),
]
MULAW = FORMATS[0]
formats = pytest.mark.parametrize("format", FORMATS, ids=str)


def tone(seconds: float, amplitude: float = 8_000) -> AudioRaw:
    samples = amplitude * np.sin(np.arange(round(seconds * 16_000)) * 0.3)
    return AudioRaw(samples.astype("<i2").tobytes())


def loud(script: Script, count: int) -> list[int]:
    """Which of the first pieces can be heard."""
    ear = Ear(script.format)
    return [number for number in range(count) if not ear.is_quiet(script.piece(number))]


@formats
def test_speech_is_cut_into_whole_pieces_of_20_ms(format: AudioFormat) -> None:
    cut = pieces(tone(0.05), format)
    assert [len(piece) for piece in cut] == [format.bytes_for(0.02)] * 3


@formats
def test_the_caller_is_silent_after_the_speech(format: AudioFormat) -> None:
    script = write(tone(0.04), format)
    assert script.over == 2
    rings = [2] if format.encoding == "g722" else []  # its silence decays
    assert loud(script, 10) == [0, 1, *rings]


@formats
def test_a_barge_in_by_voice_repeats_the_speech_without_the_silence_before_it(format: AudioFormat) -> None:
    quiet = AudioRaw(bytes(640 * 5))
    script = write(AudioRaw(quiet.data + tone(0.04).data), format, barge_in_at=1.0)
    assert [number for number in loud(script, 60) if number not in (7, 52)] == [5, 6, 50, 51]  # G.722 rings on
    assert script.barge_in == 50
    assert 51 <= script.over <= 53


def test_keys_are_pressed_after_the_speech() -> None:
    assert write(tone(2.0), MULAW, digits="1#").keys == {100: "1", 110: "#"}


def test_a_caller_who_says_nothing_presses_keys_after_a_second() -> None:
    script = write(None, MULAW, digits="7")
    assert script.keys == {50: "7"}
    assert script.over == 60


def test_a_barge_in_by_keys_says_nothing_again_and_counts_from_the_first_key() -> None:
    script = write(tone(0.5), MULAW, digits="w12", barge_in_at=2.0)
    assert script.keys == {125: "1", 135: "2"}
    assert script.barge_in == 125
    assert script.again == ()


def test_a_pause_among_the_keys_lasts_half_a_second() -> None:
    assert press("1w2Wd", 0) == {0: "1", 35: "2", 70: "D"}


def test_times_become_numbers_of_pieces() -> None:
    script = write(tone(1.0), MULAW, seconds=3.0, vanish_after=0.5)
    assert (script.length, script.vanish) == (150, 25)


def test_the_speech_that_ships_is_speech() -> None:
    audio = read_wav(SPEECH)
    assert audio.format is AudioFormat("pcm16", 16_000)
    assert 2 < audio.duration < 4
    assert np.abs(audio.samples.astype(int)).max() > 16_000
    assert SPEECH.stat().st_size < 120_000


def test_keys_pressed_over_the_agent_do_not_cut_the_speech_short() -> None:
    script = write(tone(2.0), MULAW, digits="1", barge_in_at=0.5)
    assert script.over == 100
