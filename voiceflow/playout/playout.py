"""The way from the pipeline to the caller's ear: the sink's queue, its pacing, its ledger.

There is no task here. A frame that is put is written at once if it is due; otherwise one timer waits for it.
So a sink costs nothing between frames, and an interruption finds everything that was not sent in one place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from voiceflow.engine.link import Link
from voiceflow.frames import AudioRaw, End, Frame, LLMEnd, Mark

from .ledger import Cleared, Cue, Ledger, Reply, ReplyBegin, ReplyEnd

if TYPE_CHECKING:
    from voiceflow.transport import Sink

LEAD = 0.2
"""How far ahead of the caller's ear audio is sent, in seconds: what a `Clear` has to recall at most."""
FIRST_PIECE = 0.02
LARGEST_PIECE = 0.1
ECHO_GRACE = 2.0
"""A mark the peer does not return counts as played this long after it must have been, in seconds."""
_EPSILON = 1e-9


class Playout(Link):
    """The queue of a sink. Writes are paced: a piece is due `LEAD` before the caller hears it."""

    __slots__ = (
        "_changes",
        "_first_piece",
        "_largest_piece",
        "_offset",
        "_timer",
        "_writing",
        "closed",
        "format",
        "ledger",
        "loop",
        "on_audio",
        "on_end",
        "on_error",
        "on_played",
        "sink",
    )

    def __init__(
        self,
        sink: Sink,
        on_played: Callable[[Mark], None],
        on_end: Callable[[], None],
        on_error: Callable[[Sink, Exception], None],
    ) -> None:
        super().__init__(sink.accepts)
        self.sink = sink
        self.format = sink.accepts
        self._first_piece, self._largest_piece = map(self.format.bytes_for, (FIRST_PIECE, LARGEST_PIECE))
        self.ledger = Ledger()
        self.loop = asyncio.get_running_loop()
        self.on_played = on_played
        self.on_end = on_end
        self.on_error = on_error
        self.on_audio: Sequence[Callable[[AudioRaw, float], None]] = ()
        """Called with each piece that is handed to the transport, and when the caller begins to hear it."""
        self.closed = False
        self._offset = 0  # bytes of the oldest frame that were written
        self._timer: asyncio.TimerHandle | None = None
        self._changes: list[asyncio.Future[None]] = []
        self._writing = False

    @property
    def speaking(self) -> bool:
        """Whether the caller is hearing the agent now."""
        return self.ledger.play_end > self.loop.time()

    @property
    def at_rest(self) -> bool:
        """Whether nothing is being said, queued, or waiting to be confirmed."""
        return not (self.frames or self.ledger.replies or self.ledger.cues or self.speaking)

    async def rest(self, patience: float) -> bool:
        """Wait until everything said has been heard. False if nothing was heard for `patience` seconds
        and still something is missing."""
        while not self.at_rest:
            wait = max(0.0, self.ledger.play_end - self.loop.time())
            busy = self.frames or self.ledger.replies or self.ledger.cues
            change = self.loop.create_future()
            self._changes.append(change)
            try:
                async with asyncio.timeout(wait + patience if busy else wait):
                    await change
            except TimeoutError:
                if busy and not self.speaking:
                    return False
        return True

    def put(self, frame: Frame) -> None:
        if self.closed:
            return
        if not type(frame).speech and type(frame) is not End:
            self._guarded(self.sink.notify, frame)
        elif not self._write_at_once(frame):
            super().put(frame)
            self._pump()

    def insert(self, line: AudioRaw) -> None:
        """Play `line`, which is no part of what the agent says."""
        self.ledger.insert(line.duration)
        self.put(line)

    def echo(self, name: str) -> None:
        """The peer returned the mark `name`."""
        self._settle(self.ledger.echo(name))

    def clear(self) -> Cleared:
        """Forget what was not heard, and make the peer forget it."""
        queued, closed = self._open_sentence()
        self.remove(lambda frame: type(frame).speech)
        self._offset = 0
        now, recallable = self.loop.time(), self.sink.recallable()
        if recallable is not None:
            self.ledger.play_end = now + recallable
        cleared = self.ledger.clear(now, queued, closed=closed)
        self._guarded(self.sink.write_clear)
        self._schedule()
        self._changed()
        return cleared

    def close(self) -> None:
        """The call is over: no timer is left, every reply is done, nothing more is written."""
        self.closed = True
        queued, closed = self._open_sentence()
        self.ledger.clear(self.loop.time(), queued, closed=closed)
        self.frames.clear()
        self.others = 0
        self._cancel_timer()
        self._changed()

    def drop_oldest_audio(self) -> None:
        if self.frames and type(self.frames[0]) is AudioRaw:
            self._offset = 0  # what was written of it stays, the rest of it goes
        super().drop_oldest_audio()

    def withdraw(self, reply: Reply) -> None:
        """A reply in which nothing was said is over."""
        self.ledger.replies.remove(reply)
        reply.finish(0.0)
        self._changed()

    def _write_at_once(self, frame: Frame) -> bool:
        """Write audio past the queue, if it need not wait: an echo's never must."""
        if type(frame) is not AudioRaw or self.frames or self._writing:
            return False
        now = self.loop.time()
        if not 0 < len(frame.data) <= self._room(now):
            return False
        self._writing = True
        self._guarded(self._write_audio, frame.data, now)
        self._writing = False
        if self.frames:  # the sink's write ended up here again
            self._pump()
        return True

    def _pump(self) -> None:
        """Write what is due."""
        if self._writing:  # a sink's write that ends up here again: the outer loop goes on
            return
        self._writing = True
        self._guarded(self._write_all)
        self._writing = False
        self._schedule()

    def _write_all(self) -> None:
        while self.frames and self._write_next():
            pass

    def _guarded(self, act: Callable[..., None], *args: object) -> None:
        """A sink that raises ends the call; it does not disturb whoever happened to speak."""
        try:
            act(*args)
        except Exception as error:
            self.on_error(self.sink, error)

    def _write_next(self) -> bool:
        """Write one piece or one mark; False if the oldest frame is not due."""
        now, ledger = self.loop.time(), self.ledger
        frame = self.frames[0]
        match frame:
            case AudioRaw():
                room = self._room(now)
                if not room:
                    return False
                piece = self._piece(room)
                if piece:
                    self._write_audio(piece, now)
            case End():
                if ledger.play_end > now + _EPSILON:
                    return False
                self.pop()
                self.on_end()
            case _:
                self.pop()
                self._note(frame)
        self._changed()
        return True

    def _room(self, now: float) -> int:
        """How many bytes of audio are due, in one piece."""
        play_end = self.ledger.play_end
        if play_end - LEAD > now + _EPSILON:
            return 0
        return self._first_piece if play_end <= now else self._largest_piece

    def _write_audio(self, piece: bytes, now: float) -> None:
        seconds = len(piece) / self.format.byte_rate
        self.ledger.audio(seconds, now)
        self.sink.write_audio(piece)
        for callback in self.on_audio:
            callback(AudioRaw(piece, self.format), self.ledger.play_end - seconds)

    def _note(self, frame: Frame) -> None:
        ledger, cue = self.ledger, None
        match frame:
            case ReplyBegin():
                cue = ledger.begin(frame.reply, part=frame.part)
            case ReplyEnd():
                cue = ledger.end(frame.reply)
            case Mark(text=""):
                cue = ledger.close()
            case Mark():
                cue = ledger.open(frame)
            case LLMEnd():
                cue = ledger.end()
        if cue is not None and self.sink.echoes:
            self.sink.write_mark(cue.name)

    def _piece(self, limit: int) -> bytes:
        """Take what is there, up to `limit` bytes."""
        parts: list[bytes] = []
        size = 0
        while size < limit and self.frames and type(frame := self.frames[0]) is AudioRaw:
            data, offset = frame.data, self._offset
            take = min(limit - size, len(data) - offset)
            parts.append(data if take == len(data) else data[offset : offset + take])
            size += take
            self._offset += take
            if self._offset == len(data):
                self._offset = 0
                self.pop()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _open_sentence(self) -> tuple[float, bool]:
        """How many seconds of the open sentence's audio are queued, and whether its end is, too."""
        size = -self._offset
        for frame in self.frames:
            if type(frame) is AudioRaw:
                size += len(frame.data)
            elif isinstance(frame, Mark | LLMEnd):
                return size / self.format.byte_rate, True
        return size / self.format.byte_rate, False

    def _wake(self) -> None:
        self._timer = None
        self._settle(self.ledger.elapse(self.loop.time(), self._grace))
        self._pump()

    @property
    def _grace(self) -> float:
        return ECHO_GRACE if self.sink.echoes else 0.0

    def _settle(self, played: list[Cue]) -> None:
        for cue in played:
            if cue.sentence is not None:
                self.on_played(cue.sentence.mark)
        if played:
            self._schedule()
            self._changed()

    def _schedule(self) -> None:
        """Set the one timer to the next thing that time brings."""
        times = []
        if self.frames:
            lead = 0.0 if type(self.frames[0]) is End else LEAD
            times.append(self.ledger.play_end - lead)
        if self.ledger.cues:
            times.append(self.ledger.cues[0].at + self._grace)
        self._cancel_timer()
        if times:
            self._timer = self.loop.call_at(min(times), self._wake)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _changed(self) -> None:
        changes, self._changes = self._changes, []
        for change in changes:
            if not change.done():
                change.set_result(None)
