"""The signature of a processor, as its annotations state it, and the errors for a beginner's mistakes."""

import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from typing import Optional, Union

import postponed
import pytest

from voiceflow import (
    DTMF,
    AudioRaw,
    Clear,
    End,
    Error,
    Frame,
    LLMEnd,
    LLMText,
    Mark,
    Processor,
    SpeechStarted,
    Transcript,
    processor,
)
from voiceflow.annotations import Kind

Spoken = LLMText | LLMEnd


class Gesture(Frame, speech=True):
    pass


class Nod(Gesture):
    pass


def of(process):
    """The signature of a processor whose `process` is this function."""
    return type("Made", (Processor,), {"process": process})().signature


# --- how `process` runs ---


def test_a_function_returns_one_frame():
    def process(self, frame: LLMText) -> LLMText:
        return frame

    assert (of(process).kind, of(process).kind.is_async) == (Kind.FUNCTION, False)


def test_a_generator_yields_several():
    def process(self, frame: LLMText) -> Iterator[LLMText]:
        yield frame

    assert (of(process).kind, of(process).kind.is_async) == (Kind.GENERATOR, False)


def test_a_coroutine_returns_one_frame():
    async def process(self, frame: LLMText) -> LLMText:
        return frame

    assert (of(process).kind, of(process).kind.is_async) == (Kind.COROUTINE, True)


def test_an_async_generator_yields_several():
    async def process(self, frame: LLMText) -> AsyncIterator[LLMText]:
        yield frame

    assert (of(process).kind, of(process).kind.is_async) == (Kind.ASYNC_GENERATOR, True)


def test_a_plain_function_may_return_an_iterator_made_elsewhere():
    def several(self, frame: LLMText) -> Iterable[LLMText]:
        return [frame, frame]

    def stream(self, frame: LLMText) -> AsyncIterator[LLMText]:
        raise NotImplementedError

    assert of(several).kind is Kind.GENERATOR
    assert of(stream).kind is Kind.ASYNC_GENERATOR


@pytest.mark.parametrize("result", [Iterator[LLMText], Iterable[LLMText], Generator[LLMText, None, None]])
def test_every_spelling_of_a_generators_result_is_understood(result):
    def process(self, frame: LLMText) -> result:
        yield frame

    assert of(process).yields == (LLMText,)


@pytest.mark.parametrize("result", [AsyncIterator[LLMText], AsyncIterable[LLMText], AsyncGenerator[LLMText, None]])
def test_every_spelling_of_an_async_generators_result_is_understood(result):
    async def process(self, frame: LLMText) -> result:
        yield frame

    assert of(process).yields == (LLMText,)


# --- what it consumes and yields ---


def test_none_consumes_and_yields_nothing():
    def process(self, frame: LLMText) -> None:
        pass

    assert (of(process).consumes, of(process).yields) == ((LLMText,), ())


@pytest.mark.parametrize(
    "result",
    [LLMText | Clear | None, Optional[LLMText | Clear], Union[LLMText, Clear, None], None | LLMText | Clear],  # noqa: UP007, UP045
)
def test_unions_are_understood_and_none_adds_nothing(result):
    def process(self, frame: LLMText | Transcript) -> result:
        return None

    assert of(process).consumes == (LLMText, Transcript)
    assert of(process).yields == (LLMText, Clear)


def test_iterators_of_unions_are_understood():
    async def process(self, frame: Transcript) -> AsyncIterator[LLMText | LLMEnd | None]:
        yield LLMText("x")

    assert of(process).yields == (LLMText, LLMEnd)


def test_an_alias_of_a_union_is_understood():
    def process(self, frame: Spoken) -> Iterator[Spoken]:
        yield frame

    assert of(process).consumes == of(process).yields == (LLMText, LLMEnd)


def test_frame_means_all_but_end_and_clear():
    def process(self, frame: Frame) -> Frame:
        return frame

    signature = of(process)
    assert all(signature.takes(kind) for kind in (AudioRaw, Transcript, DTMF, LLMText, Mark, Error, Nod))
    assert not signature.takes(End)
    assert not signature.takes(Clear)


def test_a_processor_takes_what_is_derived_from_what_it_consumes():
    def process(self, frame: Gesture) -> None:
        pass

    assert of(process).takes(Nod)
    assert not of(process).takes(SpeechStarted)


def test_a_processor_may_yield_what_its_annotation_is_or_covers():
    def process(self, frame: Transcript) -> Nod | Error:
        return Nod()

    def anything(self, frame: Transcript) -> Frame:
        return frame

    assert of(process).may_yield(Gesture)
    assert not of(process).may_yield(AudioRaw)
    assert of(anything).may_yield(AudioRaw)


# --- names ---


def test_annotations_as_strings_are_resolved():
    def process(self, frame: "LLMText | Transcript") -> "Iterator[LLMText]":
        yield LLMText("x")

    assert of(process).consumes == (LLMText, Transcript)
    assert of(process).yields == (LLMText,)


def test_a_string_inside_an_iterator_is_resolved():
    def process(self, frame: "LLMText") -> Iterator["LLMText"]:
        yield frame

    assert of(process).yields == (LLMText,)


def test_a_name_local_to_the_defining_function_is_resolved():
    class Local(Frame):
        pass

    class Uses(Processor):
        def process(self, frame: "Local") -> "Local":
            return frame

    assert Uses().signature.consumes == (Local,)


def test_a_name_defined_after_the_class_that_uses_it_is_resolved():
    class Uses(Processor):
        def process(self, frame: "Later") -> None:
            pass

    class Later(Frame):
        pass

    assert Uses().signature.consumes == (Later,)


def test_postponed_annotations_are_resolved_in_their_module():
    assert postponed.Whole().signature.consumes == (LLMText,)
    assert postponed.Whole().signature.yields == (LLMText, Clear)


def test_postponed_annotations_see_names_defined_further_down_in_the_module():
    assert postponed.Early().signature.consumes == (postponed.Last,)


def test_postponed_annotations_see_names_local_to_the_defining_function():
    gesture, local = postponed.local_processor()
    assert local().signature.consumes == (gesture,)


def test_postponed_annotations_of_a_local_function_are_resolved():
    gesture, local = postponed.local_function()
    assert local().signature.consumes == (gesture,)


def test_a_derived_class_inherits_the_type_and_may_change_it():
    class Base(Processor):
        def process(self, frame: LLMText) -> LLMText:
            return frame

    class Same(Base):
        pass

    class Other(Base):
        def process(self, frame: Transcript) -> None:  # type: ignore[override]
            pass

    assert Same().signature == Base().signature
    assert Other().signature.consumes == (Transcript,)
    assert Base().signature.consumes == (LLMText,)


# --- functions ---


@processor
def shout(frame: LLMText, mark: str = "!") -> LLMText:
    """Say it loudly."""
    return LLMText(frame.text.upper() + mark)


@processor
async def parrot(frame: Transcript) -> AsyncIterator[LLMText]:
    for word in frame.text.split():
        yield LLMText(word)


@processor
def keypad(frame: DTMF, *, bell: LLMText) -> LLMText | None:
    return bell


def test_a_function_becomes_a_processor_of_its_own_name():
    assert issubclass(shout, Processor)
    assert (shout.__name__, shout.__doc__, shout().name) == ("shout", "Say it loudly.", "shout")
    assert shout().process(LLMText("hi")) == LLMText("HI!")


def test_a_functions_further_parameters_are_those_of_its_constructor():
    assert shout("?").process(LLMText("hi")) == LLMText("HI?")
    assert shout(mark="?!").process(LLMText("hi")) == LLMText("HI?!")
    assert keypad(bell=LLMText("ding")).process(DTMF("1")) == LLMText("ding")


def test_further_parameters_do_not_belong_to_the_type():
    assert keypad(bell=LLMText("x")).signature.consumes == (DTMF,)
    assert shout("?").signature.kind is Kind.FUNCTION


def test_a_function_of_every_kind_is_told_apart():
    assert parrot().signature.kind is Kind.ASYNC_GENERATOR
    assert parrot().signature.yields == (LLMText,)


def test_a_function_that_lacks_an_argument_says_so_when_it_is_made():
    with pytest.raises(TypeError, match="bell"):
        keypad()


def test_a_function_that_gets_an_argument_it_does_not_know_says_so_when_it_is_made():
    with pytest.raises(TypeError, match="volume"):
        shout(volume=3)


def test_processors_print_as_they_were_made():
    class Voice(Processor):
        def __init__(self, name: str, speed: float = 1.0) -> None:
            self.speed = speed

        def process(self, frame: LLMText) -> AudioRaw:
            return AudioRaw(b"")

    assert repr(Voice("anna", speed=1.5)) == "Voice('anna', speed=1.5)"
    assert repr(shout(mark="?")) == "shout(mark='?')"


# --- a beginner's mistakes ---


def test_no_annotation_at_all_says_what_to_write():
    with pytest.raises(TypeError, match=r"Bare\.process does not say the type of `frame` and what it yields") as error:

        class Bare(Processor):
            def process(self, frame):
                return frame

    assert "write for example" in str(error.value)
    assert "-> None" in str(error.value)


def test_the_example_for_a_method_can_be_pasted_into_the_class():
    with pytest.raises(TypeError) as error:

        class Bare(Processor):
            def process(self, frame):
                return frame

    assert "def process(self, frame: LLMText) -> LLMText" in str(error.value)


def test_no_annotation_of_the_frame_names_the_parameter():
    with pytest.raises(TypeError, match="the type of `words`") as error:

        class Half(Processor):
            def process(self, words) -> None:
                pass

    assert "what it yields" not in str(error.value).split(". ")[0]


def test_no_annotation_of_the_result_says_so():
    with pytest.raises(TypeError, match="does not say what it yields"):

        class Half(Processor):
            def process(self, frame: LLMText):
                pass


def test_a_function_without_annotations_is_named():
    with pytest.raises(TypeError, match="whisper does not say"):

        @processor
        def whisper(frame):
            return frame


def test_process_without_a_frame_says_what_to_write():
    with pytest.raises(TypeError, match=r"Empty\.process takes no frame: write"):

        class Empty(Processor):
            def process(self) -> None:
                pass


def test_a_wrong_type_is_named_with_what_is_expected():
    def consumes_text(self, frame: str) -> LLMText:
        return LLMText(frame)

    def yields_text(self, frame: LLMText) -> str:
        return frame.text

    with pytest.raises(TypeError, match=r"Made.process, parameter `frame`: expected frame types.*str"):
        of(consumes_text)
    with pytest.raises(TypeError, match=r"Made.process, result: expected frame types.*str"):
        of(yields_text)


@pytest.mark.parametrize("result", [list[LLMText], tuple[LLMText, ...], typing.Any], ids=str)
def test_a_list_of_frames_is_no_result(result):
    def process(self, frame: LLMText) -> result:
        return [frame]

    with pytest.raises(TypeError, match="expected frame types"):
        of(process)


def test_a_generator_annotated_with_a_frame_says_iterator():
    def process(self, frame: LLMText) -> LLMText:
        yield frame

    with pytest.raises(TypeError, match=r"is a generator: annotate its result as Iterator\[\.\.\.\]"):
        of(process)


def test_an_async_generator_annotated_with_a_frame_says_async_iterator():
    async def process(self, frame: LLMText) -> LLMText:
        yield frame

    with pytest.raises(TypeError, match=r"async generator: annotate its result as AsyncIterator\[\.\.\.\]"):
        of(process)


def test_an_async_generator_annotated_as_iterator_says_async_iterator():
    async def process(self, frame: LLMText) -> Iterator[LLMText]:
        yield frame

    with pytest.raises(TypeError, match=r"AsyncIterator\[\.\.\.\]"):
        of(process)


def test_a_coroutine_annotated_to_yield_says_use_yield():
    async def process(self, frame: LLMText) -> AsyncIterator[LLMText]:
        return frame

    with pytest.raises(TypeError, match="is a coroutine but is annotated to yield: use `yield`"):
        of(process)


def test_an_iterator_of_nothing_says_what_to_write():
    def process(self, frame: LLMText) -> Iterator:
        yield frame

    with pytest.raises(TypeError, match="does not say what it yields"):
        of(process)


def test_a_name_that_cannot_be_resolved_is_named():
    class Uses(Processor):
        def process(self, frame: "Unheard") -> None:  # noqa: F821
            pass

    with pytest.raises(TypeError, match=r"Uses.process: cannot resolve .*Unheard.*Import or define"):
        _ = Uses().signature


def test_a_class_without_process_says_what_to_write():
    class Lazy(Processor):
        pass

    with pytest.raises(TypeError, match="Lazy has no `process`: write `def process"):
        _ = Lazy().signature
