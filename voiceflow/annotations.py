"""What a processor's `process` consumes and yields, read from its annotations.

The annotations are the processor's type: there is no registration, and so nothing else to keep in step with them.
"""

from __future__ import annotations

import collections.abc as abc
import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .frames import Control, Frame


class Kind(enum.Enum):
    """What kind of function `process` is, found by inspection."""

    FUNCTION = "function"
    GENERATOR = "generator"
    COROUTINE = "coroutine"
    ASYNC_GENERATOR = "async generator"

    @property
    def phrase(self) -> str:
        return f"{'an' if self is Kind.ASYNC_GENERATOR else 'a'} {self.value}"

    @property
    def is_async(self) -> bool:
        return self in (Kind.COROUTINE, Kind.ASYNC_GENERATOR)


_ITERATORS = (abc.Iterator, abc.Iterable, abc.Generator)
_ASYNC_ITERATORS = (abc.AsyncIterator, abc.AsyncIterable, abc.AsyncGenerator)


class Signature(msgspec.Struct, frozen=True):
    """The type of a processor: the frame types that its `process` consumes and yields."""

    kind: Kind
    consumes: tuple[type[Frame], ...]
    yields: tuple[type[Frame], ...]

    def takes(self, frame: type[Frame]) -> bool:
        """Whether `process` is called with frames of this type; with `Control` frames (`End`, `Clear`) it never is."""
        return issubclass(frame, self.consumes) and not issubclass(frame, Control)

    def may_yield(self, frame: type[Frame]) -> bool:
        """Whether frames of this type, or of a type derived from it, may come out of `process`."""
        return any(issubclass(out, frame) or out is Frame for out in self.yields)


def check_annotations(function: Callable[..., Any], owner: str) -> None:
    """Raise `TypeError` unless the frame parameter and the result are annotated."""
    parameter = _frame_parameter(function, owner)
    missing = []
    if parameter.annotation is inspect.Parameter.empty:
        missing.append(f"the type of `{parameter.name}`")
    if inspect.signature(function).return_annotation is inspect.Signature.empty:
        missing.append("what it yields")
    if missing:
        this = "self, " if "self" in inspect.signature(function).parameters else ""
        raise TypeError(
            f"{owner} does not say {' and '.join(missing)}. The annotations are the processor's type; write for "
            f"example `def {function.__name__}({this}{parameter.name}: LLMText) -> LLMText` (`-> None` consumes it, "
            f"`-> Iterator[...]` or `-> AsyncIterator[...]` yields several)"
        )


def read_signature(function: Callable[..., Any], owner: str, scope: Mapping[str, Any]) -> Signature:
    """Resolve the annotations of `function`; `scope` holds the names that were local where it was defined. Raises
    `TypeError` for one that is missing, has an unknown name, or is no frame type."""
    check_annotations(function, owner)
    raw = inspect.unwrap(function)
    try:
        hints = typing.get_type_hints(raw, localns=dict(scope))
    except NameError as error:
        raise TypeError(f"{owner}: cannot resolve an annotation: {error}. Import or define that name") from error
    parameter = _frame_parameter(function, owner)
    result = hints["return"]
    kind = _kind(raw, result, owner)
    return Signature(
        kind,
        tuple(_frame_types(hints[parameter.name], f"{owner}, parameter `{parameter.name}`")),
        tuple(_frame_types(_item(result, kind, owner), f"{owner}, result")),
    )


def _frame_parameter(function: Callable[..., Any], owner: str) -> inspect.Parameter:
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    if not parameters:
        raise TypeError(f"{owner} takes no frame: write for example `def process(self, frame: LLMText) -> LLMText`")
    return parameters[0]


def _kind(function: Callable[..., Any], result: Any, owner: str) -> Kind:
    origin = typing.get_origin(result) or result
    if inspect.isasyncgenfunction(function):
        kind = Kind.ASYNC_GENERATOR
    elif inspect.iscoroutinefunction(function):
        kind = Kind.COROUTINE
    elif origin in _ASYNC_ITERATORS:
        kind = Kind.ASYNC_GENERATOR  # a plain function that returns an async iterator made elsewhere
    elif inspect.isgeneratorfunction(function) or origin in _ITERATORS:
        kind = Kind.GENERATOR
    else:
        kind = Kind.FUNCTION
    expected = {Kind.GENERATOR: _ITERATORS, Kind.ASYNC_GENERATOR: _ASYNC_ITERATORS}.get(kind)
    if expected is not None and origin not in expected:
        raise TypeError(f"{owner} is {kind.phrase}: annotate its result as {expected[0].__name__}[...]")
    if expected is None and origin in (*_ITERATORS, *_ASYNC_ITERATORS):
        raise TypeError(f"{owner} is {kind.phrase} but is annotated to yield: use `yield`, or drop {origin.__name__}")
    return kind


def _item(result: Any, kind: Kind, owner: str) -> Any:
    if kind not in (Kind.GENERATOR, Kind.ASYNC_GENERATOR):
        return result
    arguments = typing.get_args(result)
    if not arguments:
        raise TypeError(f"{owner}: {result} does not say what it yields: write for example Iterator[LLMText]")
    return arguments[0]


def _frame_types(annotation: Any, where: str) -> list[type[Frame]]:
    if annotation is None or annotation is type(None):
        return []
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [t for part in typing.get_args(annotation) for t in _frame_types(part, where)]
    if isinstance(annotation, type) and issubclass(annotation, Frame):
        return [annotation]
    raise TypeError(f"{where}: expected frame types such as AudioRaw or LLMText | LLMEnd, got {annotation!r}")
