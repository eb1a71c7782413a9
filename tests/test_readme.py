"""The README's first pipeline does what it shows, however a model cuts its words into tokens."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles import make_call
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import run

from voiceflow import DTMF, Processor, Transcript, processors
from voiceflow.processors import LLM, TTS, Message

README = Path(__file__).resolve().parent.parent / "README.md"
TEXT = "I can't do that today, as I can't leave. Why can't I? Because you can't help me."


class Ears(Processor):
    """Stands in for what listens: the script says what was recognised."""

    def process(self, frame: DTMF) -> DTMF:
        return frame


class Model(LLM):
    """Answers with these tokens."""

    tokens: list[str]

    async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
        for token in self.tokens:
            yield token


class Voice(TTS):
    """A voice that can be had without a model."""

    rate = 16_000

    async def synthesize(self, text: str, voice: str) -> bytes:
        return bytes(3200)


def first_pipeline(patch: pytest.MonkeyPatch) -> Any:
    """The function `pipeline` of the README's first Python block, with doubles of what needs models."""
    for name in ("SileroVAD", "BargeIn", "WhisperSTT"):
        patch.setattr(processors, name, Ears, raising=False)
    patch.setattr(processors, "AutoLLM", Model, raising=False)
    patch.setattr(processors, "PiperTTS", Voice, raising=False)
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(next(block for block in blocks if "def pipeline" in block), namespace)
    return namespace["pipeline"]


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        yield first_pipeline(patch)


def heard(pipeline: Any, tokens: list[str]) -> str:
    Model.tokens = tokens
    call, replies = make_call(Transcript("hello"), 20.0), []
    call.on_reply(replies.append)
    assert run(call, pipeline).error is None
    return " ".join(reply.heard for reply in replies)


@given(places=st.sets(st.integers(0, len(TEXT))))
@settings(deadline=None, max_examples=40)
def test_the_readmes_own_processor_works_wherever_tokens_end(pipeline, places):
    tokens = [TEXT[one:two] for one, two in itertools.pairwise(sorted({0, *places, len(TEXT)}))]
    assert heard(pipeline, tokens) == TEXT.replace("can't", "cannot")


def test_the_readmes_own_processor_works_on_tokens_as_models_send_them(pipeline):
    assert heard(pipeline, ["I", " can", "'t", " do", " that", "."]) == "I cannot do that."
