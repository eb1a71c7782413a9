"""`Dialog`, a conversation written as one coroutine; and the greeting."""

import asyncio

import pytest
from doubles import PIECE, make_call, now
from talking import LONG, Interrupter, Notes, Parrot, Voice, audio, ear_of, run, talk

from voiceflow import (
    DTMF,
    AudioRaw,
    Call,
    LinkError,
    ProcessorError,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.linking.linker import link
from voiceflow.processors.dialog import Dialog, Greeting


def test_the_dialog_says_listens_and_asks():
    heard = []

    async def conversation(call: Call) -> None:
        await call.say("Hello")
        name = await call.ask("Who are you?", timeout=5.0)
        heard.append(name and name.text)
        heard.append(await call.digits(2))
        async for said in call.listen():
            heard.append(said.text)
            break

    call, voice = make_call(2.0, Transcript("Ann"), 1.0, DTMF("1"), DTMF("2"), 1.0, Transcript("bye"), LONG), Voice()
    ended = run(call, talk(Dialog(conversation), voice=voice))
    assert heard == ["Ann", "12", "bye"]
    assert voice.texts == ["Hello", "Who are you?"]
    assert ended.reason == "hung up"


def test_the_call_is_hung_up_once_the_last_words_were_heard():
    async def conversation(call: Call) -> None:
        await call.say("Goodbye")

    call = make_call(LONG)
    run(call, talk(Dialog(conversation)))
    assert ear_of(call).audio == audio(0.7).data
    assert [at for at, kind, _ in ear_of(call).log if kind == "hangup"] == [pytest.approx(0.7)]


def test_the_call_is_hung_up_though_the_last_words_are_interrupted():
    async def conversation(call: Call) -> None:
        await call.say("Goodbye, goodbye, goodbye")

    call = make_call(0.5, DTMF("1"), LONG)
    ended = run(call, talk(Dialog(conversation), ears=(Interrupter(),)))
    assert ended.reason == "hung up"


def test_the_call_is_hung_up_though_they_are_interrupted_after_the_dialog_has_ended():
    saying = []

    async def conversation(call: Call) -> None:
        saying.append(asyncio.ensure_future(call.say("Goodbye, goodbye, goodbye")))
        await asyncio.sleep(0.1)

    call = make_call(0.5, DTMF("1"), LONG)
    ended = run(call, talk(Dialog(conversation), ears=(Interrupter(),)))
    assert ended.reason == "hung up"
    assert [at for at, kind, _ in ear_of(call).log if kind == "hangup"] == [pytest.approx(0.5)]


def test_the_dialog_begins_when_everybody_is_open():
    class Slow(Voice):
        async def open(self, call: Call) -> None:
            await asyncio.sleep(3.0)

    began = []

    async def conversation(call: Call) -> None:
        began.append(now())
        await call.say("Hello")

    run(make_call(LONG), talk(Dialog(conversation), voice=Slow()))
    assert began == [3.0]


def test_what_it_raises_fails_the_call_in_its_name():
    async def conversation(call: Call) -> None:
        await call.say("Hello")
        raise KeyError("no such table")

    ended = run(make_call(LONG), talk(Dialog(conversation)))
    assert isinstance(ended.error, ProcessorError)
    assert str(ended.error).startswith("Dialog raised KeyError")


@pytest.mark.parametrize("after", [0.3, 3.0])
def test_it_ends_with_a_caller_who_hangs_up_in_the_middle(after):
    log = []

    async def conversation(call: Call) -> None:
        try:
            log.append(await call.say("Hello, hello"))
            log.append(await call.ask("Who are you?"))
            await asyncio.sleep(LONG)
        finally:
            log.append("over")

    ended = run(make_call(after), talk(Dialog(conversation)))
    assert ended.reason == "the caller hung up"
    assert ended.error is None
    assert ended.abandoned == 0
    assert log[-1] == "over"
    assert log[0] == pytest.approx(min(after, 1.2))


def test_it_may_hang_up_by_itself():
    async def conversation(call: Call) -> None:
        await call.say("Goodbye")
        await call.hangup()
        await call.say("Never heard")

    call, voice = make_call(LONG), Voice()
    assert run(call, talk(Dialog(conversation), voice=voice)).reason == "hung up"
    assert voice.texts == ["Goodbye"]


def test_it_does_not_speak_while_the_caller_speaks():
    async def conversation(call: Call) -> None:
        async for heard in call.listen():
            await call.say(heard.text)
            break

    voice = Voice()
    script = (SpeechStarted(), 0.5, Transcript("hello"), 1.5, SpeechStopped(), LONG)
    run(make_call(*script), talk(Dialog(conversation), voice=voice))
    assert voice.said == [(2.0, "hello")]


def test_what_the_caller_says_ends_at_the_dialog():
    async def conversation(call: Call) -> None:
        await call.digits(1)

    notes = Notes()
    call = make_call(PIECE, Transcript("hello"), 0.5, DTMF("1"), LONG)
    run(call, lambda c: c.source | Dialog(conversation) | notes | Voice() | c.sink)
    assert notes.of(Transcript) + notes.of(DTMF) + notes.of(AudioRaw) == []


def test_a_dialog_needs_no_speech_recognition():
    async def conversation(call: Call) -> None:
        await call.say("Hello")

    call = make_call(LONG)
    call.source.yields = (AudioRaw, DTMF)
    assert run(call, lambda c: c.source | Dialog(conversation) | Voice() | c.sink).error is None


def test_a_dialog_is_a_coroutine_function():
    def conversation(call: Call) -> None:
        pass

    with pytest.raises(TypeError, match="a dialog is written `async def talk"):
        Dialog(conversation)  # type: ignore[arg-type]


# greeting


def test_a_greeting_is_said_when_the_call_opens_and_the_model_answers_after_it():
    call, voice = make_call(0.5, Transcript("hi there"), LONG), Voice()

    async def act() -> None:
        await asyncio.sleep(5.0)
        await call.hangup()

    run(call, lambda c: c.source | Greeting("Welcome") | Parrot() | voice | c.sink, act)
    assert voice.said == [(0.0, "Welcome"), (0.5, "hi there")]
    assert ear_of(call).audio == audio(1.5).data


def test_a_greeting_lets_everything_pass():
    notes, script = Notes(), (PIECE, DTMF("1"), Transcript("hi"), SpeechStarted(), SpeechStopped())
    run(make_call(*script, 2.0), lambda c: c.source | Greeting("Hello") | notes | Parrot() | Voice() | c.sink)
    assert [id(frame) for _, frame in notes.seen] == [id(frame) for frame in script]


def test_a_greeting_can_be_interrupted():
    call = make_call(0.3, DTMF("1"), 3.0)
    run(call, lambda c: c.source | Interrupter() | Greeting("Welcome to the show") | Parrot() | Voice() | c.sink)
    assert len(ear_of(call).audio) < len(audio(0.7).data)
    assert [at for at, kind, _ in ear_of(call).log if kind == "clear"] == [pytest.approx(0.3)]


def test_a_greeting_needs_somebody_who_speaks_after_it():
    call = make_call(1.0)
    with pytest.raises(LinkError):
        link(call.source | Greeting("Hello") | Voice() | call.sink)
