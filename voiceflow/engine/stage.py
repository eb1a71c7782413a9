"""Fused stages: synchronous processors compiled into the task of their upstream neighbour.

Each becomes one closure that takes a frame and calls the next closure for what comes of it, depth first. No
queue, no task, no allocation per frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from voiceflow.frames import Frame
from voiceflow.linking.plan import Step
from voiceflow.signature import Kind

from .dispatch import CONTROL, FINISH, PROCESS_AUDIO, SPEECH, Inlet, Outlet, may_be_cut

if TYPE_CHECKING:
    from .runtime import Runtime

Deliver = Callable[[Frame], None]
"""Hands a frame to what stands downstream, at once. Never raises."""


def fuse(step: Step, deliver: Deliver, runtime: Runtime) -> Deliver:
    """The closure that runs `step` and then `deliver`."""
    processor = step.processor
    process, accepts = processor.process, processor.accepts
    inlet, outlet = Inlet(processor), Outlet(processor)
    one = processor.signature.kind is Kind.FUNCTION

    def stage(frame: Frame) -> None:
        way = inlet[type(frame)]
        if not way:
            return deliver(frame)
        if way == FINISH:
            return finish(frame)
        try:
            if way == PROCESS_AUDIO and frame.format is not accepts:  # type: ignore[attr-defined]
                converted = runtime.adapt(step, frame)
                if converted is None:
                    return None
                frame = converted
            out = process(frame)
            if out is None:
                return None
            if not one:
                drain(step, out, outlet, deliver, runtime)
            elif outlet[type(out)] < CONTROL:
                deliver(out)
            else:
                runtime.control(out)
        except Exception as error:
            runtime.fail(processor, error)
        return None

    def finish(end: Frame) -> None:
        try:
            drain(step, processor.finish(), outlet, deliver, runtime)
        except Exception as error:
            runtime.fail(processor, error)
        deliver(end)  # however that went, the stream ends

    return stage


def drain(
    step: Step, results: Iterable[Frame] | Frame | None, outlet: Outlet, deliver: Deliver, runtime: Runtime
) -> None:
    """Deliver what a generator yields. Interrupted by another, its further speech is dropped."""
    if results is None:
        return
    if isinstance(results, Frame):
        results = (results,)
    processor = step.processor
    token = runtime.epoch
    interrupted = False
    iterator = iter(results)
    for out in iterator:
        kind = outlet[type(out)]
        if kind == CONTROL:
            runtime.control(out)
            token = runtime.epoch  # who interrupts goes on: what it yields next is new
        elif token == runtime.epoch or kind != SPEECH or not step.speech:
            deliver(out)
        if token != runtime.epoch and step.speech:
            interrupted = True
            if may_be_cut(processor):
                break
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
    if interrupted:
        runtime.reset(processor)  # it ran on after the reset that came with the Clear
