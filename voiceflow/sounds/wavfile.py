"""WAV files: 16-bit PCM, mono or stereo, in and out as one `AudioRaw`.

The reader walks the RIFF chunks itself: the standard library's `wave` reads neither WAVE_FORMAT_EXTENSIBLE
(before Python 3.12) nor notices a file that was cut off, and its errors do not say what to do.
"""

from __future__ import annotations

import os
import shlex
import struct
import wave
from collections.abc import Iterator
from pathlib import Path

from voiceflow.audio import AudioFormat
from voiceflow.errors import AudioCodecError
from voiceflow.frames import AudioRaw

_PCM = 0x0001
_EXTENSIBLE = 0xFFFE
_ENCODINGS = {
    0x0002: "Microsoft ADPCM",
    0x0003: "floating point",
    0x0006: "A-law",
    0x0007: "mu-law",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0055: "MP3",
}
_KSDATAFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the two bytes of the format tag in the subformat GUID of WAVE_FORMAT_EXTENSIBLE."""
_STREAMED = 0xFFFFFFFF
"""The length that a program writes which could not know it: the data goes on to the end of the file."""


def read_wav(path: str | os.PathLike[str]) -> AudioRaw:
    """The whole of a WAV file: 16-bit PCM, mono or stereo, 4 000 to 192 000 Hz.

    Raises `AudioCodecError` for a file that is missing or anything else; it says how to convert it.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise AudioCodecError(
            f"{path} does not exist: expected a WAV file. Check the name; {Path(path).parent.absolute()} is "
            f"where it was looked for"
        ) from error
    except OSError as error:
        raise AudioCodecError(f"{path} cannot be read ({error.strerror}): expected a WAV file") from error
    try:
        return _parse(content)
    except AudioCodecError as error:
        raise AudioCodecError(
            f"{path} {error}. Expected a WAV file of 16-bit PCM, mono or stereo. "
            f"To convert a recording: {_conversion(path)}"
        ) from None


def write_wav(path: str | os.PathLike[str], audio: AudioRaw) -> None:
    """Write `audio`, which must be pcm16, as a WAV file. Raises `OSError` where that is not possible."""
    if audio.format.encoding != "pcm16":
        raise AudioCodecError(
            f"cannot write {audio.format} audio to {path}: a WAV file takes pcm16. Convert it first, with "
            f"voiceflow.processors.codec.convert"
        )
    with open(path, "wb") as stream, wave.open(stream, "wb") as file:
        file.setnchannels(audio.format.channels)
        file.setsampwidth(2)
        file.setframerate(audio.format.rate)
        file.writeframes(audio.data)


def _conversion(path: str | os.PathLike[str]) -> str:
    """The command that makes a file which `read_wav` reads."""
    source = Path(path)
    target = source.with_name(f"{source.stem}-pcm16.wav")
    return f"ffmpeg -i {shlex.quote(str(source))} -ac 1 -ar 16000 -c:a pcm_s16le {shlex.quote(str(target))}"


def _parse(content: bytes) -> AudioRaw:
    """The audio of a WAV file's content. Errors go on from "FILE ..."."""
    if len(content) < 12 or content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise AudioCodecError(f"is not a WAV file: it begins with {content[:12]!r}" if content else "is empty")
    audio_format: AudioFormat | None = None
    for name, size, body in _chunks(content):
        if name == b"fmt ":
            audio_format = _format(body)
        elif name == b"data":
            if audio_format is None:
                raise AudioCodecError("has its samples before it says their format (no `fmt ` chunk)")
            return _samples(body, size, audio_format)
    raise AudioCodecError("has no samples (no `data` chunk)")


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Name, promised size and content of each chunk."""
    start = 12
    while start + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, start)
        yield name, size, content[start + 8 : start + 8 + size]
        start += 8 + size + size % 2  # chunks begin at even bytes


def _format(fmt: bytes) -> AudioFormat:
    if len(fmt) < 16:
        raise AudioCodecError(f"has a `fmt ` chunk of {len(fmt)} bytes, which takes 16 or more")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
    if tag == _EXTENSIBLE and fmt[26:40] == _KSDATAFORMAT_TAIL:
        (tag,) = struct.unpack_from("<H", fmt, 24)
    if tag != _PCM:
        encoding = _ENCODINGS.get(tag, "of an unknown encoding")
        raise AudioCodecError(f"is {encoding} (format tag {tag:#06x}), not PCM")
    if bits != 16:
        raise AudioCodecError(f"has {bits}-bit samples, not 16-bit")
    if channels not in (1, 2):
        raise AudioCodecError(f"has {channels} channels, not one or two")
    if not 4_000 <= rate <= 192_000:
        raise AudioCodecError(f"has a rate of {rate} Hz, outside 4 000 to 192 000 Hz")
    return AudioFormat("pcm16", rate, channels)


def _samples(data: bytes, promised: int, audio_format: AudioFormat) -> AudioRaw:
    if promised not in (len(data), _STREAMED):
        raise AudioCodecError(f"is cut off: its header promises {promised} bytes of samples, {len(data)} are there")
    if not data:
        raise AudioCodecError("has no samples (an empty `data` chunk)")
    if len(data) % audio_format.frame_bytes:
        raise AudioCodecError(
            f"is cut off: {len(data)} bytes are not whole samples of {audio_format.frame_bytes} bytes"
        )
    return AudioRaw(data, audio_format)
