"""Pipelines that do not fit together: the error names what the user wrote, and the cure."""

import re
from collections.abc import AsyncIterator, Callable

import pytest
from doubles import Ear, Script

from voiceflow import DTMF, AudioRaw, Element, LinkError, LLMText, Mark, Parallel, Processor, SpeechStarted, Transcript
from voiceflow.linking import link
from voiceflow.processors import LLM, STT, TTS, Dialog, EnergyVAD, Greeting, Message


class Phone(Script):
    """A caller of whom audio and keys come."""

    yields = (AudioRaw, DTMF)


class Ears(STT):
    def transcribe(self, audio: bytes, rate: int) -> str:
        return ""


class Robot(TTS):
    rate = 8000

    def synthesize(self, text: str, voice: str) -> bytes:
        return b"\0\0"


class Brain(LLM):
    def chat(self, messages: list[Message]) -> str:
        return "yes"


class Second(Brain):
    pass


class Voice(Processor):
    async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
        yield Mark(frame.text)


async def talk(call: object) -> None: ...


@pytest.mark.parametrize(
    ("row", "cure"),
    [
        (lambda: EnergyVAD() | Ears() | Robot(), "nothing here answers: put an LLM or a Dialog before Robot"),
        (lambda: Greeting("Hello") | Robot(), "nothing here answers: put an LLM or a Dialog before Robot"),
        (lambda: Robot(), "nothing here answers: put an LLM or a Dialog before Robot"),
        (
            lambda: Robot() | EnergyVAD() | Ears() | Brain(),
            "Brain, which yields it, stands after it: put Brain before Robot",
        ),
        (lambda: Brain() | Robot(), "put a processor that yields Transcript before Brain"),
        (lambda: Ears() | Brain() | Robot(), "put a VAD before Ears"),
    ],
)
def test_it_speaks_of_what_the_user_wrote(row: Callable[[], Element], cure: str) -> None:
    with pytest.raises(LinkError, match=re.escape(cure)) as raised:
        link(Phone() | row() | Ear())
    assert "CleanForSpeech" not in str(raised.value)
    assert "SplitSentences" not in str(raised.value)
    assert "transcribe" not in str(raised.value)


class A(Processor):
    def process(self, frame: DTMF) -> DTMF:
        return frame


class B(A):
    pass


def test_classes_that_are_joined_as_types_are_told_from_a_pipeline() -> None:
    with pytest.raises(LinkError, match=r"joins classes, which is a type and not a pipeline: write A\(\) \| B\(\)"):
        Parallel(A | B)


class Heard(Processor):
    """Speech recognition, as far as linking is concerned."""

    def process(self, frame: SpeechStarted) -> Transcript | SpeechStarted:
        return frame


def test_two_models_before_one_voice_do_not_link() -> None:
    with pytest.raises(LinkError, match=r"Brain and Second stand beside each other .* a voice of its own"):
        link(Script() | Heard() | Parallel(Brain(), Second()) | Robot() | Ear())


def test_two_models_with_a_voice_each_link() -> None:
    link(Script() | Heard() | Parallel(Brain() | Robot(), Second() | Robot()) | Ear())


def test_a_model_beside_what_only_listens_links() -> None:
    link(Script() | Heard() | Parallel(Brain(), A()) | Robot() | Ear())


def test_a_dialog_before_a_voice_links() -> None:
    link(Script() | EnergyVAD() | Ears() | Dialog(talk) | Voice() | Ear())  # type: ignore[arg-type]


def test_an_element_that_is_no_processor_is_named() -> None:
    class Thing(Element):
        pass

    with pytest.raises(LinkError, match="derive Thing from Processor, or give it `parts`"):
        link(Script() | Thing() | Ear())


def test_what_stands_for_several_processors_is_taken_apart_once() -> None:
    class Pair(Element):
        asked = 0

        def parts(self) -> list[Element]:
            Pair.asked += 1
            return [A(), B()]

    plan = link(Script() | Pair() | Ear())
    assert [step.processor.name for step in plan.walk()] == ["Script", "A", "B", "Ear"]
    assert Pair.asked == 1
