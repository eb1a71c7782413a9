"""The base of all processors. A processor's author writes one method, `process`; its annotations do the rest."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar

from .audio import CANONICAL, AudioFormat
from .frames import AudioRaw, Frame, LLMText
from .signature import Signature, check_annotations, read_signature

if TYPE_CHECKING:
    from .call import Call
    from .pipeline import Pipeline

P = ParamSpec("P")
F = TypeVar("F", bound=Frame)


class Processor:
    """One step of a pipeline: consumes the frame types that `process` is annotated with.

    Every other frame passes by, in order, untouched. A synchronous `process` makes a *stage*, which runs
    inside its upstream neighbour's task and must not block; an asynchronous one has a task and a queue.

    An instance belongs to one place in one call: make it inside `pipeline(call)`.
    """

    accepts: AudioFormat = CANONICAL
    """The format of the audio that `process` gets. `ANY` takes what comes."""
    produces: AudioFormat = CANONICAL
    """The format of the audio that `process` yields. `ANY` means the format that came in."""
    overlap: ClassVar[bool] = False
    """Whether frames that are neither speech nor consumed may overtake work in progress (STT, LLM)."""
    speaks: bool | None = None
    """Whether agent speech originates here. None: it yields LLMText or AudioRaw and consumes neither."""

    process: Callable[..., Any]
    """Function, generator, coroutine or async generator of one frame."""

    call: Call
    """The call this instance works for, from `open` on."""
    model: Any = None
    """What `load` returned."""

    _signature: ClassVar[Signature | None] = None
    _scope: ClassVar[FrameType | None] = None
    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "process" in vars(cls):
            check_annotations(cls.process, f"{cls.__name__}.process")
            cls._signature = None
            cls._scope = sys._getframe(1)  # where the annotations' names are; let go at the first link

    def __new__(cls, *args: Any, **kwargs: Any) -> Processor:
        self = super().__new__(cls)
        self._arguments = (args, kwargs)  # models are shared by class and arguments: see models.py
        return self

    @property
    def name(self) -> str:
        """How logs, plans and errors call this processor."""
        return type(self).__name__

    @property
    def signature(self) -> Signature:
        """What `process` consumes and yields, resolved at the first link."""
        cls = type(self)
        if cls._signature is None:
            if not hasattr(cls, "process"):
                raise TypeError(f"{cls.__name__} has no `process`: write `def process(self, frame: ...) -> ...`")
            scope = cls._scope.f_locals if cls._scope is not None else {}
            cls._signature = read_signature(cls.process, f"{cls.__name__}.process", scope)
            cls._scope = None
        return cls._signature

    @property
    def is_speaker(self) -> bool:
        """Whether agent speech may originate here."""
        if self.speaks is not None:
            return self.speaks
        signature = self.signature
        if Frame in signature.yields or signature.takes(LLMText) or signature.takes(AudioRaw):
            return False
        return signature.may_yield(LLMText) or signature.may_yield(AudioRaw)

    def load(self) -> Any:
        """Return the model this processor needs, as `self.model`. Runs in a thread, once per process for each
        class and arguments, before the first call is accepted."""
        return None

    async def open(self, call: Call) -> None:
        """Get ready for `call`. No frame flows before every processor has returned from this (10 s)."""

    async def close(self) -> None:
        """Release what `open` took. Always called, however the call ended."""

    def finish(self) -> Any:
        """Yield what is left when the stream ends. A function or generator, in async processors also a
        coroutine or async generator."""
        return None

    def reset(self) -> None:
        """Forget everything kept between frames: what was in the making has been interrupted."""

    def upstream(self, frame: Frame) -> Frame | None:
        """A `Clear` or a played `Mark` on its way from the sink to the speaker. Return None to absorb it."""
        return frame

    def __or__(self, other: Processor | Callable[[], Processor]) -> Pipeline:
        from .pipeline import Pipeline

        return Pipeline(self, other)

    def __ror__(self, other: Callable[[], Processor]) -> Pipeline:
        from .pipeline import Pipeline

        return Pipeline(other, self)

    def __repr__(self) -> str:
        args, kwargs = self._arguments
        shown = [repr(a) for a in args] + [f"{k}={v!r}" for k, v in kwargs.items()]
        return f"{self.name}({', '.join(shown)})"


def processor(function: Callable[Concatenate[F, P], Any]) -> Callable[P, Processor]:
    """Make a processor of a function; further parameters become those of its constructor.

    >>> @processor
    ... def shout(frame: LLMText, mark: str = "!") -> LLMText:
    ...     return LLMText(frame.text.upper() + mark)
    >>> shout(mark="!!")
    shout(mark='!!')
    """
    check_annotations(function, function.__name__)

    class FunctionProcessor(Processor):
        def __init__(self, *args: P.args, **kwargs: P.kwargs) -> None:
            inspect.signature(function).bind(None, *args, **kwargs)  # TypeError for a wrong argument, now
            bound = functools.partial(_after_frame, function, args, kwargs)
            self.process = bound if args or kwargs else function

        @property
        def signature(self) -> Signature:
            cls = type(self)
            if cls._signature is None:
                scope = cls._scope.f_locals if cls._scope is not None else {}
                cls._signature = read_signature(function, function.__name__, scope)
                cls._scope = None
            return cls._signature

    FunctionProcessor._scope = sys._getframe(1)
    FunctionProcessor.__name__ = FunctionProcessor.__qualname__ = function.__name__
    FunctionProcessor.__doc__ = function.__doc__
    return FunctionProcessor


def _after_frame(function: Callable[..., Any], args: Any, kwargs: Any, frame: Frame) -> Any:
    return function(frame, *args, **kwargs)
