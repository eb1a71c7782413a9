"""The running parts of one call, as the wiring has made them of its plan."""

from __future__ import annotations

from .fork import Junction
from .node import ProcessorNode
from .source_reader import SourceReader
from .worker import Worker


class Graph:
    """What runs, and what it is about. Filled by the wiring; keeps no state of its own."""

    def __init__(self) -> None:
        self.places: list[ProcessorNode] = []
        """Every processor but the two ends, upstream before downstream."""
        self.workers: list[Worker] = []
        self.junctions: list[Junction] = []
        self.intake: SourceReader

    @property
    def recognising(self) -> bool:
        """Whether anything that the caller did is still on its way to the speaker."""
        return any(worker.busy for worker in self.workers if not worker.place.step.speech)

    @property
    def synthesising(self) -> bool:
        """Whether anything that the agent says is still on its way to the sink."""
        return any(worker.speaking for worker in self.workers if not worker.place.step.speaker)

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
        """Whether what the agent says has to wait for a processor on its way to the sink."""
        return any(worker.inbox.full for worker in self.workers if worker.place.step.speech)

    @property
    def at_work(self) -> list[str]:
        """The processors that are at work at this moment, by name."""
        return [worker.place.processor.name for worker in self.workers if worker.work.running]
