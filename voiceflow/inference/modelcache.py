"""Models are loaded once per process and shared by all calls whose processors ask for the same one."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from typing import Any

import msgspec

from voiceflow.processor import Processor

from .pools import shared_pool

_models: dict[Hashable, asyncio.Future[Any]] = {}


async def load(processors: Iterable[Processor]) -> None:
    """Give every processor its model, loading what is not in memory yet. Raises what `load` raises."""
    for processor in processors:
        if type(processor).load is not Processor.load:
            processor.model = await _model(processor)


async def _model(processor: Processor) -> Any:
    key = _key(processor)
    known = _models.get(key)
    if known is not None and known.done():
        return known.result()
    if known is None or known.get_loop() is not asyncio.get_running_loop():
        # A task of its own: whoever gives up waiting for the model does not take it away from the others.
        known = _models[key] = asyncio.ensure_future(shared_pool().run(processor.load))
        known.add_done_callback(lambda loading: _forget_failure(key, loading))
    return await asyncio.shield(known)


def _forget_failure(key: Hashable, loading: asyncio.Future[Any]) -> None:
    """The next call tries again."""
    if (loading.cancelled() or loading.exception() is not None) and _models.get(key) is loading:
        del _models[key]


def _key(processor: Processor) -> Hashable:
    return type(processor), _frozen(processor.model_key)


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
