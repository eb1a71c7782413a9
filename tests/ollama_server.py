"""A double of Ollama: a local server that speaks its HTTP protocol - streamed chats, thoughts, tool calls, the list of
models, and its errors, as in its API documentation and its server/routes.go - and answers as a test scripts.

There is no model and no inference: without a script, it repeats what it was told.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple, TypeAlias

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

CREATED = "2025-11-03T10:00:00.123456789Z"
GONE = {"error": "model is required"}


class Thought(NamedTuple):
    """A piece of `message.thinking`."""

    text: str


class Call(NamedTuple):
    """The model calls a tool."""

    name: str
    arguments: dict[str, Any]


class Refusal(NamedTuple):
    """An HTTP error instead of an answer."""

    status: int
    error: str


class Failure(NamedTuple):
    """An error in the middle of the stream. Ollama has sent status 200 by then, so it comes as a line."""

    error: str


class Raw(NamedTuple):
    """Bytes that Ollama would not send."""

    data: bytes


class Stall:
    """Nothing more comes, and the stream does not end."""


Step: TypeAlias = str | Thought | Call | Refusal | Failure | Raw | Stall


class Server:
    """An ASGI application that is served beside a test, on a thread of its own."""

    def __init__(self, app: Any) -> None:
        config = uvicorn.Config(app, "127.0.0.1", 0, log_level="critical", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self.url = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """The server's URL, while it runs."""
        begun = threading.Event()

        async def serve() -> None:
            socket = self._server.config.bind_socket()
            self.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
            serving = asyncio.ensure_future(self._server.serve([socket]))
            while not self._server.started and not serving.done():  # noqa: ASYNC110 - uvicorn signals nothing
                await asyncio.sleep(0.005)
            begun.set()
            await serving
            socket.close()

        thread = threading.Thread(target=lambda: asyncio.run(serve()), name="double")
        thread.start()
        begun.wait(10.0)
        try:
            yield self.url
        finally:
            self._server.should_exit = self._server.force_exit = True
            thread.join()


class OllamaServer:
    """`with OllamaServer().running() as url:`. `models` maps names to capabilities; `script` holds the answers to
    come, one for each chat; `requests` what was asked."""

    def __init__(self, models: dict[str, set[str]] | None = None) -> None:
        self.models = models if models is not None else {"llama3.2:latest": {"completion", "tools"}}
        self.script: deque[list[Step]] = deque()
        self.requests: list[dict[str, Any]] = []
        self.loaded: list[dict[str, Any]] = []
        """Requests without messages, which only bring a model into memory."""
        routes = [
            Route("/", lambda _: PlainTextResponse("Ollama is running")),
            Route("/api/version", lambda _: JSONResponse({"version": "0.12.9"})),
            Route("/api/tags", self._tags),
            Route("/api/show", self._show, methods=["POST"]),
            Route("/api/chat", self._chat, methods=["POST"]),
        ]
        self._app = Starlette(routes=routes)

    def running(self) -> contextlib.AbstractContextManager[str]:
        return Server(self._app).running()

    async def _tags(self, _: Request) -> Response:
        return JSONResponse({"models": [self._listed(name) for name in self.models]})

    async def _show(self, request: Request) -> Response:
        wanted = (await request.json()).get("model", "")
        name = self._known(wanted)
        if name is None:
            return JSONResponse({"error": f"model '{wanted}' not found"}, 404)
        listed = self._listed(name)
        return JSONResponse({"details": listed["details"], "capabilities": sorted(self.models[name]), "model_info": {}})

    async def _chat(self, request: Request) -> Response:
        try:
            asked = json.loads(await request.body() or b"null")
        except ValueError:
            return JSONResponse({"error": "invalid character in request"}, 400)
        if asked is None:
            return JSONResponse({"error": "missing request body"}, 400)
        if not asked.get("model"):
            return JSONResponse(GONE, 400)
        name = self._known(asked["model"])
        if name is None:
            return JSONResponse({"error": f"model '{asked['model']}' not found"}, 404)
        able = self.models[name]
        if asked.get("tools") and "tools" not in able:
            return JSONResponse({"error": f"registry.ollama.ai/library/{name} does not support tools"}, 400)
        if asked.get("think") and "thinking" not in able:
            return JSONResponse({"error": f'"{asked["model"]}" does not support thinking'}, 400)
        if wrong := _malformed(asked.get("messages") or []):
            return JSONResponse({"error": wrong}, 400)
        if not asked.get("messages"):
            self.loaded.append(asked)
            return JSONResponse(self._line(asked, {"role": "assistant", "content": ""}, done_reason="load"))
        self.requests.append(asked)
        last = asked["messages"][-1]["content"]
        steps: list[Step] = self.script.popleft() if self.script else [f"{word} " for word in last.split()]
        if steps and isinstance(steps[0], Refusal):
            return JSONResponse({"error": steps[0].error}, steps[0].status)
        assert asked.get("stream") is not False, "this double only streams"
        return StreamingResponse(self._stream(asked, steps, able), media_type="application/x-ndjson")

    async def _stream(self, asked: dict[str, Any], steps: list[Step], able: set[str]) -> AsyncIterator[bytes]:
        limit = asked.get("options", {}).get("num_predict", -1)
        thinks = "thinking" in able and asked.get("think") is not False
        tokens, reason = 0, "stop"
        for step in steps:
            if tokens == limit:
                reason = "length"
                break
            message: dict[str, Any] = {"role": "assistant", "content": ""}
            match step:
                case str():
                    message["content"] = step
                case Thought(text) if thinks:
                    message["thinking"] = text
                case Call(name, arguments):
                    function = {"index": 0, "name": name, "arguments": arguments}
                    message["tool_calls"] = [{"id": f"call_{len(self.requests):08d}", "function": function}]
                case Failure(error):
                    yield json.dumps({"error": error}).encode() + b"\n"
                    return
                case Raw(data):
                    yield data
                    return
                case Stall():
                    await asyncio.sleep(3600)
                case _:
                    continue
            tokens += 1
            yield json.dumps(self._line(asked, message)).encode() + b"\n"
        end = self._line(asked, {"role": "assistant", "content": ""}, done_reason=reason, eval_count=tokens)
        yield json.dumps(end).encode() + b"\n"

    def _line(self, asked: dict[str, Any], message: dict[str, Any], **end: Any) -> dict[str, Any]:
        line = {"model": asked["model"], "created_at": CREATED, "message": message, "done": bool(end)}
        if not end or end["done_reason"] == "load":
            return line | end
        spent = {"total_duration": 350_000_000, "load_duration": 20_000_000, "prompt_eval_count": 26}
        return line | end | spent | {"prompt_eval_duration": 130_000_000, "eval_duration": 200_000_000}

    def _known(self, name: str) -> str | None:
        full = name if ":" in name else f"{name}:latest"
        return full if full in self.models else None

    def _listed(self, name: str) -> dict[str, Any]:
        details = {"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"]}
        details |= {"parameter_size": "3.2B", "quantization_level": "Q4_K_M"}
        digest = "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72"
        return {
            "name": name,
            "model": name,
            "modified_at": CREATED,
            "size": 2_019_393_189,
            "digest": digest,
            "details": details,
        }


def _malformed(messages: list[Any]) -> str | None:
    """The error of Go's JSON decoder for messages of a wrong shape; None if they are well-formed."""
    for message in messages:
        if not isinstance(message.get("content", ""), str):
            return "json: cannot unmarshal into Go struct field ChatRequest.messages.content of type string"
        for call in message.get("tool_calls") or ():
            if not isinstance(call["function"]["arguments"], dict):
                return (
                    "json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls of type "
                    "api.ToolCallFunctionArguments"
                )
    return None
