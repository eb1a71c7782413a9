"""Tokens of chat templates and calls of tools are not spoken, whoever wrote them."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow.processors.text import SpeechCleaner


def clean(*pieces: str) -> str:
    cleaner = SpeechCleaner()
    return "".join([*map(cleaner.feed, pieces), cleaner.flush()])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there.<|im_end|>", "Hello there."),
        ("Hello there.<|eot_id|>", "Hello there."),
        ("Hello there.</s>", "Hello there."),
        ("Hello there.<end_of_turn>", "Hello there."),
        ("Hello there.<｜end▁of▁sentence｜>", "Hello there."),
        ("Hello there.<turn|>", "Hello there."),
        ("<|channel|><|message|>Hello there.", "Hello there."),
        ('One moment.<tool_call>{"name": "weather"}</tool_call>', "One moment."),
        ("One moment.<tool_response>sunny</tool_response> It is sunny.", "One moment. It is sunny."),
        ("3 < 4 and a|b", "3 < 4 and a, b"),
        ("if a <b then", "if a < b then"),
    ],
)
@given(places=st.lists(st.integers(0, 60), max_size=6))
@settings(max_examples=20)
def test_text_for_machines_is_not_spoken_wherever_the_pieces_end(text, expected, places):
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    assert clean(*(text[one:two] for one, two in itertools.pairwise(ends))) == clean(text) == expected
