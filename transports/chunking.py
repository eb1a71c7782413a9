"""Cutting audio into pieces of a length that a carrier takes: neither shorter nor longer than it allows."""

from __future__ import annotations

from typing import Final

from voiceflow.audio import AudioFormat

# For G.711 the code of zero (ITU-T G.711). G.722 is adaptive and has none: 0xFD, the smallest step in both bands,
# decays to 38 dB below the preceding speech.
_SILENCE: Final = {"mulaw": b"\xff", "alaw": b"\xd5", "pcm16": b"\0", "g722": b"\xfd"}


def silence(size: int, format: AudioFormat) -> bytes:
    """`size` bytes of silence."""
    return _SILENCE[format.encoding] * size


class Pieces:
    """Cuts a stream of audio into pieces. A remainder below the shortest piece is kept and goes ahead of the next
    audio."""

    def __init__(self, format: AudioFormat, shortest: float, longest: float) -> None:
        """`shortest` and `longest` are the lengths allowed for a piece, in seconds."""
        self.format = format
        self._shortest, self._longest = format.bytes_for(shortest), format.bytes_for(longest)
        self._tail = b""

    def cut(self, data: bytes) -> list[bytes]:
        """The pieces that are complete with `data`."""
        size = len(data)
        if not self._tail and self._shortest <= size <= self._longest and not size % self.format.frame_bytes:
            return [data]  # the usual case
        data = self._tail + data
        pieces = []
        while len(data) >= self._shortest:
            end = min(len(data) - len(data) % self.format.frame_bytes, self._longest)
            pieces.append(data[:end])
            data = data[end:]
        self._tail = data
        return pieces

    def flush(self) -> list[bytes]:
        """The remainder, padded with silence to the shortest piece; nothing if there is none."""
        return self.cut(silence(self._shortest - len(self._tail), self.format)) if self._tail else []

    def drop(self) -> None:
        """Drop the remainder."""
        self._tail = b""
