"""Claude, through Anthropic's API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from voiceflow.errors import ConfigError, MissingExtraError, ProviderConnectionError
from voiceflow.processors.llm.cloud import CloudLLM
from voiceflow.processors.llm.messages import CutShort, Message, ToolCall
from voiceflow.processors.llm.pieces import Piece
from voiceflow.processors.llm.providers import PerLoop, attempted, explained
from voiceflow.variables import DIRECT, variable

if TYPE_CHECKING:
    import anthropic

DEFAULT_MODEL = "claude-haiku-5-5"
"""Anthropic's fastest model; its thinking can be switched off."""
THINKING_TOKENS = 2000
"""Tokens besides the reply for models that always think: their thoughts count towards the limit."""

_CUT_SHORT = ("max_tokens", "model_context_window_exceeded")
"""Why an answer ends in mid-sentence."""

_thinkers: set[str] = set()
"""Models that were found to refuse requests with thinking switched off."""


class ClaudeLLM(CloudLLM):
    """Claude: `model` as Anthropic names it (claude-haiku-5-5), at `base_url` ($ANTHROPIC_BASE_URL, else Anthropic's),
    with `api_key` ($ANTHROPIC_API_KEY). The fields of `extra_body` are added to every request and override its own.
    Needs the extra `claude`."""

    key_variable, url_variable = "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"
    thinks_first = False

    @classmethod
    def default_model(cls, environment: Mapping[str, str] | None = None) -> str:
        return DEFAULT_MODEL

    def load(self) -> PerLoop[anthropic.AsyncAnthropic]:
        """The client of each event loop. Raises `MissingExtraError`, and `ConfigError` if there is no key."""
        try:
            import anthropic
        except ImportError as error:
            raise MissingExtraError("ClaudeLLM", "claude") from error
        key, url = self._key.value, self._base_url
        token = variable("ANTHROPIC_AUTH_TOKEN")  # which the library would take with a newline at its end
        client = PerLoop(
            lambda: anthropic.AsyncAnthropic(
                api_key=key,
                auth_token=token,
                base_url=url,
                max_retries=0,
                http_client=anthropic.DefaultAsyncHttpxClient(mounts=DIRECT),
            )
        )
        if key is None and not any(getattr(client.spare, other, None) for other in ("auth_token", "credentials")):
            raise ConfigError("ClaudeLLM has no key: set ANTHROPIC_API_KEY, or give it `api_key`")
        return client

    async def chat(self, messages: list[Message]) -> AsyncIterator[Piece]:
        import anthropic

        calls: dict[int, _ToolUse] = {}
        try:
            async with await self._request(messages) as stream:
                async for event in stream:
                    match event.type:
                        case "content_block_start" if event.content_block.type == "tool_use":
                            block = event.content_block
                            calls[event.index] = _ToolUse(block.id, block.name, block.input or {})
                        case "content_block_start" if event.content_block.type == "text" and event.content_block.text:
                            yield event.content_block.text
                        case "content_block_delta" if event.delta and event.delta.type == "text_delta":
                            yield event.delta.text
                        case "content_block_delta" if event.delta and event.delta.type == "input_json_delta":
                            calls[event.index].pieces += event.delta.partial_json
                        case "content_block_stop" if event.index in calls:
                            yield calls.pop(event.index).whole()
                        case "message_delta" if event.delta.stop_reason == "refusal":
                            raise ProviderConnectionError("Claude declined to answer")
                        case "message_delta" if event.delta.stop_reason in _CUT_SHORT:
                            yield CutShort(event.delta.stop_reason)
        except anthropic.AnthropicError as error:
            raise explained(error, "Claude", self._model, self._key) from error
        for call in calls.values():
            yield call.whole()

    async def _request(self, messages: list[Message]) -> anthropic.AsyncStream[Any]:
        import anthropic

        system = " ".join(message.content for message in messages if message.role == "system")
        body: dict[str, Any] = {"system": system} if system else {}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.tools:
            body["tools"] = [
                {"name": t.name, "description": t.description, "input_schema": t.parameters} for t in self.tools
            ]
        while True:
            thinks = self._model in _thinkers
            body |= {"output_config": {"effort": "low"}} if thinks else {"thinking": {"type": "disabled"}}
            try:
                return await attempted(partial(self._post, messages, body, thinks=thinks))
            except anthropic.BadRequestError as error:
                if thinks or "thinking" in self._extra or "thinking" not in str(error):
                    raise
                _thinkers.add(self._model)
                del body["thinking"]

    async def _post(self, messages: list[Message], body: dict[str, Any], *, thinks: bool) -> anthropic.AsyncStream[Any]:
        client: anthropic.AsyncAnthropic = self.model.get()
        return await client.messages.create(
            model=self._model,
            max_tokens=self.max_tokens + (THINKING_TOKENS if thinks else 0),
            messages=_to_claude(messages),
            stream=True,
            extra_body=body | self._extra,
        )


class _ToolUse(msgspec.Struct):
    """A tool call while its pieces arrive."""

    id: str
    name: str
    given: dict[str, Any]
    """The arguments, where they do not come in pieces."""
    pieces: str = ""

    def whole(self) -> ToolCall:
        return ToolCall(self.id, self.name, self.pieces or json.dumps(self.given))


def _to_claude(messages: list[Message]) -> Any:
    """The conversation in Claude's form, without the system prompt: only the roles user and assistant, which alternate.
    Results of tools are the user's."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        blocks: list[dict[str, Any]] = []
        if message.role == "system":
            continue
        if message.role == "tool":
            blocks.append({"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content})
        elif message.content:
            blocks.append({"type": "text", "text": message.content})
        for call in message.tool_calls:
            blocks.append({"type": "tool_use", "id": call.id, "name": call.safe_name, "input": call.given})
        role = "assistant" if message.role == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns
