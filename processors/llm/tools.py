"""Tools: plain functions that the model may call.

    async def book(day: datetime.date, guests: int, call: Call) -> str:
        '''Book a table.'''

The model is told the signature and the docstring. A parameter named `call` is given the call and is not shown to the
model. A failure - an unknown tool, wrong arguments, an exception - is told to the model as the result. A tool may be
`async`, and may be a generator: the model is told the list of all that it yields.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import json
import typing
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from voiceflow.errors import CallError
from voiceflow.inference import NoThreadError, TooLateError, WorkClock, called, contained, waiting_pool
from voiceflow.logs import get_logger
from voiceflow.processors.llm.history import Turn
from voiceflow.processors.llm.markers import inert
from voiceflow.processors.llm.messages import ToolCall, encodable
from voiceflow.words import filled

if TYPE_CHECKING:
    from voiceflow.call import Call

logger = get_logger(__name__)

TOOL_SECONDS = 20.0
"""Seconds that a tool may work: the caller waits for it."""
UNWIND_SECONDS = 0.3
"""Seconds that a cancelled tool has to clean up."""
RESULT_CHARACTERS = 8000
"""Characters of a tool's result that the model is told at most."""


class Tool:
    """A function as a model sees it: `name`, `description`, and `parameters`, a JSON schema of its arguments.

    Raises `TypeError` for a function that cannot be described.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name: str = getattr(function, "__name__", "")
        if not self.name.isidentifier():
            raise TypeError(f"a tool is a function with a name, not {function!r}: write it with `def`")
        self.description = encodable(inspect.getdoc(function) or "")
        self._function = function
        signature = inspect.signature(function)
        self._takes_call = "call" in signature.parameters
        self._arguments = msgspec.defstruct(
            self.name, _fields(self.name, function, signature), forbid_unknown_fields=True, kw_only=True
        )
        self.parameters = _schema(self._arguments)

    @property
    def as_function(self) -> dict[str, Any]:
        """The tool as OpenAI's chat completions describe it, and Ollama's API as well."""
        described = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": described}

    async def run(self, arguments: str, call: Call) -> str:
        """Run the function with `arguments`, a JSON object. Returns its result, or the list of what it yields, as JSON
        unless it is text. Raises what it raises, and `msgspec.MsgspecError` for arguments that do not fit."""
        with contained():
            # Not strict: models put numbers into quotes now and then.
            given = msgspec.json.decode(arguments or "{}", type=self._arguments, strict=False)
            keywords = {name: getattr(given, name) for name in self._arguments.__struct_fields__}
            if self._takes_call:
                keywords["call"] = call
            result = await called(waiting_pool(), self._function, **keywords)
            if isinstance(result, AsyncGenerator):
                result = await _collected(result)
            if isinstance(result, str):
                return result
            return "done" if result is None else _as_json(result)


class Toolbox:
    """The tools of one model. Each call of a tool runs once and to its end, whatever becomes of its turn."""

    def __init__(self, functions: Sequence[Callable[..., Any]]) -> None:
        self.tools = tuple(map(Tool, functions))
        self._by_name = {tool.name: tool for tool in self.tools}
        self.parameters = {tool.name: tuple(tool.parameters["properties"]) for tool in self.tools}
        """The names of each tool's parameters, by its name."""
        if len(self._by_name) < len(self.tools):
            raise ValueError(f"two tools have one name: {', '.join(tool.name for tool in self.tools)}")
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, calls: Sequence[ToolCall], turn: Turn, call: Call) -> None:
        """Run the tools that the model called, all at once. If this is cancelled, they go on by themselves."""
        done = turn.call(calls)

        async def run(place: int) -> None:
            done.results[place] = inert(await self._result(calls[place], turn, call))[:RESULT_CHARACTERS]

        tasks = {asyncio.create_task(run(place), name=f"tool {calls[place].name}") for place in range(len(calls))}
        self._running |= tasks
        for task in tasks:
            task.add_done_callback(self._running.discard)
        await asyncio.wait(tasks)

    async def finish(self, seconds: float) -> None:
        """Wait for tools that are still running, `seconds` at most."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def close(self, seconds: float) -> None:
        """Wait for tools that are still running, `seconds` at most; then cancel the rest."""
        await self.finish(seconds)
        for task in self._running:
            logger.warning("%s was still running when its call had ended: cancelled", task.get_name())
            task.cancel()
        await self.finish(UNWIND_SECONDS)

    async def _result(self, wanted: ToolCall, turn: Turn, call: Call) -> str:
        tool, words = self._by_name.get(wanted.name), call.words
        if tool is None:
            return filled(words.no_tool, name=repr(wanted.name), known=", ".join(self._by_name) or "none")
        try:
            async with WorkClock().within(TOOL_SECONDS, f"did not finish within {TOOL_SECONDS:g} seconds"):
                return await tool.run(wanted.arguments, cast("Call", TurnsCall(call, turn)))
        except NoThreadError as error:
            return filled(words.tool_failed, error=f"{wanted.name} {error}.")
        except TooLateError:
            return filled(words.tool_late, name=wanted.name, seconds=f"{TOOL_SECONDS:g}")
        except msgspec.MsgspecError as error:
            return filled(words.wrong_arguments, name=wanted.name, error=str(error))
        except Exception as error:
            call.log.warning("the tool %s failed: %s", wanted.name, error, exc_info=error)
            return filled(words.tool_failed, error=f"{type(error).__name__}: {error}")


class TurnsCall:
    """The call as a tool sees it. When the caller has interrupted the tool's turn, it can no longer make the agent
    speak, hang up or transfer: nobody wants that any more. If it does any of that in time, the turn has `acted`."""

    def __init__(self, call: Call, turn: Turn) -> None:
        self._call = call
        self._turn = turn

    def __getattr__(self, name: str) -> Any:
        if name in _VOID:
            if self._turn.interrupted:
                return _void(name)
            self._turn.acted = True
        return getattr(self._call, name)


_VOID = {"say": 0.0, "play": 0.0, "send_digits": 0.0, "hangup": False, "ask": None, "digits": "", "transfer": None}
"""Methods of the call that do nothing after an interruption, and what they return then."""


def _void(name: str) -> Callable[..., Any]:
    async def nothing(*_: Any, **__: Any) -> Any:
        if name == "transfer":  # it has no result that could tell the tool
            raise CallError("the caller interrupted before the transfer: they were not transferred")
        return _VOID[name]

    return nothing


def _as_json(result: object) -> str:
    try:
        return msgspec.json.encode(result, enc_hook=_plain).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, which json escapes
        return json.dumps(msgspec.to_builtins(result, enc_hook=_plain, str_keys=True))


def _plain(value: object) -> object:
    """What the model is told in place of `value`, which has no JSON. Raises `TypeError` for what has no text either."""
    if isinstance(value, Iterator):
        return list(itertools.islice(value, RESULT_CHARACTERS))
    text = str(value)
    if " at 0x" in text:  # an address in memory: Python's own description of functions, coroutines and plain objects
        raise TypeError(f"the result holds a {type(value).__name__}, which tells a model nothing: return text or JSON")
    return text


async def _collected(results: AsyncGenerator[object, None]) -> list[object]:
    """All that a generator yields, up to a number of items that certainly exceeds what the model is told."""
    collected = []
    async with contextlib.aclosing(results):
        async for result in results:
            collected.append(result)
            if len(collected) == RESULT_CHARACTERS:
                break
    return collected


def _fields(name: str, function: Callable[..., Any], signature: inspect.Signature) -> list[Any]:
    """The function's parameters as fields of a struct. Raises `TypeError` for what a model cannot pass."""
    known = getattr(function, "__globals__", {})
    # `Call` is often imported for type checkers only.
    hints = typing.get_type_hints(function, localns=None if "Call" in known else {"Call": Any}, include_extras=True)
    fields: list[Any] = []
    for parameter in signature.parameters.values():
        if parameter.name == "call":
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise TypeError(f"the tool {name} takes {parameter}: models pass arguments by name only")
        if parameter.name not in hints:
            raise TypeError(f"the tool {name} does not say the type of `{parameter.name}`: annotate it")
        field = (parameter.name, hints[parameter.name])
        fields.append(field if parameter.default is parameter.empty else (*field, parameter.default))
    return fields


def _schema(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON schema of `arguments`, with the arguments at its top level, where providers want them."""
    _, components = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    schema = components.pop(arguments.__name__)
    schema.pop("title", None)
    return {**schema, "$defs": components} if components else schema
