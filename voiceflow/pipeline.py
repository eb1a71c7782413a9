"""How processors are put together: `a | b` in a row, `Parallel(a, b)` beside each other.

This is structure only: what flows where, and in which audio format, is worked out when the pipeline is linked.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator

from .errors import LinkError


class Element:
    """What may stand in a pipeline: a processor, processors in a row, or branches beside each other."""

    @property
    def name(self) -> str:
        """What logs, plans and errors call this element."""
        return type(self).__name__

    def parts(self) -> Iterable[Element]:
        """The elements that stand in the pipeline for this one: by default itself. A processor that needs others beside
        it, such as a voice with the stages that prepare its text, returns them all, including itself. Called when the
        pipeline is linked."""
        return (self,)

    def __or__(self, other: Element | Callable[[], Element]) -> Pipeline:
        return Pipeline(self, other)

    def __ror__(self, other: Callable[[], Element]) -> Pipeline:
        return Pipeline(other, self)


class Pipeline(Element):
    """Elements in a row. A pipeline within a pipeline is flattened."""

    def __init__(self, *elements: Element | Callable[[], Element]) -> None:
        self.elements: tuple[Element, ...] = tuple(
            part
            for element in map(_instance, elements)
            for part in (element.elements if isinstance(element, Pipeline) else (element,))
        )

    def parts(self) -> Iterator[Element]:
        for element in self.elements:
            yield from _expanded(element)

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.elements))


class Parallel(Element):
    """Branches beside each other: each gets every frame, and what they yield is merged.

    An empty branch, `Pipeline()`, passes every frame on.
    A frame that several branches pass on untouched leaves once, after the last of them.
    """

    def __init__(self, *branches: Element | Callable[[], Element]) -> None:
        if not branches:
            raise LinkError("Parallel() has no branches: give it processors or pipelines")
        self.branches: tuple[Pipeline, ...] = tuple(Pipeline(branch) for branch in branches)

    def __repr__(self) -> str:
        return f"Parallel({', '.join(map(repr, self.branches))})"


def _expanded(element: Element) -> Iterator[Element]:
    for part in element.parts():
        if part is element:
            yield part
        else:
            yield from _expanded(part)


def _instance(element: object) -> Element:
    """Return an element as it is; call an element class or a @processor function, which must need no arguments."""
    if isinstance(element, Element):
        return element
    if isinstance(element, type) and issubclass(element, Element):
        try:
            return element()
        except TypeError as error:
            raise LinkError(f"{element.__name__} needs arguments: write {element.__name__}(...) ({error})") from error
    if isinstance(element, types.UnionType):  # Python's own meaning of A | B, for classes
        made = " | ".join(f"{getattr(part, '__name__', part)}()" for part in element.__args__)
        raise LinkError(f"{element} joins classes, which is a type and not a pipeline: write {made}")
    hint = ": decorate it with @processor" if callable(element) else ""
    raise LinkError(f"a pipeline is made of processors, not of {element!r}{hint}")
