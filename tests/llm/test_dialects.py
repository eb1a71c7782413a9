"""Streams as each server writes them are read as meant: by our models, and by the SDKs of OpenAI, Anthropic and Ollama
as well where they are what those document."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import ollama
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.replay import Answer, Dialect, Replay, chunk, dialects, events, failures, stream_of

from voiceflow import ProviderConnectionError
from voiceflow.inference import loaded_models as models
from voiceflow.processors.llm import LLM, ClaudeLLM, CutShort, Message, OllamaLLM, OpenAILLM, ToolCall
from voiceflow.processors.llm.chat_completions import BrokenOffError, Completion
from voiceflow.processors.llm.pieces import pieces

ASKED = [Message("user", "hello")]
DIALECTS = dict(dialects("chat_completions"))
CLAUDES, OLLAMAS = dict(dialects("claude")), dict(dialects("ollama"))
CITY = '{"city": "Oslo"}'


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    with Replay().running() as double:
        yield double


def asked(url: str, messages: list[Message] = ASKED) -> tuple[str, list[ToolCall], list[CutShort]]:
    """The text of the answer, the tools that it calls, and whether it breaks off."""
    return answer_of(OpenAILLM("m", base_url=url), messages)


def answer_of(llm: LLM, messages: list[Message] = ASKED) -> tuple[str, list[ToolCall], list[CutShort]]:
    async def main() -> list[Any]:
        await models.load([llm])
        try:
            return [piece async for piece in pieces(llm.chat, messages)]
        finally:
            await llm.model.get().close()
            models._models.clear()

    answer = asyncio.run(main())
    text = "".join(piece for piece in answer if isinstance(piece, str))
    calls = [piece for piece in answer if isinstance(piece, ToolCall)]
    return text, calls, [piece for piece in answer if isinstance(piece, CutShort)]


def assert_is_meant(answer: tuple[str, list[ToolCall], list[CutShort]], meant: Dialect) -> None:
    text, calls, cut = answer
    assert text == meant.text
    assert [(call.name, call.given) for call in calls] == meant.calls
    assert cut == ([CutShort(meant.finish)] if meant.finish else [])
    ids = [call.id for call in calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_is_read_as_meant(replay, name):
    meant = DIALECTS[name]
    replay.say(events(meant.stream))
    assert_is_meant(asked(replay.url), meant)


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if dialect.conforms])
def test_the_providers_own_sdk_reads_what_conforms_in_the_same_way(replay, name):
    async def main() -> Any:
        async with openai.AsyncOpenAI(api_key="key", base_url=replay.url) as client:
            messages: Any = [{"role": "user", "content": "hello"}]
            async with client.chat.completions.stream(model="m", messages=messages) as stream:
                return (await stream.get_final_completion()).choices[0].message

    meant = DIALECTS[name]
    replay.say(events(meant.stream))
    message = asyncio.run(main())
    assert (message.content or "") == meant.text
    called = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
    assert called == meant.calls


@pytest.mark.parametrize("name", CLAUDES)
def test_streams_of_anthropics_api_are_read_as_meant_and_by_its_own_sdk(replay, name):
    meant, url = CLAUDES[name], replay.url.removesuffix("/v1")
    replay.say(events(meant.stream))
    assert_is_meant(answer_of(ClaudeLLM("m", api_key="key", base_url=url)), meant)
    if not meant.conforms:
        return

    async def main() -> Any:
        async with anthropic.AsyncAnthropic(api_key="key", base_url=url) as client:
            messages: Any = [{"role": "user", "content": "hello"}]
            async with client.messages.stream(model="m", messages=messages, max_tokens=9) as stream:
                return await stream.get_final_message()

    blocks = asyncio.run(main()).content
    assert "".join(block.text for block in blocks if block.type == "text") == meant.text
    assert [(block.name, block.input) for block in blocks if block.type == "tool_use"] == meant.calls


@pytest.mark.parametrize("name", OLLAMAS)
def test_streams_of_ollamas_api_are_read_as_meant_and_by_its_own_sdk(replay, name):
    meant, url = OLLAMAS[name], replay.url.removesuffix("/v1")
    replay.say(Answer(meant.stream, "application/x-ndjson"))
    assert_is_meant(answer_of(OllamaLLM("m", host=url)), meant)
    with ollama.Client(url) as client:
        said = [part.message for part in client.chat("m", [{"role": "user", "content": "hello"}], stream=True)]
    assert "".join(message.content or "" for message in said) == meant.text
    called = [call.function for message in said for call in message.tool_calls or ()]
    assert [(call.name, call.arguments) for call in called] == meant.calls


def test_a_server_that_does_not_stream_is_read_as_well(replay):
    called = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": CITY}}
    message = {"role": "assistant", "content": "Hello.", "tool_calls": [called]}
    replay.say(Answer(json.dumps({"choices": [{"index": 0, "message": message}]}), "application/json"))
    text, (call,), _ = asked(replay.url)
    assert (text, call.name, call.given) == ("Hello.", "weather", {"city": "Oslo"})


@pytest.mark.parametrize("broken", failures(), ids=lambda broken: broken.server)
def test_an_error_in_the_middle_of_a_stream_is_told_in_the_servers_words(replay, broken):
    replay.say(events(broken.stream))
    with pytest.raises(ProviderConnectionError, match=broken.words):
        asked(replay.url)


def test_what_a_server_wants_back_with_a_call_is_sent_back(replay):
    signed = {"google": {"thought_signature": "EjQKMg=="}}
    part = {"id": "function-call-1", "function": {"name": "weather", "arguments": CITY}, "extra_content": signed}
    replay.say(stream_of(chunk({"tool_calls": [part]})))
    _, (call,), _ = asked(replay.url)
    replay.say(stream_of(chunk({"content": "Sunny."})))
    asked(replay.url, [*ASKED, Message("assistant", "", (call,)), Message("tool", "sunny", (), call.id)])
    (request,) = replay.requests
    (sent,) = request["messages"][1]["tool_calls"]
    assert sent["extra_content"] == signed


def completed(chunks: list[Any]) -> tuple[str, list[tuple[str, str]]]:
    answer = Completion()
    text = "".join(map(answer.feed, chunks))
    return text, [(call.name, call.arguments) for call in answer.calls()]


def part(arguments: str, **fields: Any) -> Any:
    function = {"arguments": arguments} | ({"name": "tool"} if "id" in fields else {})
    return chunk({"tool_calls": [fields | {"function": function}]})


GIVEN = st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3), max_size=4)


@given(given=GIVEN, data=st.data())
def test_calls_are_put_together_however_their_arguments_are_cut_and_numbered(given, data):
    numbered, chunks = data.draw(st.booleans()), []
    for place, arguments in enumerate(given):
        index, text = place if numbered else data.draw(st.sampled_from([0, None])), json.dumps(arguments)
        ends = sorted({0, len(text), *data.draw(st.lists(st.integers(1, len(text)), max_size=3))})
        chunks.append(part("", index=index, id=f"id{place}"))
        chunks += [part(text[one:two], index=index) for one, two in itertools.pairwise(ends)]
    assert completed(chunks) == ("", [("tool", json.dumps(arguments)) for arguments in given])


FIELDS = "choices delta content tool_calls function index id name arguments message text type finish_reason error"
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(st.builds(lambda delta: chunk(delta), JSON) | JSON, max_size=5))
def test_nothing_that_is_json_breaks_the_reading(chunks):
    try:
        text, calls = completed(chunks)
    except BrokenOffError:
        return
    assert isinstance(text, str)
    assert all(isinstance(name, str) and isinstance(arguments, str) for name, arguments in calls)
