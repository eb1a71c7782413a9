"""After an interruption without words - a cough, a hum, a dropped object - or with nothing but backchannels, the agent
goes on where it stopped: it says what had been made of its answer, and the model is asked for the rest."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from voiceflow.backchannels import Phrases, words
from voiceflow.frames import Frame, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors.resume_reply import ResumeReply

if TYPE_CHECKING:
    from voiceflow.call import Call
    from voiceflow.reply import Reply

GRACE: Final = 0.5
"""Seconds after the end of the sound in which a transcript of it may still come."""
KEPT: Final = 8
"""How many utterances are remembered until their transcripts come."""
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…。？！؟])\s+|\n+")
_QUESTION: Final = re.compile(r"[?？؟;][\W_]*$")  # ; is the Greek one


class SaidOver(NamedTuple):
    """Something the caller said while replies were being heard, or after an interruption that may turn out to be
    none."""

    begin: float
    """In seconds since the call began."""
    heard: dict[Reply, str]
    """Those replies, and the sentences that had been heard of them."""


class Resumption:
    """Remembers which replies were interrupted, and says the rest of them if no words of the caller follow.

    A transcript of nothing but backchannels is no turn if it was said while a reply was heard, or after an interruption
    by such sounds alone; unless it answers a question: the reply, or `call.ask`, had come to its last words.
    """

    def __init__(self, call: Call, emit: Callable[[Frame], None], ignored: Phrases) -> None:
        self._call = call
        self._emit = emit
        self._ignored = ignored
        self._replies: list[Reply] = []
        self._cut: list[Reply] = []
        self._utterances: deque[SaidOver] = deque(maxlen=KEPT)
        self._speaks = False
        self._wordless = False  # whether the sound is known to have been no turn
        call.on_reply(self._begin)
        call.on_heard(self._hear)
        call.disregard(self._is_backchannel)

    def detected(self, frame: SpeechStarted | SpeechStopped) -> None:
        """Record that the caller begins or stops to speak: this is known before `interrupted`."""
        self._speaks = isinstance(frame, SpeechStarted)
        if isinstance(frame, SpeechStarted):
            over = self._under_way if self._call.replying else self._cut
            self._utterances.append(SaidOver(self._call.elapsed - frame.lead, {r: r.heard for r in over}))

    def interrupted(self) -> None:
        """Record that the caller interrupts now."""
        self._cut = self._under_way
        self._wordless = False

    def _begin(self, reply: Reply) -> None:
        self._replies = [*self._under_way, reply]

    @property
    def _under_way(self) -> list[Reply]:
        """The replies that are neither heard to their end nor interrupted."""
        return [reply for reply in self._replies if not reply.done.done()]

    def _hear(self, frame: Frame) -> None:
        match frame:
            case Transcript(final=True) if frame.text:
                self._cut = []
            case SpeechStopped() if self._cut:
                self._call.start(self._resume, "Resumption")

    async def _resume(self) -> None:
        if not self._wordless:
            await asyncio.sleep(GRACE)
        if self._speaks:
            return  # what the caller says now decides
        cut, self._cut = [reply for reply in self._cut if reply.interrupted], []
        if self._call.replying:
            return
        rest = " ".join(filter(None, (unheard(reply.text, reply.heard) for reply in cut)))
        saying = asyncio.ensure_future(self._call.say(rest)) if rest else None
        await asyncio.sleep(0)  # it has its place, which is before that of what the model adds
        if any(reply.answers and not reply.complete for reply in cut):
            self._emit(ResumeReply())
        if saying is not None:
            await saying

    # Backchannels

    def _is_backchannel(self, transcript: Transcript) -> bool:
        """Whether `transcript` is nothing but backchannels, said while a reply was heard, and answers no question."""
        heard = self._heard_during(transcript.start)
        if not heard or self._ignored.count(transcript.text):
            return False
        awaited = self._call.awaiting_caller
        if all(at_question(reply, sentences, awaited=awaited) for reply, sentences in heard.items()):
            return False
        self._wordless = True
        return True

    def _heard_during(self, start: float) -> dict[Reply, str]:
        """The replies over which the utterance was said that began at `start`, in seconds since the call began; 0 if
        that is not known."""
        known = self._utterances
        if not known:
            return {}
        nearest = min(known, key=lambda utterance: abs(utterance.begin - start)) if start else known[-1]
        while known[0] is not nearest:
            known.popleft()
        return nearest.heard


def at_question(reply: Reply, sentences: str, *, awaited: bool) -> bool:
    """Whether the caller knew what `reply` asks them when they began to speak: its last sentence was being heard, and
    at least half of it where they have cut it. `sentences` had been heard by then; `awaited` says that code waits for
    an answer, so that it need not look like a question."""
    text = reply.text.strip()
    question = _SENTENCE_END.split(text)[-1]
    if not reply.complete or not (awaited or _QUESTION.search(question)):
        return False
    left = len(words(unheard(text, reply.heard if reply.interrupted else sentences)))
    return left <= len(words(question)) // (2 if reply.interrupted else 1)


def unheard(text: str, heard: str) -> str:
    """The part of `text` after the words of `heard`. Words are counted, not compared: `heard` has no markup."""
    words = [word for word in re.finditer(r"\S+", text) if any(map(str.isalnum, word[0]))]
    count = sum(any(map(str.isalnum, word)) for word in heard.split())
    return text[words[count].start() :].strip() if count < len(words) else ""
