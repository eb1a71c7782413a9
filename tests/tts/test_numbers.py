"""A voice is given numbers, dates and signs as words; what was heard is told as the model wrote it."""

import pytest
from doubles import make_call, virtual
from talking import Interrupter, Parrot, run
from tts.voices import Letters, Timed, shown, spoken, words

from voiceflow import DTMF, Clear, Frame, LLMEnd, LLMText, Mark, Pipeline, Processor, Transcript
from voiceflow.processors.spoken import speak

PRICE = "It is $5 at 10:30."
SAID = "It is five dollars at ten thirty."


class Above(Processor):
    """Stands before the voice and remembers what was heard of what was interrupted."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def process(self, frame: LLMText) -> LLMText:
        return frame

    def upstream(self, frame: Frame) -> Frame:
        if isinstance(frame, Clear):
            self.heard.append(frame.heard)
        return frame


def test_the_voice_hears_words_and_the_account_holds_what_was_written():
    tts = Letters()
    assert shown(spoken(tts, LLMText(PRICE), LLMEnd())) == [Mark(PRICE), SAID, Mark(), LLMEnd()]
    assert tts.asked[-1] == (SAID, "")


def test_what_writing_out_needs_is_loaded_before_there_are_calls(monkeypatch):
    loaded = []
    load = lambda text, language: loaded.append(language) or speak(text, language)  # noqa: E731
    monkeypatch.setattr("voiceflow.processors.tts.tts.speak", load)
    virtual(Letters(voice="fr_FR-siwis-medium").before_calls(None))
    assert loaded[0] == "fr_FR"


@pytest.mark.parametrize(
    ("voice", "said"),
    [
        ("de_DE-thorsten-medium", "Am dritten Mai."),
        ("/voices/de_DE-thorsten-medium.onnx", "Am dritten Mai."),
        ("it_IT-paola-medium", "Am 3. Mai."),
    ],
)
def test_the_name_of_a_voice_tells_its_language(voice, said):
    tts = Letters(voice)
    spoken(tts, LLMText("Am 3. Mai."), LLMEnd())
    assert tts.asked[-1] == (said, voice)


def test_digits_of_other_scripts_are_given_to_every_voice():
    tts = Letters("it_IT-paola-medium")
    frames = spoken(tts, LLMText("\u0661\u0662\u0663"), LLMEnd())
    assert tts.asked[-1] == ("123", "it_IT-paola-medium")
    assert shown(frames)[0] == Mark("\u0661\u0662\u0663")


def test_the_times_of_the_words_that_are_said_are_those_of_the_words_that_were_written():
    mark = spoken(Timed(), LLMText(PRICE), LLMEnd())[0]
    ends = {word.text: word.end for word in words(SAID)}
    assert [(word.text, word.end) for word in mark.words] == [
        ("It", ends["It"]),
        ("is", ends["is"]),
        ("$5", ends["dollars"]),
        ("at", ends["at"]),
        ("10:30.", ends["thirty."]),
    ]


@pytest.mark.parametrize(("at", "heard"), [(0.6, "It is"), (0.85, "It is"), (0.95, "It is $5"), (1.3, "It is $5 at")])
def test_an_interrupted_caller_has_heard_what_was_written(at, heard):
    call, above = make_call(Transcript(PRICE), at, DTMF("1"), 5.0), Above()
    run(call, lambda call: Pipeline(call.source, Interrupter(), Parrot(), above, Timed(), call.sink))
    assert above.heard == [heard]
