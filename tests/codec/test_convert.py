"""`Convert`, `convert` and `steps`: any format into any other."""

import subprocess
import sys

import numpy as np
import pytest
from codec.signals import PAIRS, audio_formats, cut, decibels, lengths, noise, rms, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow.audio import ANY, CANONICAL, AudioFormat
from voiceflow.errors import AudioCodecError, MissingExtraError
from voiceflow.frames import AudioRaw
from voiceflow.processor import Processor
from voiceflow.processors.codec import Convert, convert, steps

MULAW = AudioFormat("mulaw", 8_000)
ALAW = AudioFormat("alaw", 8_000)
G722 = AudioFormat("g722", 16_000)
PCM_8K = AudioFormat("pcm16", 8_000)
STEREO_48K = AudioFormat("pcm16", 48_000, 2)


def run(stage, frames):
    """All the audio that comes out of `stage`, its end included."""
    out = [*(stage.process(frame) for frame in frames), stage.finish()]
    assert all(frame.format is stage.produces for frame in out if frame)
    return b"".join(frame.data for frame in out if frame)


def pieces_of(data, format, pieces):
    return [AudioRaw(piece, format) for piece in cut(data, [n * format.frame_bytes for n in pieces])]


def whole_samples(data, format):
    return data[: len(data) - len(data) % format.frame_bytes]


# --- the chain ---


@pytest.mark.parametrize(
    ("source", "to", "expected"),
    [
        (CANONICAL, CANONICAL, ()),
        (MULAW, CANONICAL, ("mulaw to pcm16", "8000 to 16000 Hz")),
        (CANONICAL, ALAW, ("16000 to 8000 Hz", "pcm16 to alaw")),
        (MULAW, ALAW, ("mulaw to alaw",)),
        (ALAW, AudioFormat("mulaw", 8_000, 2), ("alaw to mulaw", "mono to stereo")),
        (MULAW, AudioFormat("mulaw", 16_000), ("mulaw to pcm16", "8000 to 16000 Hz", "pcm16 to mulaw")),
        (CANONICAL, AudioFormat("pcm16be", 16_000), ("pcm16 to pcm16be",)),
        (AudioFormat("pcm16be", 16_000), CANONICAL, ("pcm16be to pcm16",)),
        (STEREO_48K, CANONICAL, ("stereo to mono", "48000 to 16000 Hz")),
        (CANONICAL, STEREO_48K, ("16000 to 48000 Hz", "mono to stereo")),
        (G722, ALAW, ("g722 to pcm16", "16000 to 8000 Hz", "pcm16 to alaw")),
        (AudioFormat("pcm16", 22_050), MULAW, ("22050 to 8000 Hz", "pcm16 to mulaw")),
    ],
    ids=str,
)
def test_the_chain_is_the_shortest(source, to, expected):
    assert steps(source, to) == expected


def test_any_is_no_format_to_convert_to_or_from():
    for mistake in (lambda: Convert(ANY), lambda: steps(ANY, CANONICAL), lambda: steps(CANONICAL, ANY)):
        with pytest.raises(AudioCodecError, match=r"any|ANY"):
            mistake()


# --- the stage ---


def test_it_is_a_transparent_stage_that_produces_its_format():
    stage = Convert(MULAW)
    assert isinstance(stage, Processor)
    assert (stage.accepts, stage.produces) == (ANY, MULAW)
    assert not stage.signature.kind.is_async
    assert stage.signature.consumes == stage.signature.yields == (AudioRaw,)


def test_frames_in_its_format_pass_untouched():
    frame = AudioRaw(bytes(640))
    assert Convert(CANONICAL).process(frame) is frame
    assert convert(frame, CANONICAL) is frame


@given(audio_formats(), audio_formats(), st.binary(max_size=3_000))
@settings(deadline=None, max_examples=300)
def test_any_bytes_become_audio_or_are_refused(source, to, data):
    frame = AudioRaw(data, source)
    if len(data) % source.frame_bytes:
        for attempt in (Convert(to).process, lambda f: convert(f, to)):
            with pytest.raises(AudioCodecError, match=f"{len(data)} bytes"):
                attempt(frame)
    else:
        assert len(run(Convert(to), [frame])) % to.frame_bytes == 0
        assert len(convert(frame, to).data) % to.frame_bytes == 0


@given(audio_formats(), audio_formats(), st.binary(max_size=4_000), lengths())
@settings(deadline=None, max_examples=300)
def test_any_split_of_a_stream_gives_the_same_bytes(source, to, data, pieces):
    data = whole_samples(data, source)
    assert run(Convert(to), pieces_of(data, source, pieces)) == run(Convert(to), [AudioRaw(data, source)])


@pytest.mark.parametrize("ending", ["finish", "reset"])
@given(audio_formats(), audio_formats(), audio_formats(), st.binary(max_size=2_000))
@settings(deadline=None, max_examples=150)
def test_after_its_end_a_stage_is_like_new(ending, before, source, to, data):
    stage = Convert(to)
    for old in (source, before):
        stage.process(AudioRaw(whole_samples(b"\x12\x70\x5a" * 500, old), old))
    getattr(stage, ending)()
    frame = AudioRaw(whole_samples(data, source), source)
    assert run(stage, [frame]) == run(Convert(to), [frame])


def test_a_refused_frame_leaves_the_stream_as_it_was():
    stage, frames = Convert(MULAW), pieces_of(noise(16_000, 3_000).tobytes(), CANONICAL, [320] * 10)
    out = [stage.process(frame) for frame in frames[:5]]
    with pytest.raises(AudioCodecError, match="641 bytes"):
        stage.process(AudioRaw(bytes(641)))
    out += [stage.process(frame) for frame in frames[5:]]
    assert b"".join(f.data for f in [*out, stage.finish()] if f) == run(Convert(MULAW), frames)


def test_a_piece_too_short_for_a_sample_gives_no_frame():
    stage = Convert(AudioFormat("pcm16", 8_000))
    out = [stage.process(AudioRaw(bytes(2), AudioFormat("pcm16", 48_000))) for _ in range(12)]
    assert [frame is not None for frame in out] == [True, *[False] * 5] * 2


def test_another_format_begins_after_the_end_of_the_last_ones_stream():
    loud = AudioRaw(tone(400, 8_000, 0.02, 20_000).tobytes(), PCM_8K)
    plain = AudioRaw(bytes(320))
    whole = run(Convert(CANONICAL), [loud])
    stage = Convert(CANONICAL)
    assert stage.process(loud).data + stage.process(plain).data == whole + plain.data
    assert stage.process(plain) is plain
    assert run(stage, [loud]) == whole


@given(st.lists(st.tuples(audio_formats(), st.integers(0, 500)), max_size=6), audio_formats())
@settings(deadline=None, max_examples=100)
def test_however_formats_alternate_each_run_is_a_stream_of_its_own(runs, to):
    runs = [r for i, r in enumerate(runs) if i == 0 or r[0] is not runs[i - 1][0]]
    frames = [AudioRaw(whole_samples(b"\x11\x42\x83" * count, format), format) for format, count in runs]
    assert run(Convert(to), frames) == b"".join(run(Convert(to), [frame]) for frame in frames)


def test_it_can_get_ready_for_a_format_ahead_of_the_call(monkeypatch):
    monkeypatch.setitem(sys.modules, "G722", None)
    stage = Convert(CANONICAL)
    stage.expect(MULAW)
    with pytest.raises(MissingExtraError):
        stage.expect(G722)
    with pytest.raises(AudioCodecError, match="15999"):
        stage.expect(AudioFormat("pcm16", 15_999))


# --- what it sounds like ---


@pytest.mark.parametrize(("encoding", "ratio"), [("pcm16", 60), ("pcm16be", 60), ("mulaw", 30), ("alaw", 30)])
def test_a_call_through_another_encoding_and_back_keeps_its_sound(encoding, ratio):
    sent = noise(16_000, 2_800, seconds=0.5, amplitude=5_000)
    there, back = Convert(AudioFormat(encoding, 8_000)), Convert(CANONICAL)
    carried = run(there, pieces_of(sent.tobytes(), CANONICAL, [320] * 30))
    heard = run(back, pieces_of(carried, there.produces, [160] * 30))
    delay = 2 * 36  # 2.25 ms each way
    error = np.frombuffer(heard, "<i2")[delay:][: len(sent)].astype(float) - sent
    assert decibels(rms(sent) / rms(error)) > ratio


def test_stereo_channels_stay_apart_when_resampled():
    left, right = noise(48_000, 3_000, seed=1), noise(48_000, 3_000, seed=2)
    both = np.stack((left, right), axis=1).tobytes()
    heard = run(Convert(AudioFormat("pcm16", 16_000, 2)), [AudioRaw(both, STEREO_48K)])
    for channel, sent in enumerate((left, right)):
        alone = run(Convert(CANONICAL), [AudioRaw(sent.tobytes(), AudioFormat("pcm16", 48_000))])
        assert heard[2 * channel :: 4] == alone[0::2]


@given(st.lists(st.tuples(*[st.integers(-32_768, 32_767)] * 2), min_size=1, max_size=50))
@settings(deadline=None)
def test_mono_is_the_mean_of_both_channels(samples):
    frame = AudioRaw(np.array(samples, "<i2").tobytes(), AudioFormat("pcm16", 16_000, 2))
    mono = convert(frame, CANONICAL).samples
    assert mono.tolist() == [(left + right + 1) // 2 for left, right in samples]


@pytest.mark.parametrize("encoding", ["pcm16", "pcm16be", "mulaw", "alaw"])
def test_stereo_is_mono_twice(encoding):
    mono = convert(AudioRaw(noise(16_000, 3_000).tobytes()), AudioFormat(encoding, 16_000))
    stereo = convert(mono, AudioFormat(encoding, 16_000, 2))
    assert stereo.duration == mono.duration
    assert convert(convert(stereo, mono.format), CANONICAL) == convert(mono, CANONICAL)


def test_big_endian_is_the_same_samples_the_other_way_round():
    frame = AudioRaw(noise(16_000, 3_000).tobytes())
    swapped = convert(frame, AudioFormat("pcm16be", 16_000))
    assert np.array_equal(swapped.samples, frame.samples)
    assert convert(swapped, CANONICAL) == frame


# --- convert, for whole recordings ---


@pytest.mark.parametrize(("source", "target"), PAIRS[::3])
def test_a_whole_frame_is_converted_without_delay(source, target):
    sent = noise(source, 3_000, seconds=0.2)
    once = convert(AudioRaw(sent.tobytes(), AudioFormat("pcm16", source)), AudioFormat("pcm16", target))
    assert once.duration == pytest.approx(0.2, abs=1 / target)
    back = convert(once, AudioFormat("pcm16", source)).samples[: len(sent)]
    assert decibels(rms(back - sent[: len(back)].astype(float)) / rms(sent)) < -55


def test_silence_stays_silent():
    for source in (STEREO_48K, AudioFormat("pcm16", 8_000), AudioFormat("mulaw", 8_000)):
        silence = convert(AudioRaw(bytes(16_000)), source)
        assert not np.any(convert(silence, CANONICAL).samples)


def test_an_empty_frame_converts_to_an_empty_frame():
    for source in (MULAW, ALAW, G722, STEREO_48K):
        assert convert(AudioRaw(b"", source), CANONICAL) == AudioRaw(b"")


def test_a_full_scale_recording_saturates_and_does_not_wrap():
    square = np.where(np.arange(4_000) % 40 < 20, 32_767, -32_768).astype("<i2")
    heard = convert(AudioRaw(square.tobytes()), AudioFormat("pcm16", 48_000)).samples
    assert np.abs(heard[3::60].astype(int)).min() > 20_000
    inside = (np.arange(len(heard)) % 60 > 5) & (np.arange(len(heard)) % 60 < 55)
    assert (heard[inside & (np.arange(len(heard)) % 120 < 60)] > 0).all()


@pytest.mark.parametrize("law", ["mulaw", "alaw"])
def test_what_resampling_makes_too_loud_for_g711_becomes_its_loudest_code(law):
    square = AudioRaw(np.where(np.arange(4_000) % 40 < 20, 32_767, -32_768).astype("<i2").tobytes())
    limited = Convert(AudioFormat("pcm16", 8_000)).process(square)
    assert np.abs(limited.samples.astype(int)).max() >= 32_767
    assert Convert(AudioFormat(law, 8_000)).process(square) == convert(limited, AudioFormat(law, 8_000))


def test_importing_the_codecs_loads_neither_soxr_nor_g722():
    code = "import sys, voiceflow.processors.codec; print({'soxr', 'G722', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
