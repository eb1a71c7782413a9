"""Reads a stream of chat completions as each server writes it. No I/O in here.

OpenAI's documentation says what a chunk holds; servers that imitate it leave out, add and rename. What is read here:

- chunks without choices (usage, filter results, pings) and choices without `delta`;
- `content` as text or as a list of parts, of which those that think are left out; answers in `message` or `text`;
- tool calls with or without `index` and `id`, with one index for all of them, in pieces or whole, whole twice, with
  arguments as text or as an object; `function_call`, which came before tool calls;
- errors in the middle of the stream, as an object or as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from voiceflow.processors.llm.messages import ToolCall, new_id
from voiceflow.processors.llm.refusals import words

REPETITIONS = 20
"""How many places are tried at which the arguments of a call may begin anew."""


class BrokenOffError(Exception):
    """The server reports an error in the middle of its answer, in these words."""


class Completion:
    """One answer. `feed` it the decoded chunks; `calls` are complete when the stream is over."""

    def __init__(self) -> None:
        self.finish_reason = ""
        """Why the answer ended: stop, length, tool_calls, content_filter; empty while it goes on."""
        self._said = False
        self._index: object = None
        """The index of the choice that is read, which is the first."""
        self._calls: list[_Call] = []

    def feed(self, chunk: object) -> str:
        """Take a chunk; returns the text that it adds to the answer. Raises `BrokenOffError`."""
        if not isinstance(chunk, dict):
            return ""
        if error := chunk.get("error") or (chunk if chunk.get("object") == "error" else None):
            raise BrokenOffError(words(error))
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            index = choice.get("index") or 0
            if self._index is None:
                self._index = index
            if index == self._index:
                return self._take(choice)
        return ""

    def calls(self) -> Iterator[ToolCall]:
        """The tools that the answer calls."""
        for call in self._calls:
            if call.name or call.pieces:
                yield call.whole()

    def _take(self, choice: dict[str, Any]) -> str:
        if error := choice.get("error"):
            raise BrokenOffError(words(error))
        self.finish_reason = str(choice.get("finish_reason") or self.finish_reason)
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            # A whole answer, from a server that does not stream. At the end of a stream it repeats what was said.
            whole = choice.get("message") or {"content": choice.get("text")}
            delta = whole if isinstance(whole, dict) and not (self._said or self._calls) else {}
        for part in _listed(delta.get("tool_calls")):
            self._add(part)
        if isinstance(function := delta.get("function_call"), dict):
            self._add({"index": 0, "function": function})
        said = text(delta.get("content")) or text(delta.get("refusal"))
        self._said = self._said or bool(said)
        return said

    def _add(self, part: dict[str, Any]) -> None:
        call = self._call_of(part)
        function = part.get("function")
        call.add(part, function if isinstance(function, dict) else {})

    def _call_of(self, part: dict[str, Any]) -> _Call:
        """The call to which `part` belongs, a new one if it begins one."""
        index, id = part.get("index"), part.get("id")
        for call in reversed(self._calls):
            if id and call.id == id:
                return call
        for call in reversed(self._calls):
            if index is None or call.index == index:
                if call.is_followed_by(part):
                    break
                return call
        call = _Call(index)
        self._calls.append(call)
        return call


class _Call(msgspec.Struct):
    """A tool call while its pieces arrive."""

    index: object
    """Its number, if the server numbers calls; servers are known that give all calls of an answer the same."""
    id: str = ""
    name: str = ""
    pieces: list[str] = []
    """The arguments, as they came."""
    extra: dict[str, Any] | None = None

    def is_followed_by(self, part: dict[str, Any]) -> bool:
        """Whether `part`, which has the same index, begins another call."""
        function = part.get("function")
        named = isinstance(function, dict) and bool(function.get("name"))
        if part.get("id") and self.id:
            return True  # another one: a part with the same id would have been found by it
        return named and bool(self.name) and _is_object(self.arguments)

    def add(self, part: dict[str, Any], function: dict[str, Any]) -> None:
        self.id = self.id or str(part.get("id") or "")
        if isinstance(extra := part.get("extra_content"), dict):
            self.extra = extra
        name = function.get("name")
        if isinstance(name, str) and not self.pieces and name != self.name:
            self.name = name if name.startswith(self.name) else self.name + name
        if added := function.get("arguments"):
            self.pieces.append(added if isinstance(added, str) else json.dumps(added))

    @property
    def arguments(self) -> str:
        """The pieces, joined. What comes twice, after a placeholder or after pieces of it, is taken once."""
        joined = "".join(self.pieces)
        if not self.pieces or _is_object(joined):
            return joined
        begins = [place for place, piece in enumerate(self.pieces) if piece.lstrip().startswith("{")]
        repeated = ("".join(self.pieces[place:]) for place in begins[-REPETITIONS:])
        return next(filter(_is_object, repeated), joined)

    def whole(self) -> ToolCall:
        return ToolCall(self.id or new_id(), self.name, self.arguments, self.extra)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def text(content: object) -> str:
    """The text of `content`, which is text or a list of parts. Thoughts and parts of unknown types are none."""
    if isinstance(content, str):
        return content
    said = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, dict) and part.get("type", "text") in ("text", "output_text", "refusal"):
            said.append(text(part.get("text") or part.get("refusal")))
    return "".join(said)


def _listed(parts: object) -> Iterator[dict[str, Any]]:
    for part in parts if isinstance(parts, list) else (parts,):
        if isinstance(part, dict):
            yield part
