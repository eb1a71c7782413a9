"""Observers of a call, and what a call knows of itself."""

import asyncio
from collections.abc import AsyncIterator

from doubles import Ear, Script, make_call
from talking import LONG, STT, Interrupter, Notes, Parrot, Voice, audio, ear_of, run, talk

from voiceflow import (
    DTMF,
    AudioFormat,
    Call,
    Frame,
    LLMText,
    Parallel,
    Transcript,
)


# observers
def test_observers_see_every_boundary_fused_or_not():
    seen: list[tuple[str, str, str]] = []
    call, voice = make_call(0.5, Transcript("hi"), LONG), Voice()

    async def act() -> None:
        call.observe(lambda up, down, frame: seen.append((up.name, down.name, type(frame).__name__)))
        await asyncio.sleep(2.0)
        await call.hangup()

    run(call, lambda c: c.source | Notes() | Parrot() | Notes() | voice | c.sink, act)
    boundaries = [(up, down) for up, down, kind in seen if kind == "Transcript"]
    assert boundaries == [("Script", "Notes"), ("Notes", "Parrot")]
    assert [(up, down) for up, down, kind in seen if kind == "LLMText"] == [("Parrot", "Notes"), ("Notes", "Voice")]
    assert [(up, down) for up, down, kind in seen if kind == "AudioRaw"] == [("Voice", "Ear")]


def test_several_observers_are_called_in_turn():
    first: list[Frame] = []
    second: list[Frame] = []
    call = make_call(0.5, DTMF("1"), LONG)

    async def act() -> None:
        call.observe(lambda up, down, frame: first.append(frame))
        call.observe(lambda up, down, frame: second.append(frame))
        await asyncio.sleep(1.0)
        await call.hangup()

    run(call, talk(), act)
    assert first
    assert first == second


def test_observers_see_codec_stages_too():
    mulaw = AudioFormat("mulaw", 8000)
    seen = set()
    call = Call(Script(0.5, audio(0.1, form=mulaw), 1.0, format=mulaw), Ear(mulaw), transport="test")

    async def act() -> None:
        call.observe(lambda up, down, frame: seen.add((up.name, down.name)))

    run(call, talk(ears=(STT(),)), act)
    assert {("Script", "Convert"), ("Convert", "STT")} <= seen


def test_observers_see_every_branch_of_a_fork():
    class Left(Notes):
        pass

    class Right(Notes):
        pass

    seen = []
    call = make_call(0.5, DTMF("1"), LONG)

    async def act() -> None:
        call.observe(lambda up, down, frame: seen.append((up.name, down.name)) if frame == DTMF("1") else None)
        await asyncio.sleep(1.0)
        await call.hangup()

    run(call, lambda c: c.source | Parallel(Left(), Right()) | c.sink, act)
    assert ("Script", "Left") in seen
    assert ("Script", "Right") in seen
    assert ("Left", "Ear") in seen
    assert ("Right", "Ear") in seen


def test_observing_changes_nothing_of_what_is_heard():
    def heard(observed: bool) -> bytes:
        call = make_call(0.5, Transcript("hello"), 0.3, DTMF("1"), 0.3, Transcript("you"), 5.0)

        async def act() -> None:
            await asyncio.sleep(0.6)
            if observed:
                call.observe(lambda up, down, frame: None)

        run(call, talk(ears=(Interrupter(),)), act)
        return ear_of(call).audio

    assert heard(True) == heard(False)


# what a call knows of itself
def test_speaking_and_busy_follow_what_is_being_said():
    call = make_call(LONG)

    async def act() -> None:
        assert (call.speaking, call.busy) == (False, False)
        saying = asyncio.ensure_future(call.say("Hello"))
        await asyncio.sleep(0.1)
        assert (call.speaking, call.busy) == (True, True)
        await saying
        await asyncio.sleep(0.01)
        assert (call.speaking, call.busy) == (False, False)
        await call.hangup()

    run(call, talk(), act)


def test_a_call_is_busy_while_its_model_thinks():
    class Slow(Parrot):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            await asyncio.sleep(1.0)
            yield LLMText("x")

    call = make_call(Transcript("go"), LONG)

    async def act() -> None:
        await asyncio.sleep(0.5)
        assert (call.speaking, call.busy) == (False, True)
        await call.hangup(force=True)

    run(call, talk(Slow()), act)


def test_calls_have_names_of_their_own_and_what_the_transport_knows():
    call = Call(
        Script(), Ear(), transport="twilio", provider="twilio", caller_id="+1", did="+2", metadata={"sid": "CA"}
    )
    assert call.metadata == {"transport": "twilio", "sid": "CA"}
    assert (call.caller_id, call.did, call.is_connected) == ("+1", "+2", True)
    assert call.id != make_call().id
