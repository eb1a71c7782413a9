"""Reading and writing WAV files, and one clear error for everything that is no WAV file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.errors import AudioCodecError
from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import convert
from voiceflow.sounds.wavfile import read_wav, write_wav

SPEECH = Path(__file__).parent / "data" / "speech.wav"
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
FLOAT_GUID = bytes.fromhex("0300000000001000800000aa00389b71")
SAMPLES = struct.pack("<6h", 0, 1, -1, 32767, -32768, 5)


def fmt(tag: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, extra: bytes = b"") -> bytes:
    size = bits // 8 * channels
    return struct.pack("<HHIIHH", tag, channels, rate, rate * size, size, bits) + extra


def extensible(guid: bytes) -> bytes:
    return fmt(tag=0xFFFE, extra=struct.pack("<HHI", 22, 16, 4) + guid)


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    size = len(body) if size is None else size
    return name + struct.pack("<I", size) + body + b"\0" * (len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return tmp_path / "call.wav"


@pytest.mark.parametrize("rate", [4_000, 8_000, 11_025, 16_000, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_is_read(wav: Path, rate: int, channels: int) -> None:
    audio = AudioRaw(SAMPLES, AudioFormat("pcm16", rate, channels))
    write_wav(wav, audio)
    assert read_wav(wav) == audio


def test_the_recording_for_tests_is_speech() -> None:
    audio = read_wav(SPEECH)
    assert audio.format is CANONICAL
    assert 6 <= audio.duration <= 8
    assert 0.6 < np.abs(audio.samples.astype(float)).max() / 32768 < 0.75
    assert SPEECH.stat().st_size < 300_000


def test_wave_format_extensible_is_read(wav: Path) -> None:
    wav.write_bytes(riff(chunk(b"fmt ", extensible(PCM_GUID)), chunk(b"data", SAMPLES)))
    assert read_wav(wav) == AudioRaw(SAMPLES)


def test_other_chunks_are_skipped_with_their_padding(wav: Path) -> None:
    wav.write_bytes(
        riff(chunk(b"JUNK", b"odd"), chunk(b"fmt ", fmt()), chunk(b"LIST", b"INFO"), chunk(b"data", SAMPLES), b"tail")
    )
    assert read_wav(wav) == AudioRaw(SAMPLES)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFF000, 0])
@pytest.mark.parametrize("whole", [0xFFFFFFFF, 0x7FFFF024, 36, 0])
@pytest.mark.parametrize("cut", [b"", b"\x7f"])
def test_a_length_that_a_pipe_leaves_open_means_to_the_end(wav: Path, size: int, whole: int, cut: bytes) -> None:
    content = riff(chunk(b"fmt ", fmt()), chunk(b"data", b"", size=size))
    wav.write_bytes(content[:4] + struct.pack("<I", whole) + content[8:] + SAMPLES + cut)
    assert read_wav(wav) == AudioRaw(SAMPLES)


@pytest.mark.parametrize(("tag", "encoding"), [(6, "alaw"), (7, "mulaw")])
@pytest.mark.parametrize("channels", [1, 2])
def test_g711_is_read_as_pcm16(wav: Path, tag: int, encoding: str, channels: int) -> None:
    codes = bytes(range(256))
    header = fmt(tag=tag, rate=8_000, bits=8, channels=channels, extra=b"\0\0")
    wav.write_bytes(riff(chunk(b"fmt ", header), chunk(b"fact", bytes(4)), chunk(b"data", codes)))
    format = AudioFormat("pcm16", 8_000, channels)
    assert read_wav(wav) == convert(AudioRaw(codes, format.with_encoding(encoding)), format)


def test_an_empty_data_chunk_before_others_is_no_pipe(wav: Path) -> None:
    wav.write_bytes(riff(chunk(b"fmt ", fmt()), chunk(b"data", b""), chunk(b"LIST", b"INFO")))
    with pytest.raises(AudioCodecError, match="has no samples"):
        read_wav(wav)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"ID3\x04some music", "is not a WAV file: it begins with b'ID3"),
        (b"RIFF\0\0\0\0AVI and so on", "is not a WAV file"),
        (riff(), "has no samples (no `data` chunk)"),
        (riff(chunk(b"fmt ", fmt())), "has no samples (no `data` chunk)"),
        (riff(chunk(b"data", SAMPLES)), "before it says their format"),
        (riff(chunk(b"fmt ", b"short"), chunk(b"data", SAMPLES)), "`fmt ` chunk of 5 bytes"),
        (riff(chunk(b"fmt ", fmt()), chunk(b"data", b"")), "has no samples (an empty `data` chunk)"),
        (riff(chunk(b"fmt ", fmt()), chunk(b"data", SAMPLES, size=100)), "promises 100 bytes of samples, 12 are"),
        (riff(chunk(b"fmt ", fmt()), chunk(b"data", b"odd")), "3 bytes are not whole samples of 2 bytes"),
        (riff(chunk(b"fmt ", fmt(tag=3, bits=32)), chunk(b"data", SAMPLES)), "floating point (format tag 0x0003)"),
        (riff(chunk(b"fmt ", fmt(tag=6, bits=16)), chunk(b"data", SAMPLES)), "has 16-bit samples, not 8-bit"),
        (riff(chunk(b"fmt ", fmt(tag=0x1234)), chunk(b"data", SAMPLES)), "an unknown encoding (format tag 0x1234)"),
        (riff(chunk(b"fmt ", extensible(FLOAT_GUID)), chunk(b"data", SAMPLES)), "floating point"),
        (riff(chunk(b"fmt ", extensible(bytes(16))), chunk(b"data", SAMPLES)), "format tag 0xfffe"),
        (riff(chunk(b"fmt ", fmt(bits=8)), chunk(b"data", SAMPLES)), "has 8-bit samples, not 16-bit"),
        (riff(chunk(b"fmt ", fmt(bits=24)), chunk(b"data", SAMPLES)), "has 24-bit samples, not 16-bit"),
        (riff(chunk(b"fmt ", fmt(bits=32)), chunk(b"data", SAMPLES)), "has 32-bit samples, not 16-bit"),
        (riff(chunk(b"fmt ", fmt(channels=3)), chunk(b"data", SAMPLES)), "has 3 channels, not one or two"),
        (riff(chunk(b"fmt ", fmt(rate=3_999)), chunk(b"data", SAMPLES)), "has a rate of 3999 Hz"),
        (riff(chunk(b"fmt ", fmt(rate=192_001)), chunk(b"data", SAMPLES)), "has a rate of 192001 Hz"),
    ],
)
def test_anything_else_is_one_error_that_names_the_file_and_the_way_out(
    wav: Path, content: bytes, problem: str
) -> None:
    wav.write_bytes(content)
    with pytest.raises(AudioCodecError) as caught:
        read_wav(wav)
    message = str(caught.value)
    assert message.startswith(f"{wav} ")
    assert problem in message
    assert "Expected a WAV file of 16-bit PCM, mu-law or A-law, mono or stereo" in message
    assert f"ffmpeg -i {wav} " in message


def test_the_command_in_an_error_can_be_pasted(tmp_path: Path) -> None:
    path = tmp_path / "my call.wav"
    path.write_bytes(b"")
    with pytest.raises(AudioCodecError, match=r"ffmpeg -i '.*my call\.wav' .* '.*my call-pcm16\.wav'"):
        read_wav(path)


def test_a_missing_file_is_said_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(AudioCodecError, match=r"no\.wav does not exist: .*" + tmp_path.name):
        read_wav(tmp_path / "no.wav")


def test_a_folder_is_no_wav_file(tmp_path: Path) -> None:
    with pytest.raises(AudioCodecError, match="cannot be read"):
        read_wav(tmp_path)


def test_only_pcm16_is_written(wav: Path) -> None:
    with pytest.raises(AudioCodecError, match=r"cannot write mulaw 8000 Hz audio.*convert"):
        write_wav(wav, AudioRaw(b"\xff", AudioFormat("mulaw", 8_000)))
    assert not wav.exists()


def test_writing_to_nowhere_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_wav(tmp_path / "no" / "call.wav", AudioRaw(SAMPLES))


@st.composite
def broken_wavs(draw: st.DrawFn) -> bytes:
    """Bytes that look like a WAV file up to some point."""
    names = st.sampled_from([b"fmt ", b"data", b"LIST"]) | st.binary(min_size=4, max_size=4)
    bodies = st.binary(max_size=60) | st.just(fmt()) | st.just(extensible(PCM_GUID)) | st.just(SAMPLES)
    sizes = st.none() | st.integers(0, 2**32 - 1)
    chunks = draw(st.lists(st.builds(chunk, names, bodies, sizes), max_size=5))
    content = bytearray(riff(*chunks))
    for place, value in draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=3)):
        content[place] = value
    return bytes(content[: draw(st.integers(0, len(content)))])


@given(st.binary(max_size=200) | broken_wavs())
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_garbage_is_audio_or_an_audio_codec_error(wav: Path, content: bytes) -> None:
    wav.write_bytes(content)
    try:
        audio = read_wav(wav)
    except AudioCodecError:
        return
    assert len(audio.samples) > 0
