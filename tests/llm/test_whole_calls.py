"""Whole calls with a provider's own client and a server that refuses, cuts short or writes calls as text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest
from doubles import Ear, Script
from llm.replay import Answer, Replay, chunk, stream_of
from talking import Voice

from voiceflow import AudioRaw, Call, Element, Frame, Limits, LLMText, Mark, Transcript
from voiceflow.inference import loaded_models as models
from voiceflow.processors import CleanForSpeech, SplitSentences
from voiceflow.processors.llm import OpenAILLM, openai
from voiceflow.words import ENGLISH

HELLO = stream_of(chunk({"content": "Hello there."}), chunk({}, "stop"))
FULL = {"error": {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}
LATER = {"error": {"message": "Rate limit reached. Please try again in 20s.", "code": "rate_limit_exceeded"}}


@pytest.fixture(scope="module")
def server() -> Iterator[Replay]:
    with Replay().running() as double:
        yield double


@pytest.fixture(autouse=True)
def knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_effort", "_limit", "_thinks_first"):
        monkeypatch.setattr(openai, name, {})


class Signalling(Voice):
    """Signals each sentence that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given = asyncio.Event()

    async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
        async for out in super().process(frame):
            self.given.set()
            yield out


class Caller(Script):
    """Speaks so many turns, each when the answer to the one before it has been given to the voice."""

    yields = (Transcript,)

    def __init__(self, sentences: list[int]) -> None:
        super().__init__()
        self.sentences = sentences
        self.voice = Signalling()

    async def frames(self) -> AsyncIterator[Frame]:
        for turn in range(len(self.sentences)):
            yield Transcript(f"turn {turn}")
            while len(self.voice.texts) < sum(self.sentences[: turn + 1]):
                await self.voice.given.wait()
                self.voice.given.clear()


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def said(server: Replay, *sentences: int) -> list[str]:
    """What is said in a call in which the caller speaks a turn for each of `sentences`, so many of which answer it."""
    caller = Caller(list(sentences))
    model = OpenAILLM("m", base_url=server.url, tools=[weather])

    def build(call: Call) -> Element:
        return call.source | model | CleanForSpeech() | SplitSentences() | caller.voice | call.sink

    async def main() -> None:
        await Call(caller, Ear(), transport="test", limits=Limits(drain=0.01)).run(build)
        await model.model.get().close()
        models._models.clear()

    asyncio.run(main())  # the client uses threads of the loop's own, which virtual time has none for
    return caller.voice.texts


def refused(body: object, status: int, **headers: str) -> Answer:
    return Answer(json.dumps(body), "application/json", status, headers)


def test_a_full_context_costs_no_turn(server):
    server.say(HELLO, refused(FULL, 400), HELLO)
    assert said(server, 1, 1, 1) == ["Hello there."] * 3
    assert len(server.requests) == 4
    assert server.requests[2] != server.requests[1]
    assert len(server.requests[2]["messages"]) < len(server.requests[1]["messages"])


def test_a_server_that_takes_no_requests_for_20_s_is_told_at_once_in_its_words(server, caplog):
    server.say(refused(LATER, 429, **{"retry-after": "20"}))
    assert " ".join(said(server, 2)) == ENGLISH.cannot_think
    assert len(server.requests) == 1
    assert "Rate limit reached. Please try again in 20s." in caplog.text


def test_an_answer_that_breaks_off_is_said_up_to_its_last_sentence(server):
    server.say(stream_of(chunk({"content": "One is whole. Two is"}), chunk({}, "length")), HELLO)
    assert said(server, 1, 1) == ["One is whole.", "Hello there."]


def test_a_call_of_a_tool_in_text_is_made(server):
    written = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
    server.say(stream_of(*(chunk({"content": part}) for part in (written[:9], written[9:], "<|im_end|>"))), HELLO)
    assert said(server, 1) == ["Hello there."]
    called, result = server.requests[1]["messages"][-2:]
    assert called["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
    assert (result["content"], result["tool_call_id"]) == ("sunny in Oslo", called["tool_calls"][0]["id"])
