"""Interruption: what `Clear` does.

It is not a frame in a queue but a function call that runs to completion; no frame moves while it does. First
the engine alone makes everything said so far void, which cannot fail. Then the processors of the speech side
are told, from the sink up to the speaker.
"""

from __future__ import annotations

from collections.abc import Sequence

from voiceflow.frameflow.epoch import Epoch
from voiceflow.frames import Clear, Frame, Mark
from voiceflow.linking.plan import Fork, Step
from voiceflow.playout.playout import Playout
from voiceflow.turns.turn_taking import TurnTaking

from .failures import Failures
from .graph import Graph


class Interruption:
    """Carries out interruptions of one call, and tells its processors which sentences have been heard."""

    __slots__ = (
        "_clearing",
        "_epoch",
        "_failures",
        "_graph",
        "_playout",
        "_steps",
        "_turns",
    )

    def __init__(
        self,
        steps: Sequence[Step | Fork],
        epoch: Epoch,
        graph: Graph,
        turns: TurnTaking,
        playout: Playout,
        failures: Failures,
    ) -> None:
        self._steps = steps
        self._epoch = epoch
        self._graph = graph
        self._turns = turns
        self._playout = playout
        self._failures = failures
        self._clearing = False

    def clear(self, *, by_code: bool = False) -> None:
        """Drop everything the agent has not yet said: a processor yielded a `Clear`, or, `by_code`, code has called
        `call.clear`. Does nothing when there is nothing to drop, or while another `Clear` is being carried out.
        """
        if self._clearing or self._failures.closed or (self._playout.at_rest and not self._graph.speaking):
            return
        self._clearing = True
        try:
            self._flush(by_code)
        finally:
            self._clearing = False

    def played(self, mark: Mark) -> None:
        """Tell the processors of the speech side that the sentence of `mark` has been heard."""
        self._ascend(self._steps, mark)

    def _flush(self, by_code: bool) -> None:
        self._epoch.number += 1
        by = None
        for worker in reversed(self._graph.workers):
            if worker.node.step.speech and worker.interrupt(by_code=by_code):
                by = worker.node.replies or by
        for junction in self._graph.junctions:
            junction.clear()
        cleared = self._playout.clear()
        self._turns.interrupted(by=by)
        # From here on the processors' own code runs. One that raises ends the call; the others are still told.
        for mark in cleared.played:
            self.played(mark)
        for node in reversed(self._graph.nodes):
            if node.step.speech:
                node.reset()
        self._ascend(self._steps, Clear(cleared.heard, cleared.seconds))

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
                except BaseException as error:
                    self._failures.fail(step.processor.name, error)
        return frame
