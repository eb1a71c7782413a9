"""Interruption: what `Clear` does.

It is not a frame in a queue but a function call that runs to completion; no frame moves while it does. First
the runtime alone makes everything said so far void, which cannot fail. Then the processors of the speech side
are told, from the sink up to the speaker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voiceflow.frames import Clear, Frame, Mark
from voiceflow.linking.plan import Fork, Step

if TYPE_CHECKING:
    from .runtime import Runtime


class Interruption:
    """The speech side of a call, as far as it can be interrupted."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._clearing = False

    def clear(self) -> None:
        """Drop everything the agent has not yet said. Does nothing when there is nothing to drop, or when
        called by what a `Clear` called: that is one and the same."""
        if self._clearing or self._runtime.tasks.stopping or not self._anything_said():
            return
        self._clearing = True
        try:
            self._flush()
        finally:
            self._clearing = False

    def played(self, mark: Mark) -> None:
        """A sentence has been heard: tell whoever said it."""
        self._ascend(self._runtime.plan.steps, mark)

    def _anything_said(self) -> bool:
        runtime = self._runtime
        return not runtime.playout.at_rest or any(w.speaking for w in runtime.workers if w.step.speech)

    def _flush(self) -> None:
        runtime = self._runtime
        runtime.epoch += 1
        for worker in reversed(runtime.workers):
            if worker.step.speech:
                worker.interrupt()
        for junction in runtime.wiring.junctions.values():
            junction.clear()
        for voice in runtime.wiring.voices.values():
            voice.clear()
        cleared = runtime.playout.clear()
        # From here on others' code runs. What raises ends the call, but the rest are still told.
        for mark in cleared.played:
            self.played(mark)
        for step in reversed(list(runtime.plan.walk())):
            if step.speech:
                runtime.reset(step.processor)
        self._ascend(runtime.plan.steps, Clear(cleared.heard, cleared.seconds))

    def _ascend(self, steps: Sequence[Step | Fork], frame: Frame | None) -> Frame | None:
        """Hand `frame` from processor to processor, up to the speaker, until one absorbs it."""
        for step in reversed(steps):
            if frame is None:
                break
            if isinstance(step, Fork):
                answers = [self._ascend(branch, frame) for branch in reversed(step.branches)]
                frame = next((answer for answer in answers if answer is not None), None)
            elif step.speech:
                try:
                    frame = step.processor.upstream(frame)
                except Exception as error:
                    self._runtime.fail(step.processor, error)
        return frame
