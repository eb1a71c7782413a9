"""Reads and writes WAV files as one `AudioRaw`. To play long ones, see wavstream.py."""

from __future__ import annotations

import io
import os
import wave
from pathlib import Path

from voiceflow.errors import AudioCodecError
from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import convert

from .wavheader import explained, find_samples


def read_wav(path: str | os.PathLike[str]) -> AudioRaw:
    """The whole of a WAV file as pcm16: 16-bit PCM, mu-law or A-law, mono or stereo, 4 000 to 192 000 Hz.

    Raises `AudioCodecError` for a file that is missing or is anything else; its message says how to convert the file.
    """
    with explained(path):
        content = Path(path).read_bytes()
        audio_format, start, size = find_samples(io.BytesIO(content), len(content))
    audio = AudioRaw(content[start : start + size], audio_format)
    return convert(audio, audio_format.with_encoding("pcm16"))


def write_wav(path: str | os.PathLike[str], audio: AudioRaw) -> None:
    """Write `audio` as a WAV file. Raises `AudioCodecError` if it is not pcm16, `OSError` if the file cannot be
    written."""
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
