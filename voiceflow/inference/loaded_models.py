"""Loads models once per process, and shares them between all calls whose processors ask for the same one.

A model is kept as long as a processor uses it. Of the models that no processor uses any more, the most recently used
ones are kept for the next call. Models that were loaded outside of a call, when a server starts, are always kept: the
server's routes need them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Protocol, runtime_checkable
from weakref import ref

import msgspec

from voiceflow.call import Call
from voiceflow.processor import Processor

from .pools import loading_pool
from .single_flight import Flights

UNUSED = 4
"""How many models that no processor uses are kept."""


@runtime_checkable
class BeforeCalls(Protocol):
    """A processor that has something to do once per process, after its model is loaded and before the first call."""

    async def before_calls(self, call: Call | None) -> None:
        """Prepare what all calls share that are like `call`, a nominal one; None: nothing is known of them. Must not
        raise."""


class _Loaded(msgspec.Struct):
    """A model in memory."""

    model: Any
    users: list[ref[Processor]]
    stays: bool = False
    """Whether it was loaded outside of a call, and so is always kept."""


_models: dict[Hashable, _Loaded] = {}
"""The models in memory, the least recently used first."""
_flights: Flights[Any] = Flights()


async def load(
    processors: Iterable[Processor],
    waits_for: Callable[[Processor], None] | None = None,
    call: Call | None = None,
) -> None:
    """Give every processor its model, loading what is not in memory yet. Raises what `load` raises.

    May be cancelled at any time: the loading goes on, for others and for the next call. `waits_for` is told which
    processor's model comes next, so that a caller who sets a limit can say which one was late. `call` is what
    `BeforeCalls` are told of calls to come.
    """
    for processor in processors:
        if waits_for is not None:
            waits_for(processor)
        in_call = hasattr(processor, "call")
        if type(processor).load is not Processor.load:
            await _give(processor, stays=not in_call)
        if not in_call and isinstance(processor, BeforeCalls):
            await processor.before_calls(call)


def release(processors: Iterable[Processor]) -> None:
    """Forget `processors` as users of their models, when their call is over. Otherwise the models would be kept until
    the processors are garbage, which Python notices late where they refer to each other."""
    over = set(map(id, processors))
    for loaded in _models.values():
        loaded.users = [user for user in loaded.users if id(user()) not in over]
    _forget_unused()


async def _give(processor: Processor, *, stays: bool) -> None:
    key = type(processor), _frozen(processor.model_key)

    async def load_model() -> Any:
        model = await loading_pool().run(processor.load)
        _models[key] = _Loaded(model, [])
        return model

    model = _models[key].model if key in _models else await _flights.join(key, load_model)
    # The most recently used comes last. Where many are loaded at once, it may have been forgotten since it was loaded.
    loaded = _models[key] = _models.pop(key, _Loaded(model, []))
    loaded.stays = loaded.stays or stays
    if not any(user() is processor for user in loaded.users):
        loaded.users.append(ref(processor))
    processor.model = model
    _forget_unused()


def _forget_unused() -> None:
    unused = []
    for key, loaded in _models.items():
        loaded.users = [user for user in loaded.users if user() is not None]
        if not (loaded.users or loaded.stays):
            unused.append(key)
    for key in unused[: max(0, len(unused) - UNUSED)]:
        del _models[key]


class _Itself(msgspec.Struct, frozen=True, eq=False):
    """Stands for a value that is not hashable; equals only a stand-in for the same object. It holds the value, so that
    no other object can get its id."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def _frozen(value: Any) -> Hashable:
    match value:
        case dict():
            return frozenset((key, _frozen(item)) for key, item in value.items())
        case list() | tuple():
            return tuple(map(_frozen, value))
        case set():
            return frozenset(map(_frozen, value))
        case Hashable():
            return value
    return _Itself(value)
