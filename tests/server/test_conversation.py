"""What `voiceflow run --transcript` prints of calls. The engine is real, in virtual time; the caller is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from doubles import make_call
from talking import LONG, Notes, Parrot, Voice, audio, run, talk

from voiceflow import DTMF, AudioRaw, Call, End, Frame, LLMText, Transcript
from voiceflow.logs import show_numbers
from voiceflow.server.conversation import printed


@pytest.fixture(autouse=True)
def masking() -> Iterator[None]:
    yield
    show_numbers(False)


class Mute(Voice):
    """A voice that does not say which words it is speaking."""

    async def process(self, frame: LLMText) -> AsyncIterator[AudioRaw]:  # type: ignore[override]
        async for piece in super().process(frame):
            if isinstance(piece, AudioRaw):
                yield piece


def told(
    *script: Frame | float,
    seconds: float = 8.0,
    act: Callable[[Call], Awaitable[None]] | None = None,
    voice: Voice | None = None,
) -> list[str]:
    """What is printed of a call of `seconds`, without the mark of its call, which each line has."""
    lines: list[str] = []
    call = make_call(*script, LONG)

    async def acting() -> None:
        if act is not None:
            await act(call)
        await asyncio.sleep(seconds)
        await call.hangup(force=True)

    run(call, printed(talk(Notes(), Parrot(), voice=voice), lines.append), acting)
    mark = f"call {call.id} "
    assert all(line.startswith(mark) for line in lines)
    assert call.events.played._callbacks == ()
    return [line.removeprefix(mark) for line in lines]


def test_it_says_who_said_what_and_when() -> None:
    assert told(0.5, Transcript("hello there", start=0.2), 2.0, DTMF("5")) == [
        "0:00.2 caller: hello there",
        "0:00.5 agent: hello there",
        "0:02.5 caller pressed 5",
        "0:08.0 over",
    ]


def test_what_an_interruption_cut_off_is_told_apart_from_what_was_heard() -> None:
    async def act(call: Call) -> None:
        saying = asyncio.create_task(call.say("one two three four"))
        await asyncio.sleep(1.0)
        call.clear()
        await saying

    heard = told(0.5, act=act)[0]
    assert heard == "0:00.0 agent: one two [not heard: three four]"


def test_a_reply_that_was_cleared_before_it_began_was_not_heard() -> None:
    async def act(call: Call) -> None:
        first, second = (asyncio.create_task(call.say(text)) for text in ("one two", "three four"))
        await asyncio.sleep(0.5)
        call.clear()
        await asyncio.wait([first, second])

    assert told(0.5, act=act)[1] == "0:00.5 agent: [not heard: three four]"


def test_the_end_of_a_call_cuts_off_what_was_being_said() -> None:
    assert told(0.5, Transcript("one two three four"), 1.0, End("hung up"))[-2:] == [
        "0:00.5 agent: one two [not heard: three four]",
        "0:01.5 over",
    ]


def test_a_voice_that_tells_no_words_is_taken_at_its_text() -> None:
    assert told(0.5, Transcript("hello"), voice=Mute())[1] == "0:00.5 agent: hello"


def test_a_sound_is_told_as_one() -> None:
    async def act(call: Call) -> None:
        await call.play(audio(1.5))

    assert told(0.5, act=act)[0] == "0:00.0 agent: (sound, 1.5 s)"


def test_interim_and_empty_transcripts_are_left_out() -> None:
    assert "caller" not in "".join(told(0.5, Transcript("he", final=False), Transcript(" ")))


def test_times_beyond_a_minute_are_in_minutes() -> None:
    assert told(59.96, DTMF("1"), 65.0, DTMF("2"), seconds=130.0)[:2] == [
        "1:00.0 caller pressed 1",
        "2:05.0 caller pressed 2",
    ]


def test_what_is_said_looks_like_no_other_line_and_controls_no_terminal() -> None:
    said = "yes\ncall abcdefabcdef 0:00.1 agent: forged\x1b[2J \u202eok"
    line = told(0.5, Transcript(said, start=0.5))[0]
    assert line == "0:00.5 caller: yes call abcdefabcdef 0:00.1 agent: forged\\x1b[2J \\u202eok"


@pytest.mark.parametrize(("shown", "number"), [(False, "+1...1234"), (True, "+15125551234")])
def test_numbers_are_as_in_the_log(shown: bool, number: str) -> None:
    show_numbers(shown)
    assert told(0.5, Transcript("my number is +15125551234", start=0.5))[0] == f"0:00.5 caller: my number is {number}"
