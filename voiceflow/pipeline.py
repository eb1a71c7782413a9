"""How processors are put together: `a | b | c` in a row, `Parallel(a, b)` beside each other.

Only structure: what flows where, and in which audio format, is worked out at link time (plan.py).
"""

from __future__ import annotations

from collections.abc import Callable

from .errors import LinkError
from .processor import Processor
from .signature import Signature


class Pipeline(Processor):
    """Processors in a row. Itself a processor; a pipeline within a pipeline is flattened."""

    def __init__(self, *elements: Processor | Callable[[], Processor]) -> None:
        self.elements: tuple[Processor, ...] = tuple(
            part
            for element in map(_instance, elements)
            for part in (element.elements if isinstance(element, Pipeline) else (element,))
        )

    @property
    def signature(self) -> Signature:
        raise TypeError("a pipeline has no single type: it is linked element by element")

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.elements))


class Parallel(Processor):
    """Branches beside each other: each gets every frame, and what they yield is merged.

    The copies of a frame that several branches pass by untouched leave once, after the last of them.
    """

    def __init__(self, *branches: Processor | Callable[[], Processor]) -> None:
        if not branches:
            raise LinkError("Parallel() has no branches: give it processors or pipelines")
        self.branches: tuple[Pipeline, ...] = tuple(Pipeline(branch) for branch in branches)
        if not all(branch.elements for branch in self.branches):
            raise LinkError("a branch of Parallel(...) is empty: leave it out, or give it a processor")

    @property
    def signature(self) -> Signature:
        raise TypeError("Parallel has no single type: it is linked branch by branch")

    def __repr__(self) -> str:
        return f"Parallel({', '.join(map(repr, self.branches))})"


def _instance(element: object) -> Processor:
    """A processor as it is; a processor class or @processor function that needs no arguments is called."""
    if isinstance(element, Processor):
        return element
    if isinstance(element, type) and issubclass(element, Processor):
        try:
            return element()
        except TypeError as error:
            raise LinkError(f"{element.__name__} needs arguments: write {element.__name__}(...) ({error})") from error
    hint = ": decorate it with @processor" if callable(element) else ""
    raise LinkError(f"a pipeline is made of processors, not of {element!r}{hint}")
