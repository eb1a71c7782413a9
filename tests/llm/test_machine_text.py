"""What a model writes for machines is never spoken: thoughts, tokens of chat templates, calls of tools."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from doubles import make_call
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import Notes, Voice, run

from voiceflow import Error, Transcript
from voiceflow.processors import CleanForSpeech, SplitSentences
from voiceflow.processors.llm import LLM, CutShort, Message, OpenAILLM, ToolCall, openai
from voiceflow.processors.llm.spoken import SpokenText
from voiceflow.words import ENGLISH


def spoken(*pieces: str, thinks: bool = False) -> str:
    filter = SpokenText(thinks=thinks)
    return "".join([*map(filter.feed, pieces), filter.finish()])


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[begin:end] for begin, end in itertools.pairwise(ends)]


ENDS = [
    *("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>", "<|end|>", "<|eot|>", "<|return|>"),
    *("<|end_of_turn|>", "<|endofturn|>", "<|END_OF_TURN_TOKEN|>", "<|END_RESPONSE|>", "</s>", "<eos>", "[EOS]"),
    *("<end_of_turn>", "<end_of_utterance>", "<turn|>", "<｜end▁of▁sentence｜>"),
]
BEGINNINGS = [
    "<|im_start|>assistant\n",
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<start_of_turn>model\n",
    "<|turn>model\n",
    "<|assistant|>\n",
    "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>",
    "<|start_of_role|>assistant<|end_of_role|>",
    "<｜Assistant｜>",
    "<s>",
    "<bos>",
    "<|begin_of_text|>",
    "<|start|>assistant<|channel|>final<|message|>",
    "<|channel|>analysis<|message|>Hm, <b>.<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|START_THINKING|>Hm.<|END_THINKING|>",
    "[THINK]Hm.[/THINK]",
    "◁think▷Hm.◁/think▷",
    "<seed:think>Hm.</seed:think>",
    "<think></think>\n\n",
    "<answer>",
]
NEXT_TURNS = [
    "\n<|im_start|>user\nAnd you?<|im_end|>\n<|im_start|>assistant\n",
    "<|start_header_id|>user<|end_header_id|>\n\nAnd you?",
    "\n<start_of_turn>user\nAnd you?",
    "<|user|>\nAnd you?",
    "[INST] And you? [/INST]",
    "<｜User｜>And you?",
    "\nuser\nAnd you?",
    "\n\n\n",
]
PLACES = st.lists(st.integers(0, 200), max_size=6)


@pytest.mark.parametrize("token", ENDS)
@given(places=PLACES)
@settings(max_examples=10)
def test_the_token_that_ends_a_turn_is_not_spoken(token, places):
    assert spoken(*cut(f"Hello there.{token}", places)) == "Hello there."
    assert spoken(*cut(f"Hello{token} there.", places)) == "Hello there."


@pytest.mark.parametrize("beginning", BEGINNINGS)
@given(places=PLACES)
@settings(max_examples=10)
def test_what_begins_an_answer_is_not_spoken(beginning, places):
    assert spoken(*cut(f"{beginning}Hello there.", places)) == "Hello there."


@pytest.mark.parametrize("following", NEXT_TURNS)
@pytest.mark.parametrize("token", ["<|im_end|>", "<|eot_id|>", "</s>", "<end_of_turn>"])
@given(places=PLACES)
@settings(max_examples=10)
def test_the_turn_that_a_model_makes_up_for_the_caller_is_not_spoken(token, following, places):
    assert spoken(*cut(f"Hello there.{token}{following}", places)).rstrip() == "Hello there."


@pytest.mark.parametrize(
    "token",
    ["<unk>", "<pad>", "[PAD]", "<|reserved_special_token_5|>", "<extra_id_0>", "<unused3>", "<0x0A>", "<|eom|>"],
)
def test_tokens_that_mean_nothing_are_not_spoken(token):
    assert spoken(f"Hello {token}there.") == spoken(*f"Hello {token}there.") == "Hello there."


@pytest.mark.parametrize(
    "text", ["3 < 4 and 5 > 4", "a <b>bold</b> word", "[very] nice", "<3", "I [sic] am {here}", "x|y|z", "`code` it"]
)
def test_ordinary_brackets_are_spoken(text):
    assert spoken(text) == spoken(*text) == text


def test_a_model_that_thinks_first_says_what_comes_after_or_all_of_it():
    assert spoken("I must ", "greet.\n</thi", "nk>\n\nHello.", thinks=True) == "Hello."
    assert spoken("Hello", " there.", thinks=True) == "Hello there."
    assert spoken("<think>Hm.</think>Hello.", thinks=True) == "Hello."


# in a call


class Writer(LLM):
    """Writes these pieces, an answer for each turn; numbers are seconds to wait."""

    def __init__(self, *answers: list[Any], **options: Any) -> None:
        super().__init__(**options)
        self.answers = list(answers)
        self.asked: list[list[Message]] = []

    async def chat(self, messages: list[Message]) -> AsyncIterator[str | ToolCall | CutShort]:
        self.asked.append(messages)
        for piece in self.answers.pop(0):
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            elif isinstance(piece, Exception):
                raise piece
            else:
                yield piece


def said(model: LLM, turns: int = 1) -> tuple[list[str], Notes]:
    voice, notes = Voice(), Notes()
    script = [item for _ in range(turns) for item in (Transcript("go"), 30.0)]
    parts = (CleanForSpeech(), SplitSentences())
    ended = run(make_call(*script), lambda c: c.source | model | notes | parts[0] | parts[1] | voice | c.sink)
    assert ended.error is None
    return voice.texts, notes


def weather(city: str) -> str:
    """The weather."""
    return f"sunny in {city}"


def test_a_call_that_is_written_is_made_and_not_spoken():
    written = '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call>'
    model = Writer(["Let me see. ", written[:20], written[20:], "<|im_end|>"], ["It is sunny."], tools=[weather])
    assert said(model)[0] == ["Let me see.", "It is sunny."]
    assert model.asked[1][-1].content == "sunny in Oslo"
    (call,) = model.asked[1][-2].tool_calls
    assert (call.name, call.given) == ("weather", {"city": "Oslo"})


def test_a_call_that_a_server_has_read_and_passes_on_as_text_as_well_is_made_once():
    made: list[str] = []

    def book(day: str) -> None:
        made.append(day)

    written = '<tool_call>{"name": "book", "arguments": {"day": "Monday"}}</tool_call>'
    model = Writer([written, ToolCall("1", "book", '{"day":"Monday"}')], ["Done."], tools=[book])
    assert said(model)[0] == ["Done."]
    assert made == ["Monday"]


def test_a_written_call_that_cannot_be_read_is_told_to_the_model():
    model = Writer(['<tool_call>{"name": "weather", "arguments": {"city": </tool_call>'], ["Sorry."], tools=[weather])
    assert said(model)[0] == ["Sorry."]
    assert model.asked[1][-1].content.startswith("Error: wrong arguments for weather")


def test_thoughts_before_a_lone_end_are_not_said():
    model = Writer(["I should greet. Be brief.", "</think>", "Hello."], ["Hm. What now?", 1.0, "</think>", "Bye."])
    texts, notes = said(model, turns=2)
    assert texts == ["Hello.", "Bye."]
    assert notes.of(Error) == []
    assert [m.content for m in model.asked[1]] == ["go", "Hello.", "go"]


def test_thoughts_that_begin_as_thoughts_do_are_held_back_though_they_come_slowly():
    for begin in ("Okay, so", "The user wants", "I should", "Let's", "Hmm"):
        assert said(Writer([begin[:3], 0.5, begin[3:], " this. And that.", 3.0, "</think>", "Hello."]))[0] == ["Hello."]


def test_an_answer_that_begins_as_thoughts_do_and_comes_slowly_is_not_held_back_for_long():
    texts, notes = said(Writer(["Okay. ", *["Word. ", 2.0] * 8]))
    assert texts == ["Okay.", *["Word."] * 8]
    assert notes.of(Error) == []


def test_a_word_that_does_not_begin_a_thought_is_said_at_once():
    texts, _ = said(Writer(["Fine. ", 5.0, ValueError("it broke off")]))
    assert texts[0] == "Fine."


def test_of_thoughts_that_come_slowly_the_rest_is_withdrawn_the_first_time_and_held_back_from_then_on(caplog):
    thoughts = ["A greeting is due. ", *["And so on. "] * 10, 2.0, "</think>"]
    model = Writer([*thoughts, "Hello."], [*thoughts, "Hello again."], ["Bye."])
    texts, _ = said(model, turns=3)
    assert texts[-3:] == ["Hello.", "Hello again.", "Bye."]
    assert len(texts) < 10
    assert "thoughts came as a part of the answer" in caplog.text


class Own(OpenAILLM):
    """A model on a server of one's own, but for the server."""

    def __init__(self, url: str, *answers: list[Any]) -> None:
        super().__init__("m", api_key="key", base_url=url)
        self.writer = Writer(*answers)

    def load(self) -> Any:
        return None

    def chat(self, messages: list[Message]) -> Any:
        return self.writer.chat(messages)


@pytest.fixture(autouse=True)
def knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "_thinks_first", {})


def test_of_a_server_of_your_own_a_first_answer_that_begins_as_thoughts_do_is_held_back():
    slow = ["I should greet.", 3.0, "</think>", "Hello."]
    assert said(Own("http://one/v1", slow, slow), turns=2)[0] == ["Hello.", "Hello."]
    assert Own("http://one/v1").thinks_first
    plain = Own("http://two/v1", ["Okay, let us see.", 2.0, " Bye."], ["I should go. ", 9.0, "Bye."])
    assert said(plain, turns=2)[0] == ["Okay, let us see.", "Bye.", "I should go.", "Bye."]
    assert Own("http://two/v1").thinks_first is False
    assert Own("http://three/v1").thinks_first is None
    assert OpenAILLM(api_key="key", base_url="https://api.groq.com/openai/v1").thinks_first is False


def test_other_first_answers_of_a_server_of_your_own_are_said_as_they_come():
    texts, _ = said(Own("http://one/v1", ["Hello. How are you? ", 8.0, ValueError("it broke off")]))
    assert texts[:2] == ["Hello.", "How are you?"]


def test_a_thought_that_was_cut_off_is_not_said():
    model = Own("http://box/v1", ["Okay, the user wants the weather. So I", CutShort("length")])
    assert " ".join(said(model)[0]) == ENGLISH.cannot_think


# answers that break off


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["One is whole. ", "Two is"], ["One is whole."]),
        (["One is whole. Two is whole. Three, and", " then"], ["One is whole.", "Two is whole."]),
        (["One is whole.\n- Two\n- Th"], ["One is whole.", "Two"]),
        (["Only a part of"], ["Only a part of"]),
        (["One is whole. Two is, too."], ["One is whole.", "Two is, too."]),
        (["One is whole. ", "Two **is"], ["One is whole."]),
        (
            ["The first sentence is so long, that its first clause is said before the rest of it came and"],
            ["The first sentence is so long, that its first clause is said before the rest of it came and"],
        ),
    ],
)
def test_of_an_answer_that_breaks_off_the_unfinished_sentence_is_not_said_if_a_whole_one_was(pieces, expected, caplog):
    model = Writer([*pieces, CutShort("length")], ["Well."])
    texts, notes = said(model, turns=2)
    assert texts == [*expected, "Well."] or " ".join(texts) == " ".join([*expected, "Well."])
    assert notes.of(Error) == []
    assert "an answer breaks off (length; max_tokens is 300)" in caplog.text
    assert model.asked[1][1].content == " ".join(expected)


def test_an_answer_that_does_not_end_by_itself_ends_with_a_whole_sentence():
    model = Writer(["One is whole. ", *["and so on "] * 100], max_tokens=10)
    assert said(model)[0] == ["One is whole."]
