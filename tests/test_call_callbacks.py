"""Callbacks that users subscribe: at any time, until they are undone, and without harm to the call."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from doubles import make_call
from talking import LONG, Parrot, Voice, ear_of, run, talk

from voiceflow import DTMF, Call, End, Processor, SpeechStarted, SpeechStopped, Transcript

SUBSCRIBE: list[Callable[[Call, Callable[..., Any]], Callable[[], None]]] = [
    Call.on_heard,
    Call.on_reply,
    Call.on_played,
    Call.on_turn,
    Call.observe,
]


class Recogniser(Processor):
    """A stage from which transcripts come, as `on_turn` wants one."""

    def process(self, frame: Transcript) -> Transcript:
        return frame


TURN = (SpeechStarted(), 0.5, Transcript("hello"), SpeechStopped(0.1), 5.0)


@pytest.mark.parametrize("subscribe", SUBSCRIBE)
@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3)])
def test_one_that_raises_is_logged_once_and_the_call_goes_on(subscribe, error, caplog):
    called = []

    def broken(*args: Any) -> None:
        called.append(args)
        raise error

    call = make_call(*TURN, *TURN, LONG)
    subscribe(call, broken)

    async def act() -> None:
        await asyncio.sleep(15.0)
        await call.hangup()

    with caplog.at_level(logging.ERROR):
        ended = run(call, talk(ears=(Recogniser(),)), act)
    assert ended.error is None
    assert (ended.reason, len(ear_of(call).audio) > 0) == ("hung up", True)
    assert called
    (record,) = caplog.records
    assert "broken" in record.getMessage()
    assert f"test_call_callbacks.py, line {broken.__code__.co_firstlineno}" in record.getMessage()


def test_one_that_raises_at_the_very_end_leaves_nothing_behind():
    call = make_call(DTMF("1"))

    def broken(frame: Any) -> None:
        if isinstance(frame, End):
            raise ValueError("at the end")

    call.on_heard(broken)
    assert run(call, talk()).error is None


@pytest.mark.parametrize("subscribe", SUBSCRIBE)
def test_one_may_come_and_go_while_the_call_runs(subscribe):
    call, seen = make_call(*TURN, *TURN, *TURN, LONG), []

    async def act() -> None:
        await asyncio.sleep(5.2)
        undo = subscribe(call, lambda *args: seen.append(call.elapsed))
        await asyncio.sleep(5.5)
        undo()
        undo()  # once more does no harm
        await asyncio.sleep(10.0)
        await call.hangup()

    run(call, talk(ears=(Recogniser(),)), act)
    assert seen or subscribe is Call.on_turn  # whose segments need what a whole recogniser yields
    assert all(5.2 < at < 10.8 for at in seen)


def test_the_others_are_still_told():
    call, heard = make_call(DTMF("1"), DTMF("2"), LONG), []

    def broken(frame: Any) -> None:
        raise ValueError

    async def act() -> None:
        await asyncio.sleep(1.0)
        await call.hangup()

    call.on_heard(broken)
    call.on_heard(heard.append)
    run(call, talk(Parrot(), voice=Voice()), act)
    assert heard == [DTMF("1"), DTMF("2"), End("hung up")]
