"""Linking: what fits together, what is inserted, and the errors for what does not fit."""

import sys
from collections.abc import AsyncIterator, Iterator
from unittest.mock import patch

import pytest
from doubles import Ear, Script, make_call, virtual

from voiceflow import (
    ANY,
    CANONICAL,
    DTMF,
    AudioFormat,
    AudioRaw,
    Call,
    Clear,
    Frame,
    LinkError,
    LLMEnd,
    LLMText,
    Mark,
    MissingExtraError,
    Parallel,
    Pipeline,
    Processor,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    processor,
)
from voiceflow.linking.linker import link
from voiceflow.linking.plan import Fork, Plan, Step

MULAW = AudioFormat("mulaw", 8000)
ALAW = AudioFormat("alaw", 8000)
PCM_8K = AudioFormat("pcm16", 8000)
PIPER = AudioFormat("pcm16", 22_050)


class VAD(Processor):
    def process(self, frame: AudioRaw) -> Iterator[AudioRaw | SpeechStarted | SpeechStopped]:
        yield frame


class STT(Processor):
    async def process(self, frame: AudioRaw) -> AsyncIterator[Transcript]:
        yield Transcript("")


class LLM(Processor):
    async def process(self, frame: Transcript) -> AsyncIterator[LLMText | LLMEnd]:
        yield LLMEnd()


class TTS(Processor):
    def __init__(self, produces: AudioFormat = CANONICAL) -> None:
        self.produces = produces

    async def process(self, frame: LLMText | LLMEnd) -> AsyncIterator[Mark | AudioRaw | LLMEnd]:
        yield LLMEnd()


class Gain(Processor):
    """Works on audio in any format."""

    accepts = produces = ANY

    def process(self, frame: AudioRaw) -> AudioRaw:
        return frame


class Upper(Processor):
    def process(self, frame: LLMText) -> LLMText:
        return frame


class Menu(Processor):
    def process(self, frame: DTMF) -> LLMText:
        return LLMText(frame.digit)


class Count(Processor):
    def process(self, frame: Frame) -> Frame:
        return frame


class NeedsArguments(Processor):
    def __init__(self, model: str) -> None:
        self.model = model

    def process(self, frame: Transcript) -> None:
        pass


def source(format: AudioFormat = CANONICAL, yields: tuple[type[Frame], ...] = (AudioRaw, DTMF)) -> Script:
    script = Script(format=format)
    script.yields = yields  # type: ignore[misc]
    return script


def sink(format: AudioFormat = CANONICAL) -> Ear:
    return Ear(format)


def plan_of(*elements) -> Plan:
    """The plan of `elements` between a canonical source and sink."""
    return link(Pipeline(source(), *elements, sink()))


def words(step: Step | Fork) -> str:
    """`Name`, or `-> format` for a codec stage; a fork is `[a b / c]`."""
    if isinstance(step, Fork):
        return f"[{' / '.join(' '.join(map(words, branch)) for branch in step.branches)}]"
    return f"-> {step.processor.produces}" if step.inserted else step.processor.name


def drawn(pipeline: Processor) -> list[str]:
    return list(map(words, link(pipeline).steps))


def side(plan: Plan) -> dict[str, str]:
    return {
        step.processor.name: "speaker" if step.speaker else "speech" if step.speech else "listening"
        for step in plan.walk()
    }


# --- what does not fit ---


def test_the_wrong_order_names_both_and_says_which_goes_first():
    with pytest.raises(
        LinkError, match=r"TTS consumes LLMText.*LLM, which yields it, stands after.*put LLM before TTS"
    ):
        plan_of(STT(), TTS(), LLM())


def test_a_tts_without_a_model_says_what_to_put_before_it():
    with pytest.raises(LinkError, match="nothing here answers: put an LLM or a Dialog before TTS"):
        plan_of(STT(), TTS())


def test_a_model_without_speech_recognition_names_what_it_needs():
    plain = source(yields=(AudioRaw, DTMF))
    with pytest.raises(LinkError, match=r"LLM consumes Transcript, but nothing before it yields that"):
        link(Pipeline(plain, LLM(), TTS(), sink()))


def test_text_that_nobody_speaks_names_its_producer_and_the_remedy():
    with pytest.raises(LinkError, match=r"LLM yields LLMText.*call\.sink consumes: put a TTS there"):
        plan_of(STT(), LLM())


def test_text_that_is_changed_but_not_spoken_names_the_last_producer():
    with pytest.raises(LinkError, match=r"Upper yields LLMText"):
        plan_of(STT(), LLM(), Upper())


def test_a_users_speech_frame_that_nobody_consumes_is_an_error():
    class Gesture(Frame, speech=True):
        pass

    class Actor(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText | Gesture]:
            yield LLMText("")

    with pytest.raises(LinkError, match=r"Actor yields Gesture.*put a processor that consumes Gesture there"):
        plan_of(STT(), Actor(), TTS())


def test_a_frame_that_is_not_speech_need_not_be_consumed():
    assert drawn(Pipeline(source(), STT(), sink())) == ["Script", "STT", "Ear"]


def test_what_is_consumed_in_one_branch_only_does_not_get_past_the_fork():
    with pytest.raises(LinkError, match="LLM yields it, but it does not get here"):
        plan_of(STT(), LLM(), TTS(), Upper())


def test_an_instance_used_twice_names_both_places():
    upper = Upper()
    with pytest.raises(LinkError, match=r"one Upper instance stands in two places .*4 and 6.*make a new Upper\(\)"):
        plan_of(STT(), LLM(), upper, Count(), upper, TTS())


def test_an_instance_in_two_branches_is_used_twice():
    count = Count()
    with pytest.raises(LinkError, match="one Count instance stands in two places"):
        plan_of(Parallel(count, Pipeline(Count(), count)))


def test_an_instance_in_two_calls_names_the_other_call():
    shared = STT()
    first, second = make_call(), make_call()

    async def main() -> None:
        await first.run(lambda call: call.source | shared | call.sink)
        with pytest.raises(LinkError, match=rf"STT instance already works for call {first.id}: make it inside"):
            await second.run(lambda call: call.source | shared | call.sink)

    virtual(main())


def test_two_sinks_are_both_named():
    class Speaker(Ear):
        pass

    with pytest.raises(LinkError, match=r"one call\.sink, this one has 2: Ear and Speaker"):
        link(Pipeline(source(), sink(), Speaker()))


def test_two_sources_are_both_named():
    class Line(Script):
        pass

    with pytest.raises(LinkError, match=r"one call\.source, this one has 2: Script and Line"):
        link(Pipeline(source(), Line(), sink()))


def test_a_sink_in_a_branch_is_a_second_sink():
    with pytest.raises(LinkError, match="this one has 2"):
        plan_of(Parallel(Count(), sink()))


@pytest.mark.parametrize("elements", [(Count,), (Count, Ear)])
def test_a_pipeline_that_does_not_begin_with_the_source_says_so(elements):
    with pytest.raises(LinkError, match=r"begins with call\.source, not with Count: write `call\.source"):
        link(Pipeline(*elements))


def test_a_pipeline_that_does_not_end_with_the_sink_says_so():
    with pytest.raises(LinkError, match=r"ends with call\.sink, not with Count: write"):
        link(Pipeline(source(), Count()))


def test_a_pipeline_of_the_source_alone_is_no_pipeline():
    with pytest.raises(LinkError, match=r"ends with call\.sink"):
        link(source())


def test_an_empty_pipeline_says_what_to_write():
    with pytest.raises(LinkError, match=r"is empty: write `call\.source"):
        link(Pipeline())


def test_a_pipeline_that_ends_with_a_fork_says_so():
    with pytest.raises(LinkError, match=r"ends with call\.sink"):
        link(Pipeline(source(), Parallel(Count(), Count())))


@pytest.mark.parametrize("thing", ["stt", 3, None, AudioRaw(b"")], ids=str)
def test_what_is_no_processor_is_shown(thing):
    with pytest.raises(LinkError, match="a pipeline is made of processors, not of ") as error:
        source() | thing
    assert repr(thing) in str(error.value)


def test_a_bare_function_is_told_to_be_decorated():
    def shout(frame: LLMText) -> LLMText:
        return frame

    with pytest.raises(LinkError, match=r"shout.*: decorate it with @processor"):
        source() | shout


def test_a_class_that_needs_arguments_says_how_to_write_it():
    with pytest.raises(LinkError, match=r"NeedsArguments needs arguments: write NeedsArguments\(\.\.\.\) .*model"):
        source() | NeedsArguments


def test_a_function_that_needs_arguments_says_how_to_write_it():
    @processor
    def loud(frame: LLMText, volume: int) -> LLMText:
        return frame

    with pytest.raises(LinkError, match=r"loud needs arguments: write loud\(\.\.\.\) .*volume"):
        source() | loud


def test_a_fork_without_branches_says_so():
    with pytest.raises(LinkError, match=r"Parallel\(\) has no branches"):
        Parallel()


def test_a_wrong_annotation_is_found_when_the_pipeline_is_linked():
    class Odd(Processor):
        def process(self, frame: str) -> None:
            pass

    with pytest.raises(TypeError, match=r"Odd\.process, parameter `frame`"):
        plan_of(Odd())


def test_audio_out_of_nothing_in_the_format_of_what_comes_is_an_error():
    class Beep(Processor):
        produces = ANY

        async def process(self, frame: DTMF) -> AsyncIterator[AudioRaw]:
            yield AudioRaw(b"")

    with pytest.raises(LinkError, match=r"Beep yields audio in the format it gets, but no audio gets there"):
        plan_of(Beep())


# --- what fits ---


def test_classes_and_functions_without_arguments_need_no_parentheses():
    @processor
    def tap(frame: Transcript) -> Transcript:
        return frame

    assert drawn(source() | STT | tap | LLM | TTS | sink()) == ["Script", "STT", "tap", "LLM", "TTS", "Ear"]


def test_nested_pipelines_are_flattened():
    ears = VAD() | STT()
    brain = Pipeline(LLM(), Pipeline(Upper(), TTS()))
    assert drawn(source() | (ears | brain) | sink()) == ["Script", "VAD", "STT", "LLM", "Upper", "TTS", "Ear"]


def test_a_pipeline_prints_as_it_is_written():
    assert repr(STT() | Parallel(Count(), VAD() | Gain())) == "STT() | Parallel(Count(), VAD() | Gain())"


def test_a_processor_of_any_frame_fits_anywhere():
    assert drawn(Pipeline(source(), Count(), STT(), Count(), LLM(), TTS(), Count(), sink()))[1] == "Count"


def test_a_consumer_of_a_base_type_fits_a_producer_of_a_derived_one_and_the_other_way_round():
    class Event(Frame):
        pass

    class Ring(Event):
        pass

    class Rings(Processor):
        def process(self, frame: AudioRaw) -> Ring:
            return Ring()

    class Events(Processor):
        def process(self, frame: AudioRaw) -> Event:
            return Ring()

    class TakesEvents(Processor):
        def process(self, frame: Event) -> None:
            pass

    class TakesRings(Processor):
        def process(self, frame: Ring) -> None:
            pass

    assert drawn(source() | Rings() | TakesEvents() | sink())[2] == "TakesEvents"
    assert drawn(source() | Events() | TakesRings() | sink())[2] == "TakesRings"


def test_linking_twice_gives_the_same_plan():
    pipeline = source(MULAW) | VAD() | STT() | LLM() | TTS(PIPER) | sink(MULAW)
    assert drawn(pipeline) == drawn(pipeline)


# --- codec stages ---


def test_a_carriers_audio_is_decoded_and_resampled_before_the_vad():
    assert drawn(source(MULAW) | VAD() | STT() | LLM() | TTS() | sink()) == [
        "Script",
        "-> pcm16 16000 Hz",
        "VAD",
        "STT",
        "LLM",
        "TTS",
        "Ear",
    ]


def test_speech_goes_straight_to_the_carriers_format():
    plan = drawn(source() | STT() | LLM() | TTS(PIPER) | sink(MULAW))
    assert plan == ["Script", "STT", "LLM", "TTS", "-> mulaw 8000 Hz", "Ear"]


def test_equal_formats_insert_nothing():
    assert drawn(source(MULAW) | sink(MULAW)) == ["Script", "Ear"]
    assert drawn(source() | VAD() | STT() | LLM() | TTS() | sink()) == ["Script", "VAD", "STT", "LLM", "TTS", "Ear"]


def test_an_echo_between_two_formats_is_one_conversion():
    assert drawn(source(ALAW) | sink(MULAW)) == ["Script", "-> mulaw 8000 Hz", "Ear"]


def test_a_conversion_stands_directly_before_the_consumer_that_needs_it():
    class Keys(Processor):
        def process(self, frame: DTMF) -> DTMF:
            return frame

    assert drawn(source(MULAW) | Keys() | VAD() | sink()) == ["Script", "Keys", "-> pcm16 16000 Hz", "VAD", "Ear"]


def test_a_processor_that_takes_any_format_is_transparent():
    assert drawn(source(MULAW) | Gain() | Gain() | sink(MULAW)) == ["Script", "Gain", "Gain", "Ear"]
    assert drawn(source(MULAW) | Gain() | VAD() | sink()) == ["Script", "Gain", "-> pcm16 16000 Hz", "VAD", "Ear"]
    assert drawn(source() | STT() | LLM() | TTS(PIPER) | Gain() | sink(MULAW))[-3:] == [
        "Gain",
        "-> mulaw 8000 Hz",
        "Ear",
    ]


def test_the_callers_format_says_nothing_about_the_speech():
    plan = drawn(source(MULAW) | VAD() | STT() | LLM() | TTS() | sink())
    assert plan[-2:] == ["TTS", "Ear"]


def test_a_processor_may_ask_for_another_format_than_the_canonical():
    class Narrow(VAD):
        accepts = produces = PCM_8K

    assert drawn(source(MULAW) | Narrow() | STT() | LLM() | TTS() | sink())[1:4] == [
        "-> pcm16 8000 Hz",
        "Narrow",
        "-> pcm16 16000 Hz",
    ]


def test_a_consumer_that_does_not_yield_audio_ends_it():
    plan = link(source(MULAW) | STT() | LLM() | TTS(MULAW) | sink(MULAW))
    assert [words(step) for step in plan.steps] == ["Script", "-> pcm16 16000 Hz", "STT", "LLM", "TTS", "Ear"]


def test_each_branch_converts_for_its_own_needs():
    class Recorder(Processor):
        accepts = ANY

        def process(self, frame: AudioRaw) -> None:
            pass

    fork = Parallel(VAD() | STT(), Recorder())
    assert drawn(source(MULAW) | fork | LLM() | TTS() | sink())[1] == "[-> pcm16 16000 Hz VAD STT / Recorder]"


def test_branches_that_differ_convert_at_their_ends_to_what_the_next_consumer_takes():
    class Hold(Processor):
        async def process(self, frame: DTMF) -> AsyncIterator[AudioRaw]:
            yield AudioRaw(b"")

    class PhoneHold(Hold):
        produces = PCM_8K

    plan = drawn(source() | STT() | Parallel(Hold(), PhoneHold()) | sink(MULAW))
    assert plan[2] == "[Hold -> mulaw 8000 Hz / PhoneHold -> mulaw 8000 Hz]"
    assert plan[3] == "Ear"


def test_branches_that_differ_convert_to_the_canonical_format_where_any_will_do():
    class Narrow(VAD):
        accepts = produces = PCM_8K

    plan = drawn(source() | Parallel(VAD(), Narrow()) | Gain() | sink(MULAW))
    assert plan[1:] == [
        "[VAD / -> pcm16 8000 Hz Narrow -> pcm16 16000 Hz]",
        "Gain",
        "-> mulaw 8000 Hz",
        "Ear",
    ]


def test_branches_that_agree_convert_once_after_the_fork():
    assert drawn(source() | Parallel(VAD(), VAD()) | sink(MULAW))[1:] == ["[VAD / VAD]", "-> mulaw 8000 Hz", "Ear"]


def test_a_step_tells_the_formats_that_arrive():
    plan = link(source(MULAW) | VAD() | STT() | LLM() | TTS(PIPER) | sink(MULAW))
    arriving = {words(step): step.formats for step in plan.walk()}
    assert arriving["-> pcm16 16000 Hz"] == (MULAW,)
    assert arriving["VAD"] == (CANONICAL,)
    assert arriving["-> mulaw 8000 Hz"] == (PIPER,)
    assert arriving["Ear"] == (MULAW,)


def test_a_format_that_cannot_be_converted_is_found_at_link_time():
    """A codec whose package is missing is an error before the call, not in it."""
    with patch.dict(sys.modules, {"G722": None}), pytest.raises(MissingExtraError, match="g722"):
        link(source(AudioFormat("g722", 16_000)) | VAD() | STT() | LLM() | TTS() | sink())


# --- the speaker and its side ---


def test_the_first_processor_that_makes_speech_of_something_else_is_the_speaker():
    plan = plan_of(VAD(), STT(), LLM(), Upper(), TTS())
    assert plan.speaker.name == "LLM"
    assert side(plan) == {
        "Script": "listening",
        "VAD": "listening",
        "STT": "listening",
        "LLM": "speaker",
        "Upper": "speech",
        "TTS": "speech",
        "Ear": "speech",
    }


def test_a_menu_is_a_speaker_and_a_text_filter_and_a_tts_are_not():
    assert plan_of(Menu(), Upper(), TTS()).speaker.name == "Menu"


def test_of_two_speakers_in_a_row_the_first_is_the_speaker():
    plan = plan_of(STT(), Menu(), LLM(), TTS())
    assert [step.processor.name for step in plan.walk() if step.speaker] == ["Menu"]
    assert side(plan)["LLM"] == "speech"


def test_without_a_speaker_the_source_is_the_speaker():
    plan = plan_of(Gain(), VAD())
    assert side(plan) == {"Script": "speaker", "Gain": "speech", "VAD": "speech", "Ear": "speech"}


def test_an_inserted_stage_of_an_echo_is_on_the_speech_side():
    plan = link(source(MULAW) | Gain() | VAD() | sink(ALAW))
    assert all(step.speech for step in plan.walk())


def test_a_processor_that_takes_audio_is_a_speaker_only_if_it_says_so():
    class Model(Processor):
        async def process(self, frame: AudioRaw) -> AsyncIterator[AudioRaw]:
            yield frame

    class SpeechToSpeech(Model):
        speaks = True

    assert plan_of(Model()).speaker.name == "Script"
    assert side(plan_of(VAD(), SpeechToSpeech())) == {
        "Script": "listening",
        "VAD": "listening",
        "SpeechToSpeech": "speaker",
        "Ear": "speech",
    }


def test_a_processor_may_decline_to_be_the_speaker():
    class Beep(Menu):
        speaks = False

    assert plan_of(STT(), Beep(), LLM(), TTS()).speaker.name == "LLM"


def test_the_callers_audio_ends_at_the_speaker():
    with pytest.raises(LinkError, match="VAD consumes AudioRaw, but nothing before it yields that"):
        plan_of(STT(), LLM(), VAD(), TTS())


def test_the_callers_audio_ends_at_a_speaker_that_does_not_take_it():
    plan = link(source(MULAW) | Menu() | TTS() | sink())
    assert [words(step) for step in plan.steps] == ["Script", "Menu", "TTS", "Ear"]


def test_an_interrupter_before_the_recognition_is_on_the_listening_side():
    class BargeIn(Processor):
        def process(self, frame: SpeechStarted) -> Iterator[SpeechStarted | Clear]:
            yield frame

    assert side(plan_of(VAD(), BargeIn(), STT(), LLM(), TTS()))["BargeIn"] == "listening"


def test_with_speakers_beside_each_other_each_branch_has_one():
    plan = plan_of(STT(), Parallel(LLM(), Menu()), TTS())
    assert [step.processor.name for step in plan.walk() if step.speaker] == ["LLM", "Menu"]
    assert plan.speaker.name == "LLM"
    assert side(plan)["TTS"] == "speech"


def test_a_branch_that_only_listens_beside_a_speaker_is_on_the_listening_side():
    plan = plan_of(Parallel(STT() | LLM() | TTS(), VAD()))
    assert side(plan)["VAD"] == "listening"
    assert side(plan)["TTS"] == "speech"


# --- the plan ---


def test_synchronous_processors_are_fused_and_asynchronous_ones_have_a_task():
    plan = plan_of(VAD(), STT(), LLM(), Upper(), TTS(), Gain())
    fused = {step.processor.name: step.fused for step in plan.walk()}
    assert fused == {
        "Script": False,
        "VAD": True,
        "STT": False,
        "LLM": False,
        "Upper": True,
        "TTS": False,
        "Gain": True,
        "Ear": True,
    }
    assert plan.tasks == 4


def test_an_assistants_call_keeps_its_budget_of_eight_tasks():
    assert link(source(MULAW) | VAD() | STT() | LLM() | Upper() | TTS(PIPER) | sink(MULAW)).tasks <= 8


def test_walk_visits_every_step_once_upstream_before_downstream():
    plan = plan_of(Parallel(STT(), Parallel(VAD(), Gain())), LLM(), TTS())
    assert [step.processor.name for step in plan.walk()] == ["Script", "STT", "VAD", "Gain", "LLM", "TTS", "Ear"]


def test_a_running_call_knows_its_processors():
    call = make_call()
    virtual(call.run(lambda call: call.source | STT() | call.sink))
    assert [element.name for element in call.elements] == ["Script", "STT", "Ear"]


def test_building_a_pipeline_on_a_dry_call_has_no_effect_on_a_later_one():
    def build(call: Call) -> Pipeline:
        return call.source | STT() | LLM() | TTS() | call.sink

    dry = make_call()
    assert link(build(dry)).speaker.name == "LLM"
    ended = virtual(make_call().run(build))
    assert ended.error is None
