"""Finds the samples in a WAV file, and their format.

This module walks the chunks itself: the standard library's `wave` reads neither WAVE_FORMAT_EXTENSIBLE (before Python
3.12) nor G.711, does not notice a file that was cut off, and its errors do not say what to do.
"""

from __future__ import annotations

import os
import shlex
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from voiceflow.audio import AudioFormat
from voiceflow.errors import AudioCodecError

_PCM = 0x0001
_LAWS = {0x0006: "alaw", 0x0007: "mulaw"}
_EXTENSIBLE = 0xFFFE
_ENCODINGS = {
    0x0002: "Microsoft ADPCM",
    0x0003: "floating point",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0055: "MP3",
}
_KSDATAFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")
"""The bytes after the format tag, which has two, in the subformat GUID of WAVE_FORMAT_EXTENSIBLE."""
_STREAMED = 0x7FFFF000
"""A length in bytes that is not true, if a header states it or a larger one: it is what a program writes that wrote to
a pipe and did not know the length. SoX writes this one, arecord 0x7FFFFFFF or so, FFmpeg 0xFFFFFFFF. The samples go on
to the end of the file."""


class Samples(NamedTuple):
    """The samples of a WAV file: `size` bytes from `start` on."""

    format: AudioFormat
    start: int
    size: int


def find_samples(file: BinaryIO, length: int) -> Samples:
    """Where the samples of an open file of `length` bytes are. Raises `AudioCodecError`, whose message is the end of a
    sentence that begins with the file's name."""
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise AudioCodecError(f"is not a WAV file: it begins with {head!r}" if head else "is empty")
    (promised,) = struct.unpack_from("<I", head, 4)
    audio_format: AudioFormat | None = None
    for name, start, size in _chunks(file):
        if name == b"fmt ":
            audio_format = _format(file.read(min(size, 40)))
        elif name == b"data":
            if audio_format is None:
                raise AudioCodecError("has its samples before it says their format (no `fmt ` chunk)")
            unsized = size >= _STREAMED or (size == 0 and (promised >= _STREAMED or promised + 8 < length))
            return _samples(audio_format, start, None if unsized else size, length - start)
    raise AudioCodecError("has no samples (no `data` chunk)")


@contextmanager
def explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn errors about the file `path` into an `AudioCodecError` that names it and says what to do."""
    try:
        yield
    except FileNotFoundError as error:
        raise AudioCodecError(
            f"{path} does not exist: expected a WAV file. Check the name; {Path(path).parent.absolute()} is "
            f"where it was looked for"
        ) from error
    except OSError as error:
        raise AudioCodecError(f"{path} cannot be read ({error.strerror}): expected a WAV file") from error
    except AudioCodecError as error:
        raise AudioCodecError(
            f"{path} {error}. Expected a WAV file of 16-bit PCM, mu-law or A-law, mono or stereo. "
            f"To convert a recording: {_conversion(path)}"
        ) from None


def _conversion(path: str | os.PathLike[str]) -> str:
    """The command that converts the file to one that can be read."""
    source = Path(path)
    target = source.with_name(f"{source.stem}-pcm16.wav")
    return f"ffmpeg -i {shlex.quote(str(source))} -ac 1 -ar 16000 -c:a pcm_s16le {shlex.quote(str(target))}"


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's name, and the offset and stated size of its content in bytes. The file is positioned at the content
    when a chunk is yielded."""
    start = 12
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        yield name, start + 8, size
        start += 8 + size + size % 2  # chunks begin at even bytes
        file.seek(start)


def _format(fmt: bytes) -> AudioFormat:
    if len(fmt) < 16:
        raise AudioCodecError(f"has a `fmt ` chunk of {len(fmt)} bytes, which takes 16 or more")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
    if tag == _EXTENSIBLE and fmt[26:40] == _KSDATAFORMAT_TAIL:
        (tag,) = struct.unpack_from("<H", fmt, 24)
    if tag != _PCM and tag not in _LAWS:
        encoding = _ENCODINGS.get(tag, "of an unknown encoding")
        raise AudioCodecError(f"is {encoding} (format tag {tag:#06x}), neither PCM nor G.711")
    if bits != (expected := 16 if tag == _PCM else 8):
        raise AudioCodecError(f"has {bits}-bit samples, not {expected}-bit")
    if channels not in (1, 2):
        raise AudioCodecError(f"has {channels} channels, not one or two")
    if not 4_000 <= rate <= 192_000:
        raise AudioCodecError(f"has a rate of {rate} Hz, outside 4 000 to 192 000 Hz")
    return AudioFormat(_LAWS.get(tag, "pcm16"), rate, channels)


def _samples(audio_format: AudioFormat, start: int, promised: int | None, there: int) -> Samples:
    unit = audio_format.frame_bytes
    size = there - there % unit if promised is None else promised  # writing to a pipe may stop anywhere
    if size > there:
        raise AudioCodecError(f"is cut off: its header promises {size} bytes of samples, {there} are there")
    if size == 0:
        raise AudioCodecError("has no samples (an empty `data` chunk)")
    if size % unit:
        raise AudioCodecError(f"is cut off: {size} bytes are not whole samples of {unit} bytes")
    return Samples(audio_format, start, size)
