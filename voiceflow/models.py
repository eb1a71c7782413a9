"""Models are loaded once per process and shared by all calls whose processors ask for the same one."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from typing import Any

from .errors import VoiceflowError
from .inference import shared_pool
from .processor import Processor

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
    if known is not None and known.get_loop() is asyncio.get_running_loop():
        return await known
    loading = _models[key] = asyncio.get_running_loop().create_future()
    try:
        model = await shared_pool().run(processor.load)
    except BaseException as error:
        del _models[key]  # the next call tries again
        loading.set_exception(error if isinstance(error, Exception) else VoiceflowError("loading was cancelled"))
        loading.exception()  # who waits for it is told; nobody need be
        raise
    loading.set_result(model)
    return model


def _key(processor: Processor) -> Hashable:
    args, kwargs = processor._arguments
    return type(processor), _frozen(args), _frozen(kwargs)


def _frozen(value: Any) -> Hashable:
    match value:
        case dict():
            return tuple(sorted((key, _frozen(item)) for key, item in value.items()))
        case list() | tuple() | set():
            return tuple(map(_frozen, value))
        case Hashable():
            return value
    return id(value)
