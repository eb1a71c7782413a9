"""What a speaker says, and what `call.say` and `call.play` add to it, made into replies.

One reply is on the air at a time. Replies that come meanwhile, or while the caller speaks, wait in line with their
frames, where an interruption finds and drops them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from voiceflow.annotations import Signature
from voiceflow.frameflow.dispatch import ANYTHING, outgoing
from voiceflow.frameflow.epoch import Epoch, Port, Work, nowhere
from voiceflow.frameflow.link import Link
from voiceflow.frames import AudioRaw, Frame, LLMEnd, LLMText, Transcript
from voiceflow.playout.ledger import ReplyBegin, ReplyEnd
from voiceflow.playout.playout import Playout
from voiceflow.reply import Reply

from .end_of_turn import Floor


class Saying(Work):
    """The work of saying one reply: while it is on the air, frames are delivered at once; before, they are held."""

    __slots__ = ("complete", "held", "on_air", "reply")

    def __init__(self, port: Port, reply: Reply) -> None:
        super().__init__(port)
        self.reply = reply
        self.held: deque[Frame] = deque()
        self.on_air = False
        """Whether the reply has begun to be said."""
        self.complete = False
        """Whether nothing more will be added to the reply."""

    @property
    def is_over(self) -> bool:
        """Whether anything that is added now would not be heard."""
        return self.complete or self.reply.done.done()


class Joined(Saying):
    """A part of the reply that the speaker is making: what is added to it is said as if the speaker had yielded it."""

    __slots__ = ()


class Replies:
    """The replies of one speaker: the one it is making, and those in line."""

    def __init__(
        self,
        speaker: Signature,
        epoch: Epoch,
        floor: Floor,
        playout: Playout,
        announce: Callable[[Reply], None],
        expect: Callable[[], None],
    ) -> None:
        self.port = Port(outgoing(ANYTHING, speech_side=True), epoch, nowhere)
        """The port by which the frames of replies leave."""
        self._floor = floor
        self._playout = playout
        self._announce = announce
        self._expect = expect
        self._own: Saying | None = None  # what the speaker itself is making
        self._line: list[Saying] = []  # never long: a deque takes more memory
        self._muted = False
        self._answers_turns = not speaker.takes(AudioRaw) and speaker.takes(Transcript)
        # A speech-to-speech model is given audio piece by piece and says itself where a reply ends.
        self._reply_is_work = not (speaker.takes(AudioRaw) and LLMEnd in speaker.yields)

    # The speaker's own

    async def ready(self, inbox: Link) -> None:
        """Wait until the oldest frame in `inbox` may be worked on: a final transcript waits there until the caller has
        finished their turn."""
        if self._answers_turns and self._floor.taken and _is_final(inbox.frames[0]):
            await self._floor.free()

    def gather(self, frame: Frame, inbox: Link) -> Frame:
        """Return `frame` joined with the final transcripts queued behind it: one turn, which gets one reply."""
        if not (self._answers_turns and _is_final(frame)):
            return frame
        gathered = [frame, *inbox.remove(_is_final)]
        return _joined([f for f in gathered if isinstance(f, Transcript)]) if len(gathered) > 1 else frame

    def work_begins(self) -> None:
        """Give the speaker's reply its place now, though its first word may be a long time off."""
        if self._reply_is_work and self._own is None and not self._muted:
            self._own = Saying(self.port, self._new_reply())
            self._own.reply.answers = True
        self._expect()

    def work_ended(self) -> None:
        own = self._own
        if own is None or not self._reply_is_work:
            return
        if own.on_air or own.held:
            self.take(LLMEnd())
        else:
            self._own = None
            self._playout.withdraw(own.reply)

    def take(self, frame: Frame) -> None:
        """Take a frame that the speaker yields: speech becomes part of its reply, the rest goes downstream."""
        if not type(frame).speech:
            self.port.deliver(frame)
        elif not self._muted:
            own = self._own
            if own is None:
                if type(frame) is LLMEnd:  # of a reply in which nothing was said
                    self.port.deliver(frame)
                    return
                own = self._own = Saying(self.port, self._new_reply())
            self.add(own, frame)

    # What `call.say` and `call.play` say

    def open(self, *, interruptible: bool = True) -> Saying:
        """Open a reply of its own, which has its place in line from now on. `add` frames to it, then `close` it."""
        saying = Saying(self.port, self._new_reply(interruptible=interruptible))
        if self._muted:
            self._playout.withdraw(saying.reply)
        else:
            self._line.append(saying)
        return saying

    def open_part(self, *, interruptible: bool = True) -> Saying:
        """Open a part of the reply that the speaker is making. `add` frames to it, then `close` it."""
        part = Joined(self.port, self._new_reply(interruptible=interruptible, part=True))
        if self._muted:
            self._playout.withdraw(part.reply)
        else:
            own = self._own
            if own is not None and own.reply.text and own.reply.text[-1] != "\n":
                self.take(LLMText("\n"))  # the text before ends its sentence here and does not run into the part
            self.take(ReplyBegin(part.reply, part=True))
        return part

    def close(self, saying: Saying) -> None:
        """Complete `saying`: nothing more is added to it."""
        if isinstance(saying, Joined):
            saying.complete = True
            self.take(ReplyEnd(saying.reply))
        elif saying.on_air or saying.held:
            self.add(saying, LLMEnd())
        elif not saying.reply.done.done():
            self._line.remove(saying)
            self._playout.withdraw(saying.reply)
            self.advance()

    def add(self, saying: Saying, frame: Frame) -> None:
        """Say `frame` as a part of `saying`."""
        if self._muted or saying.reply.done.done():
            return
        if isinstance(saying, Joined):
            self.take(frame)
            return
        if isinstance(frame, LLMText):
            saying.reply.text += frame.text
        if type(frame) is LLMEnd:
            saying.complete = saying.reply.complete = True
            if saying is self._own:
                self._own = None
        if saying.on_air and not saying.held:
            saying.emit(frame)
        else:
            saying.held.append(frame)
            if saying not in self._line:
                self._line.append(saying)
        self.advance()

    def unsay(self, saying: Saying) -> None:
        """Withdraw `saying`, or complete it with what was added if it has begun to be said."""
        waits = saying in self._line and not saying.on_air
        if waits:
            saying.held.clear()
        if waits or not saying.is_over:
            self.close(saying)

    # The line

    @property
    def begun(self) -> bool:
        """Whether a reply is on the air."""
        return bool(self._line) and self._line[0].on_air

    @property
    def making(self) -> bool:
        """Whether an answer is being made, or waits, of which nothing has been said."""
        made = self._own is not None or any(saying.reply.answers for saying in self._line)
        return made and not self.begun

    @property
    def pending(self) -> bool:
        """Whether the caller speaks while an answer is being made, or waits, of which nothing has been said."""
        return self.making and self._floor.taken

    def advance(self) -> None:
        """Say what is first in line, as soon as the caller does not have the floor."""
        while self._line:
            saying = self._line[0]
            if not saying.on_air:
                if not saying.held:
                    return
                if self._floor.taken:
                    self._floor.want()
                    return
                saying.on_air = True
                saying.emit(ReplyBegin(saying.reply))
            while saying.held:
                saying.emit(saying.held.popleft())
            if not saying.complete:
                return
            if self._line and self._line[0] is saying:
                del self._line[0]

    # Ends

    def clear(self, *, goes_on: bool) -> None:
        """Drop all replies, which the ledger has already ended. The speaker's own reply `goes_on` if the speaker itself
        has interrupted."""
        own, self._own = self._own, None
        for saying in self._line:
            saying.held.clear()
            saying.complete = True
        self._line.clear()
        if goes_on and own is not None:
            own.reply.reopen()
            self._playout.ledger.replies.append(own.reply)
            self._own = Saying(self.port, own.reply)

    def mute(self) -> None:
        """Say nothing more. A reply that has begun ends with what was said so far; the others are withdrawn."""
        begun = self._line[0] if self.begun else None
        if begun is not None and not begun.complete:
            begun.emit(LLMEnd())
        for saying in (*self._line, self._own):
            if saying is not None and saying is not begun and not saying.reply.done.done():
                self._playout.withdraw(saying.reply)
        self.clear(goes_on=False)
        self._muted = True

    def _new_reply(self, *, interruptible: bool = True, part: bool = False) -> Reply:
        reply = Reply(interruptible=interruptible)
        self._playout.ledger.replies.append(reply)
        if not part:
            self._announce(reply)
        return reply


def _is_final(frame: Frame) -> bool:
    return isinstance(frame, Transcript) and frame.final


def _joined(transcripts: list[Transcript]) -> Transcript:
    last = transcripts[-1]
    return Transcript(
        " ".join(t.text for t in transcripts if t.text),
        language=last.language,
        no_speech_probability=min(t.no_speech_probability for t in transcripts),
        start=transcripts[0].start,
        end=last.end,
    )
