"""A caller who does each thing at its moment: when the agent has finished, over it, after a step, at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from doubles import virtual
from simulator.conducting import LOUD, MULAW, SILENT, Call, Server, call

from voiceflow.audio import AudioFormat
from voiceflow.frames import DTMF, AudioRaw
from voiceflow.simulator.cues import ANSWER, REST, CallerCue, CuedScript, HeardAgent
from voiceflow.simulator.load import ANSWER as LAST_ANSWER
from voiceflow.transports.dialect import Event

SECOND = (LOUD,) * 50


def conduct(*cues: CallerCue, agent: Callable[[Server], None], length: int | None = None) -> Call:
    return virtual(call(CuedScript(MULAW, (), cues=cues, length=length), prepare=agent))


def begins(done: Call) -> list[float]:
    """When the caller begins to speak, after silence, in seconds."""
    found, before = [], SILENT
    for at, audio in done.server.of(AudioRaw):
        if audio.data == LOUD != before:
            found.append(round(at - 0.02, 2))
        before = audio.data
    return found


def mute(server: Server) -> None:
    """An agent who says nothing."""


def talker(greeting: float = 0.0, answer: float = 2.0, thinks: float = 0.5) -> Callable[[Server], None]:
    """An agent who greets for so many seconds, and answers what was said when the caller has been silent for
    `thinks`."""

    def prepare(server: Server) -> None:
        silent = 1000.0

        def listen(event: Event) -> None:
            nonlocal silent
            if not isinstance(event, AudioRaw):
                return
            silent = 0.0 if event.data == LOUD else silent + 0.02
            if thinks <= silent < thinks + 0.019:
                server.media(LOUD * round(answer * 50))

        server.on_event = listen
        if greeting:
            asyncio.get_running_loop().call_later(0.3, lambda: server.media(LOUD * round(greeting * 50)))

    return prepare


def test_what_is_said_comes_when_the_agent_has_finished() -> None:
    done = conduct(CallerCue(SECOND), CallerCue(SECOND), agent=talker(greeting=1.5))
    first, second = begins(done)
    assert first == pytest.approx(0.3 + 1.5 + REST, abs=0.06)
    assert second == pytest.approx(first + 1.0 + 0.5 + 2.0 + REST, abs=0.1)
    assert done.ended is not None
    assert done.ended.reason == "hung up"
    assert done.seconds == pytest.approx(second + 1.0 + 0.5 + 2.0 + REST, abs=0.1)


def test_where_nothing_comes_the_caller_goes_on_all_the_same() -> None:
    done = conduct(CallerCue(SECOND), CallerCue(SECOND), agent=mute)
    assert begins(done) == pytest.approx([ANSWER, 2 * ANSWER + 1.0], abs=0.06)
    assert done.seconds == pytest.approx(2 * ANSWER + 2.0 + LAST_ANSWER, abs=0.1)


def test_a_time_counts_from_the_beginning() -> None:
    done = conduct(
        CallerCue(SECOND, when="at", seconds=0.0), CallerCue(SECOND, when="at", seconds=3.0), agent=talker(answer=9.0)
    )
    assert begins(done) == pytest.approx([0.0, 3.0], abs=0.03)


def test_over_the_agent_is_so_many_seconds_after_it_has_begun_and_is_timed_until_its_clear() -> None:
    def interruptible(server: Server) -> None:
        talker(answer=4.0)(server)
        listen, heard = server.on_event, 0

        def clears(event: Event) -> None:
            nonlocal heard
            listen(event)
            heard += isinstance(event, AudioRaw) and event.data == LOUD
            if heard == 55:  # five pieces of the second utterance
                server.say(*server.stream.clear())

        server.on_event = clears

    cues = CallerCue(SECOND, when="at"), CallerCue(SECOND, when="over", seconds=1.2)
    done = conduct(*cues, agent=interruptible)
    assert begins(done) == pytest.approx([0.0, 1.0 + 0.5 + 1.2], abs=0.06)
    clear = done.tally.clear.quantiles()
    assert clear is not None
    assert clear.p50 == pytest.approx(80, abs=21)


def test_a_reply_too_short_to_be_interrupted_is_followed() -> None:
    cues = CallerCue(SECOND, when="at"), CallerCue(SECOND, when="over", seconds=5.0)
    done = conduct(*cues, agent=talker(answer=2.0))
    assert begins(done) == pytest.approx([0.0, 1.0 + 0.5 + 2.0 + REST], abs=0.1)
    assert done.tally.clear.quantiles() is None


def test_keys_come_after_a_step_and_in_their_distance() -> None:
    done = conduct(
        CallerCue(SECOND, when="at"), CallerCue(keys="1w2", when="after", seconds=0.5), agent=mute, length=200
    )
    assert [(at, event.digit) for at, event in done.server.of(DTMF)] == [(1.52, "1"), (2.22, "2")]


@pytest.mark.parametrize(("when", "at"), [("begun", 1.5), ("finished", 4.5)])
def test_a_wait_is_for_the_agent_to_begin_or_to_have_finished(when: str, at: float) -> None:
    waits = CallerCue(when=when)  # type: ignore[arg-type]
    done = conduct(CallerCue(SECOND, when="at"), waits, CallerCue(SECOND, when="after"), agent=talker(answer=2.0))
    assert begins(done) == pytest.approx([0.0, at], abs=0.1)


def test_an_echo_of_the_caller_is_no_answer() -> None:
    def echo(server: Server) -> None:
        server.on_event = lambda event: server.media(event.data) if isinstance(event, AudioRaw) else None

    done = conduct(CallerCue(SECOND, when="at"), CallerCue(SECOND), agent=echo)
    assert begins(done) == pytest.approx([0.0, 1.0 + ANSWER], abs=0.1)


def test_each_call_by_one_script_has_its_own_moments() -> None:
    script = CuedScript(MULAW, (), cues=(CallerCue(SECOND, text="Hello"),))

    async def both() -> list[Call]:
        return await asyncio.gather(
            call(script, prepare=talker(greeting=1.0)), call(script, prepare=talker(greeting=3.0))
        )

    early, late = virtual(both())
    assert begins(late)[0] - begins(early)[0] == pytest.approx(2.0, abs=0.06)
    assert early.part.texts(0.0, 10.0) == ["Hello"]
    assert early.part.texts(8.0, 10.0) == []


@pytest.mark.parametrize(("heard", "begins_at"), [("pcm16", 0.4), ("mulaw", 0.1)])
def test_silence_is_that_of_the_format_in_which_the_agent_is_heard(heard: str, begins_at: float) -> None:
    """Zeros are silence in pcm16 and as loud as can be in mu-law."""
    format = AudioFormat(heard, 8_000)
    agent = HeardAgent(format)
    agent.hear(bytes(format.bytes_for(0.1)), 0.2)
    agent.hear(b"\x40" * format.bytes_for(0.1), 0.5)
    assert agent.begun == pytest.approx(begins_at)


def test_a_caller_by_a_script_hears_the_agent_in_the_agents_own_format() -> None:
    """A silent agent in pcm16 has not begun to speak: the step that waits for that comes when patience ends."""
    wide = AudioFormat("pcm16", 16_000)
    script = CuedScript(MULAW, (), cues=(CallerCue(when="begun"), CallerCue(SECOND, when="after")))
    quiet, loud = script.part(wide), script.part(wide)
    for part, data in ((quiet, bytes(640)), (loud, b"\x00\x40" * 320)):
        for number in range(50):
            part.advance(number, number * 0.02)
            part.hear(data, number * 0.02 + 0.04)
    assert quiet.piece(49) == SILENT
    assert loud.piece(49) == LOUD
