"""Plays a WAV file, or audio of any length, piece by piece in the format in which it is to be heard.

Each piece is read and converted in a thread when it is asked for: a recording of an hour takes no more memory than one
of a second, begins as early, and holds up no other call.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncGenerator, Callable
from typing import Final

from voiceflow.audio import AudioFormat
from voiceflow.errors import AudioCodecError
from voiceflow.frames import AudioRaw
from voiceflow.inference.pools import waiting_pool
from voiceflow.processors.codec import Convert
from voiceflow.processors.codec.convert import not_whole

from .wavfile import read_wav
from .wavheader import explained, find_samples

PIECE: Final = 0.2
"""The approximate length of each piece, in seconds."""

Slice = Callable[[int, int], bytes]
"""Reads samples: takes the offset and the count, both in bytes, and returns that many bytes."""


async def stream_wav(wav: str | os.PathLike[str] | AudioRaw, format: AudioFormat) -> AsyncGenerator[AudioRaw, None]:
    """Yield a WAV file, or a piece of audio, in `format` and in pieces of about `PIECE` seconds.

    Together the pieces are what `Convert(format)` makes of the whole. Raises `AudioCodecError` as `read_wav` does, and
    `MissingExtraError` if a codec's package is not installed, before the first piece. Close the generator if you do not
    iterate it to its end: the file is open until then.
    """
    pool = waiting_pool()
    recording = await pool.run(_Recording, wav, format)
    try:
        while (piece := await pool.run(recording.next)) is not None:
            yield piece
    finally:
        recording.close()


class _Recording:
    """The audio that is being played. Its methods block."""

    def __init__(self, wav: str | os.PathLike[str] | AudioRaw, format: AudioFormat) -> None:
        self.close: Callable[[], None] = _nothing
        self._converter = Convert(format)
        self._place = 0
        self._over = False
        if not isinstance(wav, AudioRaw) and not _is_regular(wav):
            wav = read_wav(wav)  # a pipe, whose length is unknown until it is read, or no file at all
        self._slice, self._source, self._size = _in_memory(wav) if isinstance(wav, AudioRaw) else self._in_file(wav)
        self._step = self._source.bytes_for(PIECE)
        try:
            self._converter.expect(self._source)
        except BaseException:
            self.close()
            raise

    def next(self) -> AudioRaw | None:
        """The next piece, None after the last."""
        while self._place < self._size:
            data = self._slice(self._place, min(self._step, self._size - self._place))
            self._place += len(data)
            piece = self._converter.process(AudioRaw(data, self._source))
            if piece is not None:
                return piece
        if self._over:
            return None
        self._over = True
        return self._converter.finish()

    def _in_file(self, path: str | os.PathLike[str]) -> tuple[Slice, AudioFormat, int]:
        with explained(path):
            file = open(path, "rb", buffering=0)  # noqa: SIM115
            try:
                source, start, size = find_samples(file, os.fstat(file.fileno()).st_size)
            except BaseException:
                file.close()
                raise
        self.close = file.close

        def read(place: int, count: int) -> bytes:
            data = os.pread(file.fileno(), count, start + place)
            if len(data) < count:
                raise AudioCodecError(
                    f"{path} has become shorter while it was played: {place + len(data)} bytes of "
                    f"samples are there, {size} were"
                )
            return data

        return read, source, size


def _in_memory(audio: AudioRaw) -> tuple[Slice, AudioFormat, int]:
    if len(audio.data) % audio.format.frame_bytes:
        raise not_whole(audio)
    return lambda place, count: audio.data[place : place + count], audio.format, len(audio.data)


def _is_regular(path: str | os.PathLike[str]) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _nothing() -> None:
    """There is no file to close."""
