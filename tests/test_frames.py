"""Frames and audio formats: what a pipeline carries."""

import copy
import pickle

import msgspec
import numpy as np
import pytest

from voiceflow import (
    ANY,
    CANONICAL,
    DTMF,
    AudioCodecError,
    AudioFormat,
    AudioRaw,
    Clear,
    End,
    Error,
    Frame,
    LLMEnd,
    LLMText,
    Mark,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    Word,
)

SPEECH = [AudioRaw, LLMText, LLMEnd, Mark]
KEPT = [Transcript, SpeechStarted, SpeechStopped, DTMF, Error]


class Weather(Frame):
    city: str
    degrees: float = 20.0


class Gesture(Frame, speech=True):
    name: str


class Wave(Gesture):
    hand: str = "left"


class Silent(Gesture, speech=False):
    pass


# --- frames ---


@pytest.mark.parametrize(
    "frame",
    [
        AudioRaw(b""),
        Transcript("hi"),
        LLMText("hi"),
        Mark("hi"),
        DTMF("1"),
        End("bye"),
        Error("no"),
        Clear("hi", 1.0),
        Weather("Oslo"),
        Wave("hello"),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_a_frame_cannot_be_changed(frame):
    field = msgspec.structs.fields(frame)[0].name
    before = getattr(frame, field)
    with pytest.raises(AttributeError):
        setattr(frame, field, "x")
    assert getattr(frame, field) is before


def test_frames_with_equal_content_are_equal_and_hash_alike():
    assert Weather("Oslo") == Weather("Oslo", 20.0) != Weather("Rome")
    assert len({Transcript("a"), Transcript("a"), Transcript("b"), Mark("a"), Mark("a")}) == 3
    assert LLMText("a") != Mark("a")


@pytest.mark.parametrize("frame", SPEECH, ids=lambda f: f.__name__)
def test_what_the_agent_says_is_speech(frame):
    assert frame.speech is True


@pytest.mark.parametrize("frame", [Frame, *KEPT], ids=lambda f: f.__name__)
def test_everything_else_is_kept_through_an_interruption(frame):
    assert frame.speech is False


def test_a_users_frame_is_kept_unless_it_is_declared_speech():
    assert Weather.speech is False
    assert Gesture.speech is True


def test_a_derived_frame_is_speech_if_its_base_is_and_may_say_otherwise():
    assert Wave.speech is True
    assert Silent.speech is False


def test_a_derived_frame_keeps_its_bases_fields_and_matches_as_its_base():
    match Wave("hello"):
        case Gesture(name=name):
            assert name == "hello"
    assert Wave("hello").hand == "left"


@pytest.mark.parametrize("base", [Transcript, LLMText, Mark, DTMF, Error, SpeechStarted], ids=lambda f: f.__name__)
def test_every_other_type_can_be_subclassed(base):
    mine = type(base)("Mine", (base,), {})
    assert issubclass(mine, base)
    assert mine.speech is base.speech


@pytest.mark.parametrize("sealed", [AudioRaw, LLMEnd, Clear, End], ids=lambda f: f.__name__)
def test_a_type_that_the_media_path_knows_by_identity_cannot_be_subclassed_and_says_so(sealed):
    with pytest.raises(TypeError, match=f"{sealed.__name__} cannot be subclassed: derive Mine from Frame"):
        type(sealed)("Mine", (sealed,), {})


def test_a_transcript_is_final_unless_it_says_otherwise():
    assert Transcript("hello").final
    assert not Transcript("hel", final=False).final


def test_a_users_field_may_be_called_final():
    class Score(Frame):
        final: bool = True

    assert Score().final
    assert not Score(final=False).final


def test_a_mark_carries_the_words_and_when_they_end():
    mark = Mark("Hello there.", (Word("Hello", 0.3), Word("there.", 0.7)))
    assert [word.end for word in mark.words] == [0.3, 0.7]
    assert Mark() == Mark("", ())


# --- audio ---


def test_samples_of_mono_are_a_flat_view():
    samples = AudioRaw(np.array([1, -2, 300], "<i2").tobytes()).samples
    assert samples.tolist() == [1, -2, 300]
    assert samples.dtype == np.int16


def test_samples_of_stereo_have_a_column_for_each_channel():
    audio = AudioRaw(np.array([1, -1, 2, -2], "<i2").tobytes(), AudioFormat("pcm16", 48_000, 2))
    assert audio.samples.tolist() == [[1, -1], [2, -2]]


def test_samples_of_big_endian_audio_have_the_same_values():
    audio = AudioRaw(np.array([1, -300], ">i2").tobytes(), AudioFormat("pcm16be", 16_000))
    assert audio.samples.tolist() == [1, -300]


def test_samples_cannot_be_written_to():
    samples = AudioRaw(b"\0\0").samples
    with pytest.raises(ValueError, match="read-only"):
        samples[0] = 1
    assert samples[0] == 0


@pytest.mark.parametrize(("encoding", "rate"), [("mulaw", 8000), ("alaw", 8000), ("g722", 16_000)])
def test_coded_audio_has_no_samples_and_says_how_to_get_them(encoding, rate):
    with pytest.raises(AudioCodecError, match=f"{encoding}.*convert it to pcm16"):
        _ = AudioRaw(b"\0", AudioFormat(encoding, rate)).samples


@pytest.mark.parametrize(("data", "channels"), [(b"\0", 1), (b"\0\0", 2), (b"\0" * 7, 2)])
def test_samples_of_torn_audio_are_an_error_that_names_the_sizes(data, channels):
    with pytest.raises(AudioCodecError, match=f"^{len(data)} bytes are not whole .* {2 * channels} bytes"):
        _ = AudioRaw(data, AudioFormat("pcm16", 16_000, channels)).samples


@pytest.mark.parametrize(
    ("form", "size"),
    [
        (CANONICAL, 640),
        (AudioFormat("pcm16be", 8000), 320),
        (AudioFormat("mulaw", 8000), 160),
        (AudioFormat("alaw", 8000), 160),
        (AudioFormat("g722", 16_000), 160),
        (AudioFormat("pcm16", 48_000, 2), 3840),
    ],
    ids=str,
)
def test_duration_is_in_seconds_in_every_format(form, size):
    assert AudioRaw(bytes(size), form).duration == pytest.approx(0.02)
    assert form.bytes_for(0.02) == size


def test_audio_prints_its_length_and_format_instead_of_its_bytes():
    assert repr(AudioRaw(bytes(640))) == "AudioRaw(20.0 ms, pcm16 16000 Hz)"


# --- formats ---


def test_equal_formats_are_one_object():
    assert AudioFormat("pcm16", 16_000) is AudioFormat("pcm16", 16_000, 1) is CANONICAL
    assert AudioFormat("mulaw", 8000) is not AudioFormat("alaw", 8000)


def test_a_copied_or_pickled_format_is_still_the_same_object():
    form = AudioFormat("mulaw", 8000)
    assert copy.deepcopy(form) is form
    assert pickle.loads(pickle.dumps(form)) is form


def test_bytes_for_are_whole_samples_of_every_channel():
    stereo = AudioFormat("pcm16", 44_100, 2)
    assert all(stereo.bytes_for(seconds) % stereo.frame_bytes == 0 for seconds in (0.0, 1e-5, 0.01, 1 / 3, 1.0))


def test_with_encoding_changes_the_encoding_only():
    assert AudioFormat("mulaw", 8000).with_encoding("pcm16") is AudioFormat("pcm16", 8000)


def test_formats_print_as_people_say_them():
    assert str(AudioFormat("mulaw", 8000)) == "mulaw 8000 Hz"
    assert str(AudioFormat("pcm16", 48_000, 2)) == "pcm16 48000 Hz stereo"
    assert str(ANY) == "any"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("opus", 48_000), "unknown audio encoding 'opus': use one of pcm16, "),
        (("pcm16", 800), "800 Hz is outside"),
        (("pcm16", 200_000), "200000 Hz is outside"),
        (("pcm16", 16_000, 3), "3 channels: only mono and stereo"),
        (("pcm16", 16_000, 0), "0 channels"),
        (("g722", 8000), "G.722 is 16 000 Hz mono, not 8000 Hz"),
        (("g722", 16_000, 2), "with 2 channels"),
    ],
)
def test_a_format_that_does_not_exist_says_what_is_wrong(arguments, message):
    with pytest.raises(AudioCodecError, match=message):
        AudioFormat(*arguments)


def test_a_rate_given_as_a_float_is_the_same_format():
    assert AudioFormat("mulaw", 8000.0) is AudioFormat("mulaw", 8000)  # type: ignore[arg-type]
