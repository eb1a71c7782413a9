"""A conversation in which the model refuses requests for what they contain: none is sent again unchanged, and the turns
that follow are answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from doubles import make_call
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import Notes, Voice, run

from voiceflow import Error, Frame, Transcript
from voiceflow.processors.llm import LLM, ContextFullError, Message, RequestRefusedError, ToolCall
from voiceflow.words import ENGLISH


def size(messages: list[Message]) -> int:
    return sum(len(message.content) for message in messages)


class Picky(LLM):
    """A model that refuses what `refuses` says, with that error."""

    def __init__(self, refuses: Callable[[list[Message]], Exception | None], **options: Any) -> None:
        super().__init__(**options)
        self.refuses = refuses
        self.asked: list[list[Message]] = []
        self.refused: list[list[Message]] = []
        self.calls: list[ToolCall] = []

    async def chat(self, messages: list[Message]) -> AsyncIterator[str | ToolCall]:
        assert messages not in self.refused, "it was refused before"
        self.asked.append(messages)
        for message in messages:
            message.content.encode()
        if (error := self.refuses(messages)) is not None:
            self.refused.append(messages)
            raise error
        if self.calls:
            yield self.calls.pop(0)
        else:
            yield f"It is {messages[-1].content[:12]}."


def converse(model: LLM, *turns: str) -> tuple[list[str], list[Frame]]:
    """What is said in turn, and the errors."""
    voice, notes = Voice(), Notes()
    script = [item for turn in turns for item in (Transcript(turn), 20.0)]
    ended = run(make_call(*script), lambda c: c.source | model | notes | voice | c.sink)
    assert ended.error is None
    return voice.texts, notes.of(Error)


def longer_than(characters: int) -> Callable[[list[Message]], Exception | None]:
    return lambda messages: ContextFullError("context full") if size(messages) > characters else None


def test_when_the_context_is_full_the_older_half_goes_and_the_budget_is_remembered():
    model = Picky(longer_than(400), history=100_000)
    said, errors = converse(model, *[f"question {number} {'x' * 50}" for number in range(20)])
    assert len(said) == 20
    assert errors == []
    assert len(model.refused) == 1
    refused = next(place for place, messages in enumerate(model.asked) if size(messages) > 400)
    assert size(model.asked[refused]) * 0.3 < size(model.asked[refused + 1]) <= size(model.asked[refused]) / 2
    assert max(map(size, model.asked[refused + 1 :])) <= 400


@given(st.lists(st.integers(1, 120), min_size=1, max_size=12), st.integers(60, 400))
@settings(deadline=None, max_examples=30)
def test_a_context_of_any_size_costs_one_turn_at_most_that_does_not_fit_by_itself(lengths, limit):
    model = Picky(longer_than(limit), history=100_000)
    said, errors = converse(model, *["x" * length for length in lengths])
    too_long = sum(length > limit for length in lengths)
    assert len(errors) == too_long
    assert len(said) == len(lengths)
    assert said.count(ENGLISH.cannot_think) == too_long


def test_a_result_that_does_not_fit_is_shortened():
    def read() -> str:
        """The manual."""
        return "x" * 2000

    model = Picky(longer_than(1500), history=100_000, tools=[read])
    model.calls = [ToolCall("1", "read", "{}")]
    said, errors = converse(model, "read it", "thanks")
    assert (len(said), errors) == (2, [])
    assert 500 < len(model.asked[2][-1].content) < 1100


def with_word(word: str) -> Callable[[list[Message]], Exception | None]:
    def refuses(messages: list[Message]) -> Exception | None:
        return RequestRefusedError("refused") if any(word in str(message) for message in messages) else None

    return refuses


def test_what_the_caller_said_and_the_model_refuses_is_not_sent_again():
    model = Picky(with_word("bomb"))
    said, errors = converse(model, "hello", "a bomb", "well", "and now")
    assert said == ["It is hello.", ENGLISH.cannot_think, "It is well.", "It is and now."]
    assert len(errors) == 1
    assert [m.content for m in model.asked[-1] if m.role == "user"] == ["hello", "well", "and now"]


def test_a_call_that_the_model_makes_and_then_refuses_is_not_sent_again():
    model = Picky(with_word("bad name"))
    model.calls = [ToolCall("1", "bad name", "{}")]
    said, errors = converse(model, "hello", "well")
    assert said == [ENGLISH.cannot_think, "It is well."]
    assert len(errors) == 1


def test_what_is_refused_only_later_is_left_out_of_what_follows():
    def refuses(messages: list[Message]) -> Exception | None:
        in_history = any("odd" in message.content for message in messages[:-1])
        return RequestRefusedError("refused") if in_history else None

    model = Picky(refuses)
    said, errors = converse(model, "hello", "odd", "well", "and now")
    assert said == ["It is hello.", "It is odd.", "It is well.", "It is and now."]
    assert errors == []
    assert len(model.refused) == 1


def test_a_model_that_refuses_all_that_was_before_is_asked_without_it():
    model = Picky(lambda messages: RequestRefusedError("refused") if len(messages) > 1 else None)
    said, _ = converse(model, "one", "two", "three", "four")
    assert said[0] == "It is one."
    assert said[-1] == "It is four."


@pytest.mark.parametrize("half", ["\ud83d", "caf\ud83d\ud83d e"])
def test_halves_of_characters_are_replaced_in_all_that_is_sent(half):
    def look() -> dict[str, list[str]]:
        """Returns half an emoji."""
        return {"found": [half]}

    def read() -> str:
        return half

    read.__doc__ = f"Read {half}"
    model = Picky(lambda messages: None, system=half, tools=[look, read])
    model.calls = [ToolCall("1", "look", "{}"), ToolCall(half, "read", f'{{"{half}": 1}}')]
    said, errors = converse(model, f"hello {half}", "well")
    assert errors == []
    assert len(said) == 2
    for messages in model.asked:
        for message in messages:
            str([message.content, message.tool_call_id, *map(str, message.tool_calls)]).encode()
    str(model.tools[1].as_function).encode()
    results = [message.content for message in model.asked[-1] if message.role == "tool"]
    assert "found" in results[0]


def test_two_halves_of_one_character_are_that_character():
    assert Message("user", "\ud83d\ude00").content == "😀"
