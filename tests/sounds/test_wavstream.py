"""What is played piece by piece is what the whole would have been, and takes no more memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import threading
import tracemalloc
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles import virtual
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voiceflow import CANONICAL, AudioCodecError, AudioFormat, AudioRaw
from voiceflow.processors.codec import Convert
from voiceflow.sounds.wavfile import read_wav, write_wav
from voiceflow.sounds.wavstream import PIECE, stream_wav

STEREO = AudioFormat("pcm16", 48_000, 2)
MULAW = AudioFormat("mulaw", 8_000)
FORMATS = [
    CANONICAL,
    MULAW,
    AudioFormat("pcm16", 22_050),
    STEREO,
    AudioFormat("alaw", 8_000),
    AudioFormat("g722", 16_000),
]
HOUR = 3600


def noise(frames: int, format: AudioFormat) -> AudioRaw:
    samples = np.random.default_rng(frames).integers(-9_000, 9_000, frames * format.channels)
    return AudioRaw(samples.astype("<i2").tobytes(), format)


def whole(audio: AudioRaw, format: AudioFormat) -> bytes:
    converter = Convert(format)
    made = [converter.process(audio) if audio.data else None, converter.finish()]
    return b"".join(piece.data for piece in made if piece is not None)


async def pieces(wav: str | os.PathLike[str] | AudioRaw, format: AudioFormat) -> list[AudioRaw]:
    return [piece async for piece in stream_wav(wav, format)]


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return virtual(main)


@given(
    st.sampled_from(FORMATS),
    st.sampled_from([CANONICAL, STEREO, AudioFormat("pcm16", 22_050, 2), AudioFormat("pcm16", 8_000)]),
    st.integers(1, 50_000),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_pieces_together_are_the_whole(
    tmp_path: Path, format: AudioFormat, source: AudioFormat, frames: int
) -> None:
    audio = noise(frames, source)
    write_wav(tmp_path / "call.wav", audio)
    for wav in (audio, tmp_path / "call.wav", str(tmp_path / "call.wav")):
        found = run(pieces(wav, format))
        assert b"".join(piece.data for piece in found) == whole(audio, format)
        assert {piece.format for piece in found} <= {format}
        assert all(piece.duration < 2 * PIECE for piece in found)


@pytest.mark.parametrize("tag", [6, 7])
def test_g711_is_played_as_it_is_read(tmp_path: Path, tag: int) -> None:
    codes = bytes(range(256)) * 20
    fmt = struct.pack("<HHIIHH", tag, 1, 8_000, 8_000, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(codes)) + codes
    (tmp_path / "call.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    found = run(pieces(tmp_path / "call.wav", CANONICAL))
    assert b"".join(piece.data for piece in found) == whole(read_wav(tmp_path / "call.wav"), CANONICAL)


def long(path: Path, seconds: int) -> Path:
    """Silence that takes no room on the disk."""
    size = STEREO.bytes_for(seconds)
    write_wav(path, AudioRaw(b"", STEREO))
    with path.open("r+b") as file:
        file.seek(40)
        file.write(struct.pack("<I", size))
        file.truncate(44 + size)
    return path


async def peak(wav: Path | AudioRaw, count: int | None) -> int:
    """The bytes that playing it takes at most, up to that many pieces."""
    async with contextlib.aclosing(stream_wav(wav, MULAW)) as stream:
        await anext(stream)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        seen = 1
        async for _ in stream:
            seen += 1
            if seen == count:
                break
    assert count is None or seen == count
    return tracemalloc.get_traced_memory()[1] - before


def test_a_long_recording_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    wav, audio = long(tmp_path / "long.wav", 120), AudioRaw(bytes(STEREO.bytes_for(120)), STEREO)
    tracemalloc.start()
    try:
        assert run(peak(wav, None)) < 500_000
        assert run(peak(audio, None)) < 500_000
    finally:
        tracemalloc.stop()


def test_what_begins_has_read_no_more_than_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, pread = [], os.pread
    monkeypatch.setattr(os, "pread", lambda fd, count, place: read.append(count) or pread(fd, count, place))

    async def main() -> None:
        async with contextlib.aclosing(stream_wav(long(tmp_path / "long.wav", HOUR), MULAW)) as stream:
            await anext(stream)

    run(main())
    assert read == [STEREO.bytes_for(PIECE)]


def test_the_loop_goes_on_while_a_disk_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released, pread = threading.Event(), os.pread

    def slow(fd: int, count: int, place: int) -> bytes:
        assert released.wait(20)
        return pread(fd, count, place)

    monkeypatch.setattr(os, "pread", slow)

    async def main() -> None:
        playing = asyncio.create_task(pieces(long(tmp_path / "long.wav", 1), MULAW))
        asyncio.get_running_loop().call_soon(released.set)
        assert len(await playing) == 6  # the last of them is what the resampler held

    run(main())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"ID3\x04", "is not a WAV file"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\x64\0\0\0\1\0", "is cut off"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_before_the_first_piece_as_for_a_whole_one(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "call.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioCodecError, match=problem) as one:
        read_wav(path)
    with pytest.raises(AudioCodecError) as other:
        run(pieces(path, MULAW))
    assert str(other.value) == str(one.value)


def test_audio_that_ends_within_a_sample_is_refused_before_the_first_piece() -> None:
    with pytest.raises(AudioCodecError, match="not whole samples"):
        run(anext(stream_wav(AudioRaw(bytes(999_999)), MULAW)))


def test_a_file_that_becomes_shorter_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        path = long(tmp_path / "long.wav", 10)
        async with contextlib.aclosing(stream_wav(path, MULAW)) as stream:
            await anext(stream)
            os.truncate(path, 1_000)
            with pytest.raises(AudioCodecError, match="has become shorter"):
                await anext(stream)

    run(main())


def test_a_pipe_is_played(tmp_path: Path) -> None:
    audio = noise(20_000, CANONICAL)
    write_wav(tmp_path / "call.wav", audio)
    os.mkfifo(tmp_path / "pipe")
    content = (tmp_path / "call.wav").read_bytes()
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[content])
    writer.start()
    found = run(pieces(tmp_path / "pipe", MULAW))
    writer.join()
    assert b"".join(piece.data for piece in found) == whole(audio, MULAW)


def test_the_file_is_closed_however_playing_ends(tmp_path: Path) -> None:
    path = long(tmp_path / "long.wav", 10)

    def held() -> int:
        return sum(os.path.realpath(f"/proc/self/fd/{fd}") == str(path.resolve()) for fd in os.listdir("/proc/self/fd"))

    async def main() -> None:
        await pieces(path, MULAW)
        assert held() == 0
        stream = stream_wav(path, MULAW)
        await anext(stream)
        assert held() == 1
        await stream.aclose()
        assert held() == 0

    run(main())
