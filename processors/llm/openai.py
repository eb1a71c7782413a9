"""Models by OpenAI, and by every server that speaks its chat completions: llama.cpp, vLLM, LM Studio, Groq ..."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Unpack

import msgspec

from voiceflow.errors import MissingExtraError
from voiceflow.processors.llm.interface import LLM, Options
from voiceflow.processors.llm.messages import Message, ToolCall
from voiceflow.processors.llm.providers import MAX_RETRIES, PerLoop, explained

if TYPE_CHECKING:
    import openai

DEFAULT_MODEL = "gpt-6-luna"
"""OpenAI's fastest; it calls tools in chat completions where it does not reason."""

_EFFORTS = ("none", "minimal", None)
"""How to ask for no reasoning: models before gpt-5.1 know only `minimal`, others no effort at all."""


class OpenAILLM(LLM):
    """A model by chat completions: `model` ($OPENAI_MODEL, else gpt-6-luna) at `base_url` ($OPENAI_BASE_URL, else
    OpenAI's), with the key in $OPENAI_API_KEY. Needs the extra `openai`."""

    def __init__(self, model: str | None = None, *, base_url: str | None = None, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        self._model = model or os.environ.get("OPENAI_MODEL") or DEFAULT_MODEL
        self._base_url = base_url or os.environ.get("OPENAI_BASE_URL") or None

    def load(self) -> PerLoop[openai.AsyncOpenAI]:
        """The client."""
        return _client(self._base_url)

    async def chat(self, messages: list[Message]) -> AsyncIterator[str | ToolCall]:
        import openai

        calls: dict[int, _Call] = {}
        try:
            async with await self._request(messages) as stream:
                async for chunk in stream:
                    for choice in chunk.choices[:1]:
                        delta = choice.delta
                        if text := delta.content or getattr(delta, "refusal", None):
                            yield text
                        for part in delta.tool_calls or ():
                            # Some servers number no calls, and send each in one piece.
                            place = part.index if part.index is not None else len(calls)
                            calls.setdefault(place, _Call()).add(part)
        except openai.OpenAIError as error:
            raise explained(error, self._base_url or "OpenAI", self._model, "OPENAI_API_KEY") from error
        for place, call in sorted(calls.items()):
            yield ToolCall(call.id or f"call_{len(messages)}_{place}", call.name, call.arguments)

    async def _request(self, messages: list[Message]) -> openai.AsyncStream[Any]:
        import openai

        client: openai.AsyncOpenAI = self.model.get()
        key = (self._base_url, self._model)
        # OpenAI's reasoning models refuse `max_tokens`; not every other server knows its new name.
        limit = "max_tokens" if self._base_url else "max_completion_tokens"
        while True:
            effort = _effort.get(key, _EFFORTS[0])
            body: dict[str, Any] = {limit: self.max_tokens}
            if effort is not None:
                body["reasoning_effort"] = effort
            if self.tools:
                body["tools"] = [
                    {
                        "type": "function",
                        "function": {"name": t.name, "description": t.description, "parameters": t.parameters},
                    }
                    for t in self.tools
                ]
            try:
                return await client.chat.completions.create(
                    model=self._model, messages=[_to_openai(m) for m in messages], stream=True, extra_body=body
                )
            except openai.BadRequestError as error:
                if effort is None or "reasoning" not in str(error):
                    raise
                _effort[key] = _EFFORTS[_EFFORTS.index(effort) + 1]


_effort: dict[tuple[str | None, str], str | None] = {}
"""What each model was found to understand."""


class _Call(msgspec.Struct):
    """A tool call that comes in pieces."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def add(self, part: Any) -> None:
        self.id = self.id or part.id or ""
        if part.function is not None:
            self.name = self.name or part.function.name or ""
            self.arguments += part.function.arguments or ""


@functools.cache
def _client(base_url: str | None) -> PerLoop[openai.AsyncOpenAI]:
    try:
        import openai
    except ImportError as error:
        raise MissingExtraError("OpenAILLM", "openai") from error
    key = os.environ.get("OPENAI_API_KEY") or ("none" if base_url else None)  # a server of one's own needs none
    return PerLoop(lambda: openai.AsyncOpenAI(api_key=key, base_url=base_url, max_retries=MAX_RETRIES))


def _to_openai(message: Message) -> Any:
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.given)}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        out["tool_call_id"] = message.tool_call_id
    return out
