"""Models are loaded once per process and shared by all calls whose processors ask for the same one.

A model is kept as long as a processor that works with it is. Of those that no processor works with any more the most
recently used are kept, for the next call; and always those that were loaded outside of a call, when a server starts:
its routes need them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Protocol, runtime_checkable
from weakref import ref

import msgspec

from voiceflow.processor import Processor

from .flights import Flights
from .pools import loading_pool

UNUSED = 4
"""How many models are kept that nobody works with."""


@runtime_checkable
class BeforeCalls(Protocol):
    """A processor with something to do once per process when its model is loaded, before there are calls."""

    async def before_calls(self) -> None:
        """Make what all calls share. Does not raise."""


class _Loaded(msgspec.Struct):
    """A model in memory."""

    model: Any
    users: list[ref[Processor]]
    stays: bool = False


_models: dict[Hashable, _Loaded] = {}
"""The least recently used come first."""
_flights: Flights[Any] = Flights()


async def load(processors: Iterable[Processor], waits_for: Callable[[Processor], None] | None = None) -> None:
    """Give every processor its model, loading what is not in memory yet. Raises what `load` raises.

    May be cancelled at any time: the loading goes on, for others and for the next call. `waits_for` is told which
    processor's model comes next, so that a caller who sets a limit can say which one was late.
    """
    for processor in processors:
        if waits_for is not None:
            waits_for(processor)
        in_call = hasattr(processor, "call")
        if type(processor).load is not Processor.load:
            await _give(processor, stays=not in_call)
        if not in_call and isinstance(processor, BeforeCalls):
            await processor.before_calls()


def release(processors: Iterable[Processor]) -> None:
    """Their call is over. Otherwise their models are kept until the processors are garbage, which Python notices late
    where they refer to each other."""
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
    # The most recently used comes last. It may have been forgotten since it was loaded, where many are loaded at once.
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
    """Something that cannot be compared: equal to nothing else. Holds it, so that its id is not used again."""

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
