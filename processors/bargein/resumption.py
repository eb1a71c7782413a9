"""After an interruption without words - a cough, a hum, a dropped object - the agent goes on where it stopped: it says
what had been made of its answer, and the model is asked for the rest."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from voiceflow.frames import Frame, SpeechStopped, Transcript
from voiceflow.processors.resume_reply import ResumeReply

if TYPE_CHECKING:
    from voiceflow.call import Call
    from voiceflow.reply import Reply

GRACE: Final = 0.5
"""Seconds after the end of the sound in which a transcript of it may still come."""


class Resumption:
    """Remembers which replies were interrupted, and says the rest of them if no words of the caller follow."""

    def __init__(self, call: Call, emit: Callable[[Frame], None]) -> None:
        self._call = call
        self._emit = emit
        self._replies: list[Reply] = []
        self._cut: list[Reply] = []
        call.on_reply(self._begin)
        call.on_heard(self._hear)

    def interrupted(self) -> None:
        """Record that the caller interrupts now."""
        self._cut = [reply for reply in self._replies if not reply.done.done()]

    def _begin(self, reply: Reply) -> None:
        self._replies = [*(known for known in self._replies if not known.done.done()), reply]

    def _hear(self, frame: Frame) -> None:
        match frame:
            case Transcript(final=True) if frame.text:
                self._cut = []
            case SpeechStopped() if self._cut:
                self._call.start(self._resume, "Resumption")

    async def _resume(self) -> None:
        await asyncio.sleep(GRACE)
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


def unheard(text: str, heard: str) -> str:
    """The part of `text` after the words of `heard`. Words are counted, not compared: `heard` has no markup."""
    words = [word for word in re.finditer(r"\S+", text) if any(map(str.isalnum, word[0]))]
    count = sum(any(map(str.isalnum, word)) for word in heard.split())
    return text[words[count].start() :].strip() if count < len(words) else ""
