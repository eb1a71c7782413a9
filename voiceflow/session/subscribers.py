"""Callbacks that users subscribe to what happens in a call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Subscribers(Generic[P]):
    """The callbacks for one kind of event in one call. Calling this calls them in turn; one that raises is logged, once
    in the call, and the others are still called."""

    __slots__ = ("_callbacks", "_complained", "_event", "_log", "changed")

    def __init__(self, event: str, log: logging.LoggerAdapter[logging.Logger]) -> None:
        self._event = event
        self._log = log
        self._callbacks: tuple[Callable[P, object], ...] = ()
        self.changed: Callable[[], None] = _nothing
        """Called when a callback has been added or removed."""
        self._complained: tuple[object, ...] = ()

    def add(self, callback: Callable[P, object]) -> Callable[[], None]:
        """Subscribe `callback`. Returns a function that unsubscribes it."""
        self._callbacks = (*self._callbacks, callback)
        self.changed()

        def undo() -> None:
            self._callbacks = tuple(known for known in self._callbacks if known is not callback)
            self.changed()

        return undo

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        for callback in self._callbacks:
            try:
                callback(*args, **kwargs)
            except BaseException as error:
                self._complain(callback, error)

    def _complain(self, callback: Callable[P, object], error: BaseException) -> None:
        if any(callback is known for known in self._complained):
            return
        self._complained = (*self._complained, callback)
        name = getattr(callback, "__qualname__", type(callback).__qualname__)
        code = getattr(callback, "__code__", None)
        place = f" ({code.co_filename}, line {code.co_firstlineno})" if code is not None else ""
        self._log.error(
            "%s%s, called for %s, raised %s: %s. The call goes on; further errors of it are not logged",
            name,
            place,
            self._event,
            type(error).__name__,
            error,
            exc_info=error,
        )


def _nothing() -> None:
    """Do nothing: nobody needs to know when callbacks change."""
