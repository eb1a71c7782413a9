"""Judges a call from a recording: whether it failed, whether a processor hung, and whether the caller was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voiceflow.frames import DTMF, AudioRaw, Error, Frame, Transcript
from voiceflow.processor import Processor

from .audio_comparison import QUIET
from .hanging import Hanging

if TYPE_CHECKING:
    import asyncio

    from voiceflow.call import Call
    from voiceflow.call_limits import Ended
    from voiceflow.pipeline import Element
    from voiceflow.reply import Reply


class VerdictTurn:
    """The replies and the errors that followed one utterance or key of the caller."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.errors: list[Error] = []

    @property
    def answered(self) -> bool:
        return any(reply.seconds > 0 or reply.heard for reply in self.replies)


class Verdict:
    """Watches a call, and says at its end what was wrong with it."""

    def __init__(self, call: Call, said: AudioRaw) -> None:
        """`call` must not run yet; `said` is what the caller will say."""
        self._call = call
        self._said = said
        self._before = VerdictTurn()
        """The replies and errors before the caller had said anything that was understood."""
        self._turns: list[VerdictTurn] = []
        self._errors: list[Error] = []
        self._hanging: Hanging | None = None
        call.on_heard(self._heard)
        call.on_reply(lambda reply: self._turn.replies.append(reply))

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch. Must be called as soon as the call runs."""
        self._hanging = Hanging(self._call, loop)
        self._call.observe(self._observe)

    def problem(self, ended: Ended) -> str | None:
        """Why the call was no success; None if it was one."""
        if ended.error is not None:
            return f"the call failed: {ended.error}"
        if self._hanging is not None and (hanging := self._hanging.found):
            return hanging
        if any(turn.answered and not turn.errors for turn in self._turns):
            return None
        if self._errors:
            first = self._errors[0]
            name = f"{first.processor}: " if first.processor and first.processor not in first.message else ""
            return f"nothing but errors came of what the caller said: {name}{first.message}"
        return None if self._was_answered else "the caller was never answered"

    @property
    def _turn(self) -> VerdictTurn:
        return self._turns[-1] if self._turns else self._before

    @property
    def _was_answered(self) -> bool:
        """Whether the caller was answered, or needed no answer: a pipeline without a speaker of its own only listens,
        or echoes."""
        if self._call.is_echo or any(turn.answered for turn in self._turns):
            return True
        speaker = next(e for e in self._call.elements if isinstance(e, Processor) and e.is_speaker)
        if speaker.signature.takes(AudioRaw):  # it answers audio, whether or not a transcript comes of that
            return self._before.answered or _is_quiet(self._said)
        return not self._turns

    def _heard(self, frame: Frame) -> None:
        if isinstance(frame, DTMF) or (isinstance(frame, Transcript) and frame.final and frame.text):
            self._turns.append(VerdictTurn())

    def _observe(self, upstream: Element, downstream: Element, frame: Frame) -> None:
        if isinstance(frame, Error) and not any(frame is known for known in self._errors):  # seen at each boundary
            self._errors.append(frame)
            self._turn.errors.append(frame)


def _is_quiet(audio: AudioRaw) -> bool:
    return bool(np.abs(audio.samples.astype(np.int32)).max(initial=0) < QUIET)
