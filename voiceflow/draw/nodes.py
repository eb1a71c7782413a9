"""The content that all pictures of a plan share: its steps in words, in rows, with branches beside each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voiceflow.frames import AudioRaw, Control, Frame
from voiceflow.linking.plan import Fork, Plan, Step
from voiceflow.processors.codec import steps as conversions

LISTENING, SPEECH = "listening side", "speech side"


@dataclass(frozen=True)
class Node:
    """One step, in words."""

    id: str
    name: str
    note: str
    arrives: str
    """What comes from above: audio formats and other frame types."""
    step: Step

    @property
    def side(self) -> str:
        return SPEECH if self.step.speech else LISTENING


@dataclass(frozen=True)
class Fan:
    """Branches: rows that are drawn beside each other."""

    rows: tuple[Row, ...]


Row = tuple[Node | Fan, ...]


@dataclass(frozen=True)
class _End:
    """The lower end of a row: the tasks that it runs in, and what comes out besides audio."""

    tasks: tuple[int, ...] = ()
    types: tuple[type[Frame], ...] = ()


class _Reader:
    """Reads a plan downstream; counts nodes and tasks on the way."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._tasks = itertools.count(1)

    def row(self, steps: Sequence[Step | Fork], end: _End) -> tuple[Row, _End]:
        row: list[Node | Fan] = []
        for step in steps:
            part, end = self.node(step, end) if isinstance(step, Step) else self.fan(step, end)
            row.append(part)
        return tuple(row), end

    def node(self, step: Step, above: _End) -> tuple[Node, _End]:
        signature = step.processor.signature
        tasks = above.tasks if step.fused else (next(self._tasks),)
        hidden = (AudioRaw, Control)  # audio is shown by its formats; `Clear` and `End` do not flow
        types = tuple(t for t in signature.yields if t is not Frame and not issubclass(t, hidden))
        if step.inserted:
            types += above.types  # a codec stage changes nothing but the audio
        arrives = [str(f) for f in step.formats] + [t.__name__ for t in above.types]
        node = Node(f"n{next(self._ids)}", step.processor.name, _note(step, tasks), ", ".join(arrives), step)
        return node, _End(tasks, types)

    def fan(self, fork: Fork, above: _End) -> tuple[Fan, _End]:
        rows, ends = zip(*(self.row(branch, above) for branch in fork.branches), strict=True)
        tasks = {task for end in ends for task in end.tasks}
        types = dict.fromkeys(t for end in ends for t in end.types)
        return Fan(rows), _End(tuple(sorted(tasks)), tuple(types))


def _note(step: Step, tasks: tuple[int, ...]) -> str:
    numbers = f"task{'s' if len(tasks) > 1 else ''} {', '.join(map(str, tasks))}"
    parts = ["speaker"] if step.speaker else []
    if step.inserted:
        chains = dict.fromkeys(", ".join(conversions(f, step.processor.produces)) for f in step.formats)
        parts += [f"codec: {' or '.join(chain for chain in chains if chain)}"]
    return " · ".join([f"in {numbers}" if step.fused else numbers, *parts])


def read(plan: Plan) -> Row:
    """The rows of a plan, upstream first."""
    return _Reader().row(plan.steps, _End())[0]


def nodes(row: Row) -> Iterator[Node]:
    """Every node of a row and its branches, upstream before downstream."""
    for part in row:
        if isinstance(part, Node):
            yield part
        else:
            for branch in part.rows:
                yield from nodes(branch)
