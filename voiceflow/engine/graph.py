"""The running parts of one call, which the wiring makes from its plan."""

from __future__ import annotations

from .fork import Junction
from .node import ProcessorNode
from .source_reader import SourceReader
from .worker import Worker


class Graph:
    """The parts of one call, and what they are doing at the moment. Filled by the wiring; keeps no other state."""

    def __init__(self) -> None:
        self.nodes: list[ProcessorNode] = []
        """Every processor, upstream before downstream, the source and the sink included."""
        self.workers: list[Worker] = []
        self.junctions: list[Junction] = []
        self.source_reader: SourceReader

    @property
    def recognising(self) -> bool:
        """Whether anything that the caller did is still on its way to the speaker."""
        return any(worker.busy for worker in self.workers if not worker.node.step.speech)

    @property
    def synthesising(self) -> bool:
        """Whether anything that the agent says is still on its way to the sink."""
        return any(worker.speaking for worker in self.workers if not worker.node.step.speaker)

    @property
    def working(self) -> bool:
        """Whether any processor is at work, or has work waiting."""
        return any(worker.busy for worker in self.workers)

    @property
    def speaking(self) -> bool:
        """Whether a `Clear` would find anything to drop or to cut short."""
        return any(worker.speaking for worker in self.workers)

    @property
    def congested(self) -> bool:
        """Whether a link on the speech side is full, so that what the agent says next has to wait."""
        return any(worker.inbox.full for worker in self.workers if worker.node.step.speech)

    @property
    def at_work(self) -> list[str]:
        """The names of the processors that are at work at this moment."""
        return [worker.node.processor.name for worker in self.workers if worker.work.running]
