"""Fused stages: synchronous processors compiled into the task of their upstream neighbour.

Each becomes one closure that takes a frame and calls the next closure with each frame that it yields, depth first: no
queue, no task, no allocation per frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from voiceflow.annotations import Kind
from voiceflow.frameflow.dispatch import CONTROL, FINISH, PROCESS_AUDIO, incoming
from voiceflow.frameflow.epoch import Deliver, Work
from voiceflow.frames import Frame

from .node import ProcessorNode


def fuse(node: ProcessorNode) -> Deliver:
    """Return the closure that runs the processor of `node` and delivers what it yields through its port."""
    processor, port = node.processor, node.port
    process: Callable[[Frame], Any] = processor.process
    accepts, deliver, act = processor.accepts, port.deliver, port.act
    ways, kinds = incoming(processor.signature, accepts), port.kinds
    yields_one = processor.signature.kind is Kind.FUNCTION

    def stage(frame: Frame) -> None:
        way = ways[type(frame)]
        if not way:
            return deliver(frame)
        if way == FINISH:
            return finish(frame)
        try:
            if way == PROCESS_AUDIO and frame.format is not accepts:  # type: ignore[attr-defined]
                converted = node.adapt(frame)
                if converted is None:
                    return None
                frame = converted
            out = process(frame)
            if out is None:
                return None
            if not yields_one:
                drain(node, out)
            elif kinds[type(out)] < CONTROL:  # `Work.emit` inlined: what one call returns is never stale
                deliver(out)
            else:
                act(out)
        except BaseException as error:
            node.fail(error)
        return None

    def finish(end: Frame) -> None:
        try:
            drain(node, processor.finish())
        except BaseException as error:
            node.fail(error)
        deliver(end)  # even if `finish` failed: the stream ends

    return stage


def drain(node: ProcessorNode, results: Iterable[Frame] | Frame | None) -> None:
    """Deliver everything that a generator yields. Once another processor interrupts it, its speech is dropped."""
    if results is None:
        return
    iterator = iter((results,) if isinstance(results, Frame) else results)
    work = Work(node.port)
    work.emit_all(iterator)
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
    if node.step.speech and work.is_stale:
        node.reset()  # it has run on after the reset that the Clear brought
