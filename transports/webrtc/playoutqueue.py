"""The queue of the agent's audio before it is sent: audio of any length in, pieces of one size out."""

from __future__ import annotations

from collections import deque


class PlayoutQueue:
    """A first-in, first-out queue of audio that is taken in pieces of `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.waiting = 0
        """Bytes that are queued: the only ones that can still be recalled."""
        self.taken = 0
        """Bytes that were taken; padding does not count."""
        self._chunks: deque[bytes] = deque()
        self._offset = 0  # bytes of the oldest chunk that were taken

    def put(self, data: bytes) -> None:
        if data:
            self._chunks.append(data)
            self.waiting += len(data)

    def take(self) -> bytes | None:
        """The next piece; the last one is padded with zeros. None: the queue is empty."""
        if not self.waiting:
            return None
        parts: list[bytes] = []
        missing = self.size
        while missing and self._chunks:
            chunk = self._chunks[0]
            part = chunk[self._offset : self._offset + missing] if self._offset or len(chunk) > missing else chunk
            parts.append(part)
            missing -= len(part)
            self._offset += len(part)
            if self._offset == len(chunk):
                self._chunks.popleft()
                self._offset = 0
        self.waiting -= self.size - missing
        self.taken += self.size - missing
        if missing:
            parts.append(bytes(missing))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def clear(self) -> int:
        """Drop what is queued. Returns how many bytes that were."""
        dropped, self.waiting, self._offset = self.waiting, 0, 0
        self._chunks.clear()
        return dropped
