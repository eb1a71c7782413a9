"""Models that Ollama serves, on this machine or another."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from voiceflow.errors import MissingExtraError, ProviderConnectionError
from voiceflow.logs import get_logger
from voiceflow.processors.llm.interface import LLM, LLMOptions
from voiceflow.processors.llm.messages import CutShort, Message, ToolCall
from voiceflow.processors.llm.pieces import Piece
from voiceflow.processors.llm.providers import PerLoop, public
from voiceflow.processors.llm.refusals import refusal
from voiceflow.variables import DIRECT, variable

if TYPE_CHECKING:
    import ollama

logger = get_logger(__name__)

DEFAULT_MODEL = "llama3.2"
PORT = 11434
KEEP_ALIVE = "24h"
"""How long Ollama keeps the model in memory after a request: loading it again may take longer than a caller waits."""
WARM_UP_SECONDS = 60.0
"""Seconds that `load` waits for Ollama to load the model."""
CHARACTERS_PER_TOKEN = 3
"""The fewest that are expected: so the history's budget of characters fits into the model's context window."""


def default_model(environment: Mapping[str, str] | None = None) -> str:
    """The model that is asked where none is named."""
    return variable("OLLAMA_MODEL", environment) or DEFAULT_MODEL


def address(environment: Mapping[str, str] | None = None) -> str:
    """Where Ollama is, as a URL: $OLLAMA_URL, else $OLLAMA_HOST, else this machine."""
    return _url(variable("OLLAMA_URL", environment) or variable("OLLAMA_HOST", environment) or "localhost")


def _url(named: str) -> str:
    """The address `named` as a URL, read as Ollama's own clients do: without scheme and port, the port is 11434."""
    if "://" in named:
        return named.rstrip("/")
    place, _, path = named.partition("/")
    if not re.search(r":\d+$", place):
        place += f":{PORT}"
    return f"http://{place}/{path}".rstrip("/")


class OllamaLLM(LLM):
    """A model that Ollama serves: `model` as `ollama list` names it ($OLLAMA_MODEL, else llama3.2), `host` as a URL
    ($OLLAMA_URL, $OLLAMA_HOST, else http://localhost:11434). `parameters` are those of the model, as Ollama names
    them (`{"top_k": 20, "num_ctx": 8192}`). Needs the extra `ollama`."""

    def __init__(
        self,
        model: str | None = None,
        *,
        host: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        **options: Unpack[LLMOptions],
    ) -> None:
        super().__init__(**options)
        self._model = model or default_model()
        self._host = _url(host) if host else address()
        budget = self._history.budget // CHARACTERS_PER_TOKEN + self.max_tokens
        self._parameters: dict[str, Any] = {"num_predict": self.max_tokens, "num_ctx": 4096 * (1 + budget // 4096)}
        if self.temperature is not None:
            self._parameters["temperature"] = self.temperature
        self._parameters |= parameters or {}

    @property
    def model_key(self) -> Any:
        """What Ollama keeps in memory: the model with its context window."""
        return self._host, self._model, self._parameters["num_ctx"]

    def __repr__(self) -> str:
        return public(super().__repr__())

    def load(self) -> PerLoop[ollama.AsyncClient]:
        """The client of each event loop. Makes Ollama load the model, so that the first caller need not wait for that;
        if it cannot, the first reply fails with the reason. Raises `MissingExtraError`."""
        try:
            import ollama
        except ImportError as error:
            raise MissingExtraError("OllamaLLM", "ollama") from error
        host = self._host
        client = PerLoop(lambda: ollama.AsyncClient(host, mounts=DIRECT))
        _warm_up(host, self._model, self._parameters["num_ctx"])
        return client

    async def chat(self, messages: list[Message]) -> AsyncIterator[Piece]:
        import httpx
        import ollama

        client: ollama.AsyncClient = self.model.get()
        try:
            stream = await client.chat(
                self._model,
                [_to_ollama(message, messages) for message in messages],
                tools=[tool.as_function for tool in self.tools],
                stream=True,
                think=False,
                options=self._parameters,
                keep_alive=KEEP_ALIVE,
            )
            async for part in stream:
                if part.message.content:
                    yield part.message.content
                for call in part.message.tool_calls or ():
                    arguments = json.dumps(dict(call.function.arguments))
                    yield ToolCall(f"call_{uuid.uuid4().hex[:12]}", call.function.name, arguments)
                if part.done_reason == "length":
                    yield CutShort("length")
        except ollama.ResponseError as error:
            raise refusal(error.status_code, error.error)(self._explained(error)) from error
        except (ConnectionError, httpx.TransportError) as error:
            where, why = public(self._host), f"{error or type(error).__name__}"
            raise ProviderConnectionError(
                f"Ollama cannot be reached at {where} ({why}): start it with `ollama serve`, or set OLLAMA_URL"
            ) from error

    def _explained(self, error: ollama.ResponseError) -> str:
        if error.status_code == 404:
            return f"Ollama has no model {self._model!r}: run `ollama pull {self._model}`"
        if "does not support tools" in error.error:
            return f"{self._model} cannot call tools: use a model that can, such as {DEFAULT_MODEL}"
        return f"Ollama failed: {error.error}"


def installed_models(host: str) -> list[str] | None:
    """The models that Ollama has, except for embedding models; None if it does not answer. Blocks for 2 s at most."""
    import ollama

    try:
        with ollama.Client(host, timeout=2.0, mounts=DIRECT) as client:
            return [found.model for found in client.list().models if found.model and "embed" not in found.model]
    except Exception:  # whatever its HTTP library raises
        return None


def _warm_up(host: str, model: str, window: int) -> None:
    import ollama

    try:
        # Without messages Ollama only loads the model, with the context window of the requests that follow.
        with ollama.Client(host, timeout=WARM_UP_SECONDS, mounts=DIRECT) as client:
            client.chat(model, [], options={"num_ctx": window}, keep_alive=KEEP_ALIVE)
    except Exception as error:  # whatever its HTTP library raises: the first reply reports it
        logger.warning("Ollama has not loaded %s yet: %s", model, error)


def _to_ollama(message: Message, conversation: list[Message]) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        out["tool_calls"] = [
            {"function": {"name": call.safe_name, "arguments": call.given}} for call in message.tool_calls
        ]
    if message.tool_call_id:
        out["tool_name"] = next(
            (c.safe_name for m in conversation for c in m.tool_calls if c.id == message.tool_call_id), ""
        )
    return out
