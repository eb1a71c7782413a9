"""Models of OpenAI, and of every server with its chat completions API: llama.cpp, vLLM, LM Studio, Groq ..."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from voiceflow.errors import ConfigError, MissingExtraError
from voiceflow.processors.llm.chat_completions import BrokenOffError, Completion
from voiceflow.processors.llm.cloud import CloudLLM
from voiceflow.processors.llm.messages import CutShort, Message, ToolCall
from voiceflow.processors.llm.pieces import Piece
from voiceflow.processors.llm.providers import PerLoop, attempted, explained, said
from voiceflow.variables import DIRECT, variable

if TYPE_CHECKING:
    import openai

DEFAULT_MODEL = "gpt-6-luna"
"""OpenAI's fastest model; in chat completions it calls tools only if it does not reason."""

_EFFORTS = ("none", "minimal", None)
"""The values of `reasoning_effort` that are tried in turn to ask for no reasoning: models before gpt-5.1 know only
`minimal`, others know no effort at all."""

_LIMITS = ("max_tokens", "max_completion_tokens")
"""The names of the limit of tokens."""
_UNKNOWN = re.compile("unsupported|not supported|not permitted|unknown|unrecognized|unexpected", re.IGNORECASE)
"""How servers say that they do not know a field."""


class OpenAILLM(CloudLLM):
    """A model by chat completions: `model` ($OPENAI_MODEL, else gpt-6-luna) at `base_url` ($OPENAI_BASE_URL, else
    OpenAI's), with `api_key` ($OPENAI_API_KEY). The fields of `extra_body` are added to every request and override
    its own. Needs the extra `openai`."""

    key_variable, url_variable = "OPENAI_API_KEY", "OPENAI_BASE_URL"

    @classmethod
    def default_model(cls, environment: Mapping[str, str] | None = None) -> str:
        return variable("OPENAI_MODEL", environment) or DEFAULT_MODEL

    def load(self) -> PerLoop[openai.AsyncOpenAI]:
        """The client of each event loop. Raises `MissingExtraError`, and `ConfigError` without a key for OpenAI."""
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError("OpenAILLM", "openai") from error
        # A server of your own may need no key, but the library needs one.
        key, url = self._key.value or ("none" if self._base_url else None), self._base_url
        if key is None:
            raise ConfigError("OpenAILLM has no key: set OPENAI_API_KEY, or give it `api_key`")
        # The library takes these from the environment as they stand there, with a newline at the end as from a file.
        organization, project = variable("OPENAI_ORG_ID"), variable("OPENAI_PROJECT_ID")
        return PerLoop(
            lambda: openai.AsyncOpenAI(
                api_key=key,
                base_url=url,
                organization=organization,
                project=project,
                max_retries=0,
                http_client=openai.DefaultAsyncHttpxClient(mounts=DIRECT),
            )
        )

    @property
    def thinks_first(self) -> bool | None:
        """Whether its thoughts come as a part of its answers. Services separate them; of other servers the first answer
        shows it."""
        url = self._base_url
        own = url is not None and not any(service in url for service in _SERVICES)
        return _thinks_first.get((self._base_url, self._model), None if own else False)

    @thinks_first.setter
    def thinks_first(self, thinks: bool | None) -> None:
        _thinks_first[self._base_url, self._model] = thinks

    async def chat(self, messages: list[Message]) -> AsyncIterator[Piece]:
        import openai

        answer = Completion()
        try:
            async with await self._request(messages) as stream:
                async for chunk in _chunks(stream):
                    if text := answer.feed(chunk):
                        yield text
        except (openai.OpenAIError, BrokenOffError, json.JSONDecodeError) as error:
            raise explained(error, self._base_url or "OpenAI", self._model, self._key) from error
        for call in answer.calls():
            yield call
        if answer.finish_reason.lower() in ("length", "max_tokens", "content_filter"):
            yield CutShort(answer.finish_reason)

    async def _request(self, messages: list[Message]) -> openai.AsyncStream[object]:
        import openai

        client: openai.AsyncOpenAI = self.model.get()
        key = (self._base_url, self._model)
        while True:
            effort = _effort.get(key, _EFFORTS[0])
            # OpenAI's reasoning models refuse `max_tokens`; not every other server knows its new name.
            limit = _limit.get(key, _LIMITS[0] if self._base_url else _LIMITS[1])
            body: dict[str, Any] = {"model": self._model, "stream": True, limit: self.max_tokens}
            body["messages"] = [_to_openai(message) for message in messages]
            if effort is not None:
                body["reasoning_effort"] = effort
            if self.temperature is not None:
                body["temperature"] = self.temperature
            if self.tools:
                body["tools"] = [tool.as_function for tool in self.tools]
            body |= self._extra
            try:
                return await attempted(partial(_post, client, body))
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                why = said(error)
                if limit in why and _UNKNOWN.search(why) and limit not in self._extra and key not in _limit:
                    _limit[key] = _LIMITS[1 - _LIMITS.index(limit)]
                elif effort is not None and "reasoning_effort" not in self._extra and "reasoning" in why:
                    _effort[key] = _EFFORTS[_EFFORTS.index(effort) + 1]
                else:
                    raise


_effort: dict[tuple[str | None, str], str | None] = {}
"""The `reasoning_effort` that each model, by base URL and name, was found to accept."""


_SERVICES = (
    "openai.com",
    "openai.azure.com",
    "services.ai.azure.com",
    "mistral.ai",
    "googleapis.com",
    "deepseek.com",
    "aliyuncs.com",
    "groq.com",
    "openrouter.ai",
    "anthropic.com",
    "x.ai",
)
_thinks_first: dict[tuple[str | None, str], bool | None] = {}
"""Whether the thoughts of each model, by base URL and name, were found to come as a part of its answers."""
_limit: dict[tuple[str | None, str], str] = {}
"""The name that each model was found to want for the limit of tokens."""


async def _post(client: openai.AsyncOpenAI, body: dict[str, Any]) -> openai.AsyncStream[object]:
    import openai

    # Not by `chat.completions.create`: that makes objects of chunks that may have another form.
    stream = openai.AsyncStream[object]
    return await client.post("/chat/completions", cast_to=object, body=body, stream=True, stream_cls=stream)


async def _chunks(stream: openai.AsyncStream[object]) -> AsyncIterator[object]:
    """The chunks of an answer: a single one if the server does not stream."""
    if "json" in stream.response.headers.get("content-type", ""):
        yield json.loads(await stream.response.aread())
    else:
        async for chunk in stream:
            yield chunk


def _to_openai(message: Message) -> Any:
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [_to_call(call) for call in message.tool_calls]
    if message.tool_call_id:
        out["tool_call_id"] = message.tool_call_id
    return out


def _to_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.safe_name, "arguments": json.dumps(call.given)}
    extra = {"extra_content": call.extra} if call.extra else {}
    return {"id": call.id, "type": "function", "function": function, **extra}
