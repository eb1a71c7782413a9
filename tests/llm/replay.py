"""A double of every server with OpenAI's chat completions, of Anthropic's and of Ollama: it answers with what those
servers send, which is data in `dialects/` and beside it, made from their documentation and from reports about them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml
from ollama_server import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

DATA = Path(__file__).parent / "dialects"


class Dialect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer of one server."""

    case: str
    stream: str
    """The lines that the server sends."""
    source: str = ""
    text: str = ""
    """What is meant to be said."""
    calls: list[tuple[str, dict[str, Any]]] = []
    """The tools that are meant to be called, with their arguments."""
    finish: str = ""
    conforms: bool = False
    """Whether OpenAI's own SDK reads it as meant."""


class Broken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stream with an error in its middle."""

    server: str
    words: str
    """What the error says."""
    stream: str


def dialects(api: str) -> Iterator[tuple[str, Dialect]]:
    """All answers in the dialects of one API, with their names."""
    for file in sorted((DATA / api).glob("*.yaml")):
        if file.stem != "failures":
            for dialect in msgspec.convert(yaml.safe_load(file.read_text()), list[Dialect]):
                yield f"{file.stem}: {dialect.case}", dialect


def failures() -> list[Broken]:
    return msgspec.convert(yaml.safe_load((DATA / "chat_completions" / "failures.yaml").read_text()), list[Broken])


def events(stream: str) -> str:
    """The lines as server-sent events, each of which ends with a blank line."""
    return "".join(f"{line}\n" if line.startswith("event:") else f"{line}\n\n" for line in stream.splitlines())


def stream_of(*chunks: dict[str, Any]) -> str:
    return events("\n".join(f"data: {json.dumps(chunk)}" for chunk in chunks))


def chunk(delta: Any, finish: str | None = None) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


class Answer(msgspec.Struct):
    """What the double answers to one request."""

    body: str
    type: str = "text/event-stream"
    status: int = 200
    headers: dict[str, str] = {}


class Replay:
    """`answers` are given in turn, the last one again and again; `requests` are what was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[dict[str, Any]] = []
        self.url = ""

    def say(self, *answers: Answer | str) -> None:
        """Forget what was asked, and answer these from now on."""
        self.answers = [Answer(answer) if isinstance(answer, str) else answer for answer in answers]
        self.requests = []

    @contextlib.contextmanager
    def running(self) -> Iterator[Replay]:
        paths = ("/v1/chat/completions", "/v1/messages", "/api/chat")
        app = Starlette(routes=[Route(path, self._answer, methods=["POST"]) for path in paths])
        with Server(app).running() as url:
            self.url = f"{url}/v1"
            yield self

    async def _answer(self, request: Request) -> Response:
        self.requests.append(await request.json())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(answer.body, answer.status, answer.headers, answer.type)
