"""Processors: the steps of a pipeline. Their authors write one method, `process`; its annotations do the rest."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from types import FrameType
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeAlias, TypeVar

from .annotations import Signature, check_annotations, read_signature
from .audio import CANONICAL, AudioFormat
from .call import Call
from .errors import CallError
from .frames import AudioRaw, Clear, Frame, LLMText, Mark
from .pipeline import Element

P = ParamSpec("P")
F = TypeVar("F", bound=Frame)
Processed: TypeAlias = Frame | Iterable[Frame] | Awaitable[Frame | None] | AsyncIterable[Frame] | None
"""What `process` may return."""


class Processor(Element):
    """One step of a pipeline: consumes the frame types that `process` is annotated with.

    Every other frame passes by, in order, untouched. A synchronous `process` makes a *stage*, which runs
    inside its upstream neighbour's task and must not block; an asynchronous one has a task and a queue.

    An instance belongs to one place in one call: make it inside `pipeline(call)`.
    """

    accepts: AudioFormat = CANONICAL
    """The format of the audio that `process` gets. `ANY` means whatever format comes."""
    produces: AudioFormat = CANONICAL
    """The format of the audio that `process` yields. `ANY` means the format that came in."""
    overlap: ClassVar[bool] = False
    """Whether frames that are neither speech nor consumed may overtake work in progress (STT, LLM)."""
    speaks: bool | None = None
    """Whether agent speech originates here. None means: if `process` yields LLMText or AudioRaw and takes neither."""

    needs: ClassVar[type[Frame] | None] = None
    """A frame type that a processor before this one must yield, else linking fails: for an STT, `SpeechStarted`."""

    process: Callable[[Any], Processed]
    """A function, generator, coroutine or async generator that takes one frame. Its annotations name the frame types
    that the processor consumes and yields."""

    call: Call
    """The call that this instance works for, from `open` on."""
    model: Any = None
    """The model that `load` returned."""

    _emit: Callable[[Frame], None] | None = None
    """Delivers a frame downstream. Set by the engine when the call runs."""
    _signature: ClassVar[Signature | None] = None
    _scope: ClassVar[FrameType | None] = None
    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "process" in vars(cls):
            check_annotations(cls.process, f"{cls.__name__}.process")
            cls._signature = None
            cls._scope = sys._getframe(1)  # holds the names in the annotations; released at the first link

    def __new__(cls, *args: Any, **kwargs: Any) -> Processor:
        self = super().__new__(cls)
        self._arguments = (args, kwargs)
        return self

    @property
    def signature(self) -> Signature:
        """What `process` consumes and yields, resolved at the first link."""
        cls = type(self)
        if cls._signature is None:
            if not hasattr(cls, "process"):
                raise TypeError(f"{cls.__name__} has no `process`: write `def process(self, frame: ...) -> ...`")
            cls._signature = _read(cls, cls.process, f"{cls.__name__}.process")
        return cls._signature

    @property
    def model_key(self) -> Any:
        """Identifies the model: instances of a class with equal keys share one. By default all arguments; override it
        where `load` does not depend on some of them."""
        bound = inspect.signature(type(self)).bind(*self._arguments[0], **self._arguments[1])
        bound.apply_defaults()
        key = dict(bound.arguments)
        for parameter in bound.signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                key |= key.pop(parameter.name)
        return key

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
        """Get ready for `call`. No frame flows before every processor has returned from this, within `Limits.open`."""

    async def close(self) -> None:
        """Release what `open` took. Always called, however the call ended."""

    def emit(self, frame: Frame) -> None:
        """Yield `frame` now, outside `process`: from a timer, a callback, or a task of this processor's own.

        Call it in the event loop's thread, from `open` on; before, it raises `CallError`. Raises `TypeError` for
        speech: that is yielded by `process` or said by `call.say`, so that an interruption knows what to drop.
        """
        if self._emit is None:
            raise CallError(f"{self.name}.emit: its call is not running yet; emit from `open` on")
        self._emit(frame)

    def finish(self) -> Any:
        """Yield what is left when the stream ends. May be a function or generator, in async processors also a
        coroutine or async generator."""
        return None

    def reset(self) -> None:
        """Forget everything kept between frames: it belongs to speech that has been interrupted."""

    def on_clear(self, heard: str, seconds: float) -> None:
        """The caller has interrupted. Of the replies cut short they heard the words `heard`, and `seconds` of audio."""

    def on_played(self, mark: Mark) -> None:
        """The caller has heard the sentence that `mark` opened."""

    def upstream(self, frame: Frame) -> Frame | None:
        """Take a `Clear` or a played `Mark` on its way from the sink to the speaker; calls `on_clear` or `on_played`.
        An override that returns None absorbs the frame: processors further up are not told."""
        if type(frame) is Clear:
            self.on_clear(frame.heard, frame.seconds)
        elif isinstance(frame, Mark):
            self.on_played(frame)
        return frame

    def __repr__(self) -> str:
        args, kwargs = self._arguments
        shown = [repr(a) for a in args] + [f"{k}={v!r}" for k, v in kwargs.items()]
        return f"{self.name}({', '.join(shown)})"


def processor(function: Callable[Concatenate[F, P], Any]) -> Callable[P, Processor]:
    """Make a processor class of a function; its parameters after the frame become those of the constructor.

    >>> @processor
    ... def shout(frame: LLMText, mark: str = "!") -> LLMText:
    ...     return LLMText(frame.text.upper() + mark)
    >>> shout(mark="!!")
    shout(mark='!!')
    """
    check_annotations(function, function.__name__)

    class FunctionProcessor(Processor):
        def __init__(self, *args: P.args, **kwargs: P.kwargs) -> None:
            inspect.signature(function).bind(None, *args, **kwargs)  # raises TypeError for a wrong argument already now
            self.process = (lambda frame: function(frame, *args, **kwargs)) if args or kwargs else function

        @property
        def signature(self) -> Signature:
            cls = type(self)
            if cls._signature is None:
                cls._signature = _read(cls, function, function.__name__)
            return cls._signature

    FunctionProcessor._scope = sys._getframe(1)
    FunctionProcessor.__name__ = FunctionProcessor.__qualname__ = function.__name__
    FunctionProcessor.__module__ = function.__module__
    FunctionProcessor.__doc__ = function.__doc__
    return FunctionProcessor


def _read(cls: type[Processor], function: Callable[..., Any], owner: str) -> Signature:
    """Resolve annotations in the scope where the class was defined, then release that scope."""
    signature = read_signature(function, owner, cls._scope.f_locals if cls._scope is not None else {})
    cls._scope = None
    return signature
