"""Who may interrupt the agent, and when."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from doubles import Ear, Script, make_call
from talking import Notes, Parrot, Voice, audio, ear_of, run, when

from voiceflow import AudioRaw, Call, Frame, LinkError, LLMText, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.linking.linker import link
from voiceflow.processors.bargein import BargeIn

LINE = "x" * 40
"""Four seconds of what the agent says."""


class Model(Processor):
    """Repeats what the caller has said; interims are not for it."""

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        if frame.final:
            yield LLMText(frame.text)


def converse(
    barge_in: BargeIn, *script: Frame | float, act: Callable[[Call], Awaitable[Any]] | None = None
) -> tuple[Call, Voice, Notes]:
    """A call in which the agent repeats what the caller says; `act` happens in it."""
    call, voice, notes = make_call(*script), Voice(), Notes()
    acting = None if act is None else lambda: act(call)
    run(call, lambda call: call.source | barge_in | notes | Model() | voice | call.sink, acting)
    return call, voice, notes


def clears(*args: Any, **kwargs: Any) -> list[float]:
    return when(converse(*args, **kwargs)[0], "clear")


def saying(text: str, *, interruptible: bool = True) -> Callable[[Call], Awaitable[float]]:
    return lambda call: call.say(text, interruptible=interruptible)


# by speech


def test_the_caller_interrupts_at_once():
    assert clears(BargeIn(), 1.0, SpeechStarted(0.34), 5.0, act=saying(LINE)) == [1.0]


def test_nothing_of_the_reply_is_heard_afterwards():
    call, _, _ = converse(BargeIn(), 1.0, SpeechStarted(), 5.0, act=saying(LINE))
    sent = [at for at, kind, _ in ear_of(call).log if kind == "audio"]
    assert max(sent) <= 1.0


def test_where_nothing_is_said_nothing_is_cleared():
    assert clears(BargeIn(), 1.0, SpeechStarted(), 1.0, SpeechStopped(), 1.0) == []


class Thinker(Parrot):
    """Thinks for two seconds."""

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        await asyncio.sleep(2.0)
        yield LLMText(frame.text)


def thinking(*script: Frame | float) -> Voice:
    call, voice = make_call(Transcript("hello"), *script), Voice()
    run(call, lambda call: call.source | BargeIn() | Thinker() | voice | call.sink)
    return voice


def test_a_sound_while_the_agent_thinks_costs_no_answer():
    voice = thinking(1.0, SpeechStarted(), 0.3, SpeechStopped(), 10.0)
    assert voice.said == [(2.0, "hello")]


def test_an_answer_that_is_ready_waits_for_the_sound_to_end():
    voice = thinking(1.0, SpeechStarted(), 2.0, SpeechStopped(), 10.0)
    assert voice.said == [(3.0, "hello")]


@pytest.mark.parametrize("spoke", [0.5, 1.5], ids=["still in the making", "ready"])
def test_a_caller_who_goes_on_while_the_agent_thinks_gets_one_answer_to_the_last(spoke):
    voice = thinking(1.0, SpeechStarted(), spoke, Transcript("there"), SpeechStopped(), 10.0)
    assert voice.said == [(3.0 + spoke, "there")]


def resumed(*script: Frame | float) -> list[str]:
    call, voice = make_call(Transcript("one two three four five six"), *script), Voice()
    run(call, lambda call: call.source | BargeIn() | Parrot() | voice | call.sink)
    return voice.texts


def test_the_agent_goes_on_where_a_cough_has_stopped_it():
    said = resumed(1.0, SpeechStarted(), 0.3, SpeechStopped(), 10.0)
    assert said == ["one two three four five six", "three four five six"]


def test_words_after_the_interruption_are_answered_instead():
    said = resumed(1.0, SpeechStarted(), 0.3, Transcript("stop"), SpeechStopped(), 10.0)
    assert said == ["one two three four five six", "stop"]


def test_words_that_are_recognised_late_are_answered_instead():
    said = resumed(1.0, SpeechStarted(), 0.3, SpeechStopped(), 0.3, Transcript("stop"), 10.0)
    assert said == ["one two three four five six", "stop"]


def test_a_cough_after_the_cough_stops_it_again():
    said = resumed(1.0, SpeechStarted(), 0.3, SpeechStopped(), 1.2, SpeechStarted(), 0.3, SpeechStopped(), 10.0)
    assert said[:2] == ["one two three four five six", "three four five six"]
    assert said[2] in ("four five six", "five six", "three four five six")


def test_who_speaks_over_a_protected_reply_interrupts_what_follows():
    call, voice = make_call(1.0, SpeechStarted(), 30.0, SpeechStopped(), 1.0), Voice()

    async def act() -> None:
        protected = asyncio.ensure_future(call.say("you must hear this", interruptible=False))
        following = asyncio.ensure_future(call.say("this is only a long story about nothing"))
        assert await protected == pytest.approx(1.8)
        assert await following < 0.5

    run(call, lambda call: call.source | BargeIn() | Parrot() | voice | call.sink, act)


def test_what_must_be_heard_later_protects_nothing_now():
    call, voice = make_call(0.5, SpeechStarted(), 0.1, 2.0, SpeechStopped(), 5.0), Voice()

    async def act() -> None:
        running = asyncio.ensure_future(call.say("a long story about nothing at all"))
        await asyncio.sleep(0.1)
        assert call.interruptible
        assert await running == pytest.approx(0.5, abs=0.05)

    run(call, lambda call: call.source | BargeIn() | Parrot() | voice | call.sink, act)


def test_the_speech_is_known_downstream_before_the_reply_is_cleared():
    """So that what is said in answer to the interruption waits for the caller."""
    order = []

    class Watch(Processor):
        def process(self, frame: SpeechStarted) -> SpeechStarted:
            order.append("speech")
            return frame

    class Told(Voice):
        def upstream(self, frame: Frame) -> Frame | None:
            order.append("clear")
            return frame

    call = make_call(Transcript(LINE), 1.0, SpeechStarted(), 1.0)
    run(call, lambda call: call.source | BargeIn() | Watch() | Parrot() | Told() | call.sink)
    assert order == ["speech", "clear"]


def test_min_speech_counts_from_the_first_voiced_audio():
    """The pre-roll that `lead` contains is not speech: 0.3 s of 0.34."""
    assert clears(BargeIn(min_speech=0.5), 1.0, SpeechStarted(0.34), 5.0, act=saying(LINE)) == [pytest.approx(1.46)]


def test_speech_that_is_already_long_enough_interrupts_at_once():
    assert clears(BargeIn(min_speech=0.5), 1.0, SpeechStarted(0.9), 5.0, act=saying(LINE)) == [1.0]


def test_speech_that_ends_before_does_not_interrupt():
    script = (1.0, SpeechStarted(0.34), 0.4, SpeechStopped(0.1), 5.0)
    assert clears(BargeIn(min_speech=0.5), *script, act=saying(LINE)) == []


def test_each_speech_is_timed_by_itself():
    script = (1.0, SpeechStarted(0.3), 0.4, SpeechStopped(0.1), 0.2, SpeechStarted(0.3), 5.0)
    assert clears(BargeIn(min_speech=0.5), *script, act=saying(LINE)) == [pytest.approx(2.1)]


def test_the_time_may_be_changed_during_the_call():
    barge_in = BargeIn(min_speech=5.0)

    async def hurry(call: Call) -> None:
        barge_in.min_speech = 0.25
        await call.say(LINE)

    assert clears(barge_in, 1.0, SpeechStarted(0.3), 5.0, act=hurry) == [pytest.approx(1.25)]


@pytest.mark.parametrize("rest", [(), (SpeechStopped(),), (0.1,)])
def test_a_call_that_ends_before_the_time_has_come_leaves_no_timer(rest):
    converse(BargeIn(min_speech=0.5), SpeechStarted(0.3), *rest)


# by words


def test_enough_words_interrupt():
    script = (1.0, Transcript("stop", final=False), 0.5, Transcript("stop that", final=False), 5.0)
    assert clears(BargeIn(min_words=2), *script, act=saying(LINE)) == [1.5]


def test_speech_alone_does_not_interrupt_who_waits_for_words():
    assert clears(BargeIn(min_words=1), 1.0, SpeechStarted(), 1.0, SpeechStopped(), 5.0, act=saying(LINE)) == []


def test_interims_of_one_utterance_are_not_added_up():
    interims = [frame for _ in range(5) for frame in (Transcript("well", final=False), 0.1)]
    assert clears(BargeIn(min_words=2), 1.0, *interims, 5.0, act=saying(LINE)) == []


def test_utterances_are_added_up():
    script = (1.0, Transcript("no"), 0.5, Transcript("yeah but", final=False), 5.0)
    assert clears(BargeIn(min_words=2), *script, act=saying(LINE)) == [1.5]


def test_what_was_said_before_the_reply_does_not_count():
    script = (Transcript("hello " + LINE), 1.0, Transcript("wait", final=False), 5.0)
    assert clears(BargeIn(min_words=3), *script) == []


def test_the_words_that_interrupt_are_the_next_turn():
    call, voice, _ = converse(BargeIn(min_words=2), Transcript(LINE), 1.0, Transcript("no wait"), 5.0)
    assert when(call, "clear") == [1.0]
    assert voice.said == [(0.0, LINE), (1.0, "no wait")]


def test_too_few_words_are_the_turn_after_the_reply():
    call, voice, _ = converse(BargeIn(min_words=2), Transcript(LINE), 1.0, Transcript("hello"), 9.0)
    assert when(call, "clear") == []
    assert voice.texts == [LINE, "hello"]


def test_backchannels_neither_interrupt_nor_become_a_turn_while_the_agent_speaks():
    script = (Transcript(LINE), 1.0, Transcript("Uh-huh.", final=False), Transcript("Uh-huh."), 1.0, Transcript("ja"))
    call, voice, notes = converse(BargeIn(min_words=1), *script, 9.0)
    assert when(call, "clear") == []
    assert voice.texts == [LINE]
    assert [frame.text for frame in notes.of(Transcript) if frame.final] == [LINE]


def test_to_a_silent_agent_the_same_word_is_an_answer():
    _, voice, _ = converse(BargeIn(min_words=2), Transcript("hello"), 3.0, Transcript("yes"), 3.0)
    assert voice.texts == ["hello", "yes"]


def test_backchannels_of_ones_own_are_ignored():
    barge_in = BargeIn(min_words=1, ignore=["hello there"])
    assert clears(barge_in, 1.0, Transcript("Hello there!"), 1.0, Transcript("yes"), 5.0, act=saying(LINE)) == [2.0]


def test_it_wants_interims_when_it_acts_on_words():
    assert (BargeIn().wants_interims, BargeIn(min_words=1).wants_interims) == (False, True)


# replies that may not be interrupted


@pytest.mark.parametrize(
    ("barge_in", "speech"),
    [
        (BargeIn(), (SpeechStarted(0.34), 0.5, SpeechStopped(), Transcript("but I"))),
        (BargeIn(min_speech=0.2), (SpeechStarted(0.34), 0.5, SpeechStopped(), Transcript("but I"))),
        (BargeIn(min_words=1), (SpeechStarted(0.34), 0.5, SpeechStopped(), Transcript("but I"))),
    ],
    ids=repr,
)
def test_a_protected_reply_is_heard_to_its_end_and_what_was_said_is_the_next_turn(barge_in, speech):
    call, voice, _ = converse(barge_in, 1.0, *speech, 9.0, act=saying(LINE, interruptible=False))
    assert when(call, "clear") == []
    assert ear_of(call).audio.startswith(audio(4.0).data)
    assert voice.texts == [LINE, "but I"]


def test_who_still_speaks_when_a_protected_reply_ends_is_answered_when_finished():
    script = (3.0, SpeechStarted(), 2.0, SpeechStopped(), Transcript("but I"), 3.0)
    call, voice, _ = converse(BargeIn(), *script, act=saying(LINE, interruptible=False))
    assert when(call, "clear") == []
    assert voice.said == [(0.0, LINE), (5.0, "but I")]


def test_the_reply_after_a_protected_one_may_be_interrupted():
    async def act(call: Call) -> None:
        await call.say(LINE, interruptible=False)
        await call.say(LINE)

    assert clears(BargeIn(), 1.0, SpeechStarted(), 1.0, SpeechStopped(), 3.0, SpeechStarted(), 5.0, act=act) == [5.0]


# its place


class Caller(Script):
    """Audio and speech, no words yet."""

    yields = (AudioRaw, SpeechStarted, SpeechStopped)


class Ears(Processor):
    def process(self, frame: AudioRaw) -> Transcript | None:
        return None


def linked(*ears: Processor) -> None:
    source, *rest = Caller(), *ears, Parrot(), Voice(), Ear()
    pipeline: Processor = source
    for processor in rest:
        pipeline = pipeline | processor
    link(pipeline)


def test_by_speech_it_stands_before_the_stt_and_by_words_after_it():
    linked(BargeIn(), Ears(), BargeIn(min_words=2))
    with pytest.raises(LinkError, match="put Ears before BargeIn"):
        linked(BargeIn(min_words=2), Ears())


def test_it_does_not_pass_for_a_recogniser():
    with pytest.raises(LinkError, match="Parrot consumes Transcript, but nothing before it yields that"):
        linked(BargeIn())


def test_both_conditions_at_once_are_refused():
    with pytest.raises(ValueError, match="put a BargeIn in each place"):
        BargeIn(min_speech=0.5, min_words=2)
