"""Doubles of the two cloud providers: servers that stream events as OpenAI's chat completions and Anthropic's messages
do, and refuse what those refuse. Their real clients are what finds them faithful."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any

from ollama_server import Call, Failure, Refusal, Server, Step
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


class Provider:
    """`script` holds the answers to come, `requests` what was asked."""

    path: str

    def __init__(self) -> None:
        self.script: deque[list[Step]] = deque()
        self.requests: list[dict[str, Any]] = []
        self._app = Starlette(routes=[Route(self.path, self._answer, methods=["POST"])])

    def running(self) -> AbstractContextManager[str]:
        return Server(self._app).running()

    async def _answer(self, request: Request) -> Response:
        asked = await request.json()
        self.requests.append(asked)
        if refused := self.refuse(asked, request):
            return JSONResponse(self.error(refused), refused.status)
        steps = self.script.popleft() if self.script else ["hello ", "there"]
        if isinstance(steps[0], Refusal):
            return JSONResponse(self.error(steps[0]), steps[0].status)
        return StreamingResponse(self.events(steps), media_type="text/event-stream")

    def refuse(self, asked: dict[str, Any], request: Request) -> Refusal | None:
        raise NotImplementedError

    def error(self, refused: Refusal) -> dict[str, Any]:
        raise NotImplementedError

    def events(self, steps: list[Step]) -> AsyncIterator[bytes]:
        raise NotImplementedError


class OpenAI(Provider):
    """One model, `model`, which understands these `efforts`."""

    path = "/v1/chat/completions"

    def __init__(self, model: str, *efforts: str) -> None:
        super().__init__()
        self.model, self.efforts = model, efforts

    def refuse(self, asked: dict[str, Any], request: Request) -> Refusal | None:
        if request.headers.get("authorization") == "Bearer wrong":
            return Refusal(401, "Incorrect API key provided: wrong.")
        if asked["model"] != self.model:
            return Refusal(404, f"The model `{asked['model']}` does not exist or you do not have access to it.")
        effort = asked.get("reasoning_effort")
        if effort is not None and effort not in self.efforts:
            return Refusal(400, f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model.")
        open_calls: set[str] = set()
        for message in asked["messages"]:
            if message["role"] == "tool":
                if message["tool_call_id"] not in open_calls:
                    return Refusal(400, "messages with role 'tool' must be a response to a preceeding message")
                open_calls.remove(message["tool_call_id"])
            elif open_calls:
                return Refusal(400, "An assistant message with 'tool_calls' must be followed by tool messages")
            for call in message.get("tool_calls", ()):
                json.loads(call["function"]["arguments"])
                open_calls.add(call["id"])
        return None

    def error(self, refused: Refusal) -> dict[str, Any]:
        return {"error": {"message": refused.error, "type": "invalid_request_error", "param": None, "code": None}}

    async def events(self, steps: list[Step]) -> AsyncIterator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})
        calls = 0
        for step in steps:
            match step:
                case str():
                    yield self._chunk({"content": step})
                case Call(name, arguments):
                    function = {"name": name, "arguments": ""}
                    head = {"index": calls, "id": f"call_{calls}", "type": "function", "function": function}
                    yield self._chunk({"tool_calls": [head]})
                    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
                    for begin in range(0, len(text), 5):
                        piece = {"index": calls, "function": {"arguments": text[begin : begin + 5]}}
                        yield self._chunk({"tool_calls": [piece]})
                    calls += 1
                case Failure(error):
                    yield _sse({"error": {"message": error, "type": "server_error", "code": None, "param": None}})
                    return
        yield self._chunk({}, "tool_calls" if calls else "stop")
        yield _sse(self._envelope([]) | {"usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}})
        yield b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _sse(self._envelope([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]))

    def _envelope(self, choices: list[Any]) -> dict[str, Any]:
        kind = "chat.completion.chunk"
        return {"id": "chatcmpl-1", "object": kind, "created": 1762000000, "model": self.model, "choices": choices}


class Claude(Provider):
    """One model, `model`, which may be one that refuses not to think."""

    path = "/v1/messages"

    def __init__(self, model: str, *, always_thinks: bool = False) -> None:
        super().__init__()
        self.model, self.always_thinks = model, always_thinks

    def refuse(self, asked: dict[str, Any], request: Request) -> Refusal | None:
        if "wrong" in (request.headers.get("x-api-key") or request.headers.get("authorization", "")):
            return Refusal(401, "invalid x-api-key")
        if asked["model"] != self.model:
            return Refusal(404, f"model: {asked['model']}")
        if self.always_thinks and asked.get("thinking") == {"type": "disabled"}:
            return Refusal(400, "thinking.type.disabled is not supported for this model.")
        roles = [message["role"] for message in asked["messages"]]
        if roles[0] != "user":
            return Refusal(400, "messages: first message must use the user role")
        if any(one == two for one, two in itertools.pairwise(roles)):
            return Refusal(400, "messages: roles must alternate")
        called: list[str] = []
        for message in asked["messages"]:
            blocks = message["content"]
            if not blocks or any(block.get("text") == "" for block in blocks):
                return Refusal(400, "messages: text content blocks must be non-empty")
            if [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"] != called:
                return Refusal(400, "tool_use ids were found without tool_result blocks immediately after")
            called = [block["id"] for block in blocks if block["type"] == "tool_use"]
        return None

    def error(self, refused: Refusal) -> dict[str, Any]:
        return {"type": "error", "error": {"type": "invalid_request_error", "message": refused.error}}

    async def events(self, steps: list[Step]) -> AsyncIterator[bytes]:
        usage = {"input_tokens": 9, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": self.model}
        message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
        yield _event("message_start", message=message)
        yield _event("ping")
        block, reason = -1, "end_turn"
        for step in steps:
            block += 1
            match step:
                case str():
                    yield _event("content_block_start", index=block, content_block={"type": "text", "text": ""})
                    yield _event("content_block_delta", index=block, delta={"type": "text_delta", "text": step})
                case Call(name, arguments):
                    reason = "tool_use"
                    head = {"type": "tool_use", "id": f"toolu_{block}", "name": name, "input": {}}
                    yield _event("content_block_start", index=block, content_block=head)
                    text = json.dumps(arguments) if arguments else ""
                    for begin in range(0, len(text), 5):
                        delta = {"type": "input_json_delta", "partial_json": text[begin : begin + 5]}
                        yield _event("content_block_delta", index=block, delta=delta)
                case Failure("refusal"):
                    reason = "refusal"
                    continue
                case Failure(error):
                    yield _event("error", error={"type": "overloaded_error", "message": error})
                    return
            yield _event("content_block_stop", index=block)
        delta = {"stop_reason": reason, "stop_sequence": None}
        yield _event("message_delta", delta=delta, usage={"output_tokens": 2})
        yield _event("message_stop")


def _event(type: str, **fields: Any) -> bytes:
    return f"event: {type}\n".encode() + _sse({"type": type, **fields})


def _sse(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
