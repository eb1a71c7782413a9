"""The way from the pipeline to the caller's ear: the sink's queue, its pacing, its ledger.

There is no task here. A frame that is put is written at once if it is due; otherwise one timer waits for it.
So a sink costs nothing between frames, and an interruption finds everything that was not sent in one place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voiceflow.frameflow.link import Link
from voiceflow.frameflow.notifier import Notifier
from voiceflow.frames import AudioRaw, End, Frame, LLMEnd, Mark
from voiceflow.reply import Reply

from .feed import LEAD, Exit, Feed, Listeners
from .ledger import EPSILON, Cleared, Cue, Ledger, ReplyBegin, ReplyEnd

LINGER = 1.0
"""Seconds by which new audio may delay an end, after the speech that was queued when it was asked for: what never
stops, such as an echo, cannot keep a call alive."""
ECHO_GRACE = 2.0
"""A mark that the peer does not return counts as played so many seconds after it should have been."""


class Playout:
    """Queues what comes to the sink, writes it when due. Reports heard sentences, the stream's end, a failed sink."""

    __slots__ = (
        "_closed",
        "_feed",
        "_loop",
        "_on_end",
        "_on_error",
        "_on_played",
        "_timer",
        "_writing",
        "change",
        "exit",
        "ledger",
        "queue",
    )

    def __init__(
        self,
        exit: Exit,
        on_played: Callable[[Mark], None],
        on_end: Callable[[], None],
        on_error: Callable[[BaseException], None],
        *,
        listeners: Listeners,
        change: Notifier,
    ) -> None:
        self.exit = exit
        self.queue = Link(exit.accepts)
        self.ledger = Ledger()
        self.change = change
        self._feed = Feed(exit, self.ledger, self.queue, listeners)
        self.queue.on_drop = self._feed.dropped
        self._loop = asyncio.get_running_loop()
        self._on_played = on_played
        self._on_end = on_end
        self._on_error = on_error
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._writing = False

    @property
    def speaking(self) -> bool:
        """Whether the caller is hearing the agent now."""
        return self.ledger.play_end > self._loop.time()

    @property
    def pending(self) -> bool:
        """Whether anything is queued, or waits to be confirmed."""
        return bool(self.queue.frames or self.ledger.replies or self.ledger.cues)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is being said, queued, or waiting to be confirmed."""
        return not (self.pending or self.speaking)

    @property
    def queued(self) -> float:
        """Seconds of audio that wait to be written."""
        return self.queue.audio / self.exit.accepts.byte_rate

    @property
    def left(self) -> float:
        """Seconds until all that has come so far has been heard."""
        return max(0.0, self.ledger.play_end - self._loop.time()) + self.queued

    async def rest(self, patience: float, also: Callable[[], bool] | None = None) -> bool:
        """Wait until nothing is playing and nothing is pending, by `also` if given, else by `pending`. False if nothing
        was heard for `patience` seconds and something is still pending."""
        pending = also or (lambda: self.pending)
        while pending() or self.speaking:
            wait = max(0.0, self.ledger.play_end - self._loop.time())
            missing = pending()
            changed = await self.change.wait(wait + patience if missing else wait)
            if not changed and missing and not self.speaking:
                return False
        return True

    def put(self, frame: Frame) -> None:
        if self._closed:
            return
        if not type(frame).speech and type(frame) is not End:
            self._guarded(self.exit.notify, frame)
        elif not self._write_at_once(frame):
            self.queue.put(frame)
            self._pump()

    def insert(self, line: AudioRaw) -> None:
        """Play `line`, a hold line, which is no part of what the agent says."""
        self.ledger.insert(line.duration)
        self.put(line)

    def echo(self, name: str) -> None:
        """The peer returned the mark `name`."""
        self._settle(self.ledger.echo(name))

    def clear(self) -> Cleared:
        """Drop what has not been heard, and make the peer drop it."""
        queued, closed = self._open_sentence()
        self.queue.flush()
        self._feed.forget()
        now, recallable = self._loop.time(), self.exit.recallable()
        if recallable is not None:
            self.ledger.play_end = now + recallable
        cleared = self.ledger.clear(now, queued, closed=closed)
        self._guarded(self.exit.write_clear)
        self._schedule()
        self.change.tell()
        return cleared

    def close(self) -> None:
        """The call is over: no timer is left, every reply is done, nothing more is written."""
        self._closed = True
        queued, closed = self._open_sentence()
        self.ledger.clear(self._loop.time(), queued, closed=closed)
        self.queue.remove(lambda frame: True)
        self._cancel_timer()
        self.change.tell()

    def withdraw(self, reply: Reply) -> None:
        """End a reply in which nothing was said."""
        self.ledger.replies.remove(reply)
        reply.finish(0.0)
        self.change.tell()

    def _write_at_once(self, frame: Frame) -> bool:
        """Write audio past the queue if it is due now, as an echo's always is. False if it must be queued."""
        if type(frame) is not AudioRaw or self.queue.frames or self._writing:
            return False
        now = self._loop.time()
        if not 0 < len(frame.data) <= self._feed.room(now):
            return False
        self._writing = True
        self._guarded(self._feed.write, frame.data, now)
        self._writing = False
        if self.queue.frames:  # put there from within the sink's write
            self._pump()
        return True

    def _pump(self) -> None:
        """Write what is due."""
        if self._writing:  # called from within a sink's write: the outer loop goes on
            return
        self._writing = True
        self._guarded(self._write_all)
        self._writing = False
        self._schedule()

    def _write_all(self) -> None:
        while self.queue.frames and self._write_next():
            pass

    def _guarded(self, act: Callable[..., None], *args: object) -> None:
        """Call a method of the sink. If it raises, that ends the call and does not disturb the code that spoke."""
        try:
            act(*args)
        except BaseException as error:
            self._on_error(error)

    def _write_next(self) -> bool:
        """Write one piece or one mark; False if the oldest frame is not due."""
        now, ledger, feed = self._loop.time(), self.ledger, self._feed
        frame = self.queue.frames[0]
        match frame:
            case AudioRaw():
                room = feed.room(now)
                if not room:
                    return False
                piece = feed.piece(room)
                if piece:
                    feed.write(piece, now)
            case End():
                if ledger.play_end > now + EPSILON:
                    return False
                self.queue.pop()
                self._on_end()
            case _:
                self.queue.pop()
                self._note(frame)
        self.change.tell()
        return True

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
        if cue is not None and self.exit.echoes:
            self.exit.write_mark(cue.name)

    def _open_sentence(self) -> tuple[float, bool]:
        """How many seconds of the open sentence's audio are queued, and whether its end is queued too."""
        size, rate = -self._feed.offset, self._feed.format.byte_rate
        for frame in self.queue.frames:
            if type(frame) is AudioRaw:
                size += len(frame.data)
            elif isinstance(frame, Mark | LLMEnd):
                return size / rate, True
        return size / rate, False

    def _wake(self) -> None:
        self._timer = None
        self._settle(self.ledger.elapse(self._loop.time(), self._grace))
        self._pump()

    @property
    def _grace(self) -> float:
        return ECHO_GRACE if self.exit.echoes else 0.0

    def _settle(self, played: list[Cue]) -> None:
        for cue in played:
            if cue.sentence is not None:
                self._on_played(cue.sentence.mark)
        if played:
            self._schedule()
            self.change.tell()

    def _schedule(self) -> None:
        """Set the one timer to when the next frame or cue is due."""
        times = []
        if self.queue.frames:
            lead = 0.0 if type(self.queue.frames[0]) is End else LEAD
            times.append(self.ledger.play_end - lead)
        if self.ledger.cues:
            times.append(self.ledger.cues[0].at + self._grace)
        self._cancel_timer()
        if times:
            self._timer = self._loop.call_at(min(times), self._wake)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
