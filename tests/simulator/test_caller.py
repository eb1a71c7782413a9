"""One simulated call on a virtual clock: what it says, when, and what it makes of what comes back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from doubles import virtual
from simulator.conducting import LOUD, MULAW, SILENT, Server, call

from voiceflow.frames import DTMF, AudioRaw
from voiceflow.simulator.line import Closed
from voiceflow.simulator.script import Network, Script
from voiceflow.simulator.ticker import EARLY
from voiceflow.transports.dialect import Echo, Event, Start, Stop


def echo(server: Server) -> None:
    def answer(event: Event) -> None:
        if isinstance(event, AudioRaw):
            server.media(event.data)

    server.on_event = answer


def script(*speech: bytes, **options: Any) -> Script:
    return Script(MULAW, speech, **options)


# -- speaking


def test_audio_goes_out_every_20_ms_once_its_last_sample_is_there() -> None:
    done = virtual(call(script(LOUD, LOUD, SILENT, length=5)))
    audio = done.server.of(AudioRaw)
    assert [at for at, _ in audio] == [0.02, 0.04, 0.06, 0.08, 0.1]
    assert [frame.data for _, frame in audio] == [LOUD, LOUD, SILENT, SILENT, SILENT]
    assert done.seconds == 0.1


def test_a_call_begins_with_its_start_and_ends_with_a_stop() -> None:
    done = virtual(call(script(LOUD, length=3)))
    kinds = [type(event) for _, event in done.server.events]
    assert kinds == [Start, AudioRaw, AudioRaw, AudioRaw, Stop]
    (_, began), *_ = done.server.of(Start)
    assert (began.caller_id, began.did) == ("+12025550123", "+12025550199")
    assert done.ended is not None
    assert (done.ended.reason, done.ended.failed) == ("hung up", False)


def test_keys_are_pressed_between_the_pieces() -> None:
    done = virtual(call(script(keys={2: "1", 12: "#"}, length=20)))
    assert done.server.of(DTMF) == [(0.06, DTMF("1")), (0.26, DTMF("#"))]
    assert done.tally.sent == len(done.server.messages) == 2 + 20 + 2 + 1


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_lost_audio_is_missing_in_its_place(provider: str) -> None:
    done = virtual(call(script(LOUD, LOUD, LOUD, length=4, network=Network(loss=1.0)), provider=provider))
    assert done.server.of(AudioRaw) == []
    assert done.server.of(Stop)


def test_jitter_delays_audio_and_keeps_its_order() -> None:
    pieces = [bytes([number]) * 160 for number in range(100)]
    done = virtual(call(script(*pieces, length=100, network=Network(jitter=0.03))))
    audio = done.server.of(AudioRaw)
    late = [at - 0.02 * number for number, (at, _) in enumerate(audio, 1)]
    assert [frame.data for _, frame in audio] == pieces[: len(audio)]
    assert all(-EARLY <= delay <= 0.03 + EARLY for delay in late)
    assert max(late) - min(late) > 0.015


def test_reordered_audio_comes_after_what_followed_it() -> None:
    done = virtual(call(script(*[LOUD] * 4, length=4, network=Network(reorder=1.0)), provider="telnyx"))
    chunks = [json.loads(message)["media"]["chunk"] for _, message in done.server.messages if '"media":{' in message]
    assert chunks == ["2", "1", "4", "3"]


def test_a_caller_who_vanishes_is_gone_in_the_middle_of_a_message() -> None:
    done = virtual(call(script(LOUD, LOUD, length=50, vanish=2)))
    assert done.server.vanished is not None
    assert done.server.of(Stop) == []
    assert len(done.server.of(AudioRaw)) == 2
    assert done.ended is not None
    assert (done.ended.reason, done.ended.failed) == ("vanished", False)


# -- leaving


def test_without_a_length_the_caller_waits_a_while_for_an_answer() -> None:
    assert virtual(call(script(LOUD, LOUD))).seconds == pytest.approx(0.04 + 8.0)


def test_without_a_length_the_caller_leaves_a_second_after_the_answer() -> None:
    def prepare(server: Server) -> None:
        asyncio.get_running_loop().call_later(3.0, lambda: server.media(LOUD * 100))

    assert virtual(call(script(LOUD, LOUD), prepare=prepare)).seconds == pytest.approx(3.0 + 2.0 + 1.0)


def test_an_echo_of_the_callers_silence_is_quiet() -> None:
    done = virtual(call(script(LOUD, LOUD), prepare=echo))
    assert done.seconds == pytest.approx(1.06)  # what was echoed ends at 0.08


def test_the_caller_waits_for_an_agent_who_speaks() -> None:
    def prepare(server: Server) -> None:
        asyncio.get_running_loop().call_later(0.9, lambda: server.media(LOUD * 100))

    done = virtual(call(script(LOUD), prepare=prepare))
    assert done.seconds == pytest.approx(0.9 + 2.0 + 1.0)


def test_the_caller_does_not_wait_for_ever_for_an_agent_who_goes_on_speaking() -> None:
    def prepare(server: Server) -> None:
        asyncio.get_running_loop().call_later(0.5, server.media, LOUD * 5_000)

    assert virtual(call(script(LOUD), prepare=prepare)).seconds == 0.02 + 60.0


def test_a_server_that_hangs_up_ends_the_call() -> None:
    def prepare(server: Server) -> None:
        asyncio.get_running_loop().call_later(0.05, server.hang_up, Closed(1000, "the call is over"))

    done = virtual(call(script(LOUD), prepare=prepare))
    assert done.ended is not None
    assert done.ended.reason == "the server closed the connection: 1000 the call is over"
    assert not done.ended.failed
    assert len(done.server.of(AudioRaw)) == 2


@pytest.mark.parametrize(
    ("code", "failed"), [(1000, False), (1005, False), (1001, True), (1006, True), (1008, True), (1011, True)]
)
def test_a_server_that_closes_for_another_reason_has_failed(code: int, failed: bool) -> None:
    def prepare(server: Server) -> None:
        server.hang_up(Closed(code, ""))

    done = virtual(call(script(LOUD), prepare=prepare))
    assert done.ended is not None
    assert done.ended.failed is failed


# -- listening


def test_the_delay_of_an_echo_is_measured_piece_by_piece() -> None:
    done = virtual(call(script(*[LOUD] * 50, length=100), prepare=echo, delay=0.03))
    delay, jitter = done.tally.delay.quantiles(), done.tally.jitter.quantiles()
    assert delay is not None
    assert jitter is not None
    assert delay.count == 98
    assert [delay.p50, delay.max] == pytest.approx([60, 60], abs=0.11)
    assert jitter.max <= 0.11
    assert done.tally.gaps == done.tally.not_echoes == 0


def test_the_first_audio_is_timed_from_the_start() -> None:
    def prepare(server: Server) -> None:
        asyncio.get_running_loop().call_later(0.25, server.media, LOUD)

    first = virtual(call(script(length=30), prepare=prepare)).tally.first_audio.quantiles()
    assert first is not None
    assert first.count == 1
    assert first.p50 == pytest.approx(250, abs=0.11)


def test_marks_return_when_the_audio_before_them_was_played() -> None:
    def prepare(server: Server) -> None:
        def answer(event: Event) -> None:
            if isinstance(event, Start):
                server.say(
                    *server.stream.mark("at once"), *server.stream.media(LOUD * 5), *server.stream.mark("played")
                )

        server.on_event = answer

    done = virtual(call(script(length=20), prepare=prepare))
    (at_once, first), (played, second) = done.server.of(Echo)
    assert (first.name, second.name) == ("at once", "played")
    assert at_once == 0
    assert 0.12 <= played <= 0.14  # with the jitter buffer, at the next 20 ms
    assert done.tally.marks_played == 2


def test_a_clear_is_timed_from_the_key_that_interrupts_and_returns_the_marks() -> None:
    def prepare(server: Server) -> None:
        def answer(event: Event) -> None:
            match event:
                case Start():
                    server.say(*server.stream.media(LOUD * 500), *server.stream.mark("never played"))
                case DTMF():
                    server.say(*server.stream.clear())

        server.on_event = answer

    done = virtual(call(script(keys={50: "1"}, barge_in=50, length=100), prepare=prepare, delay=0.04))
    clear = done.tally.clear.quantiles()
    assert clear is not None
    assert clear.count == 1
    assert clear.p50 == pytest.approx(80, abs=0.11)
    assert (done.tally.clears, done.tally.marks_played, done.tally.marks_cleared) == (1, 0, 1)
    assert [event.name for _, event in done.server.of(Echo)] == ["never played"]
    assert done.player.end == pytest.approx(1.1)  # the key at 1.02, and the clear 80 ms after it


def test_a_barge_in_by_voice_is_timed_from_its_first_piece() -> None:
    def prepare(server: Server) -> None:
        def answer(event: Event) -> None:
            if isinstance(event, AudioRaw) and event.data == LOUD:
                server.say(*server.stream.clear())

        server.on_event = answer

    done = virtual(call(script(SILENT, again=(LOUD, LOUD), barge_in=10, length=20), prepare=prepare, delay=0.01))
    clear = done.tally.clear.quantiles()
    assert clear is not None
    assert clear.count == 1
    assert clear.p50 == pytest.approx(20, abs=0.11)
    assert [at for at, frame in done.server.of(AudioRaw) if frame.data == LOUD] == [0.23, 0.25]


def test_gaps_are_counted_and_pauses_are_not() -> None:
    def prepare(server: Server) -> None:
        for at in (0.1, 0.2, 1.2):
            asyncio.get_running_loop().call_later(at, server.media, LOUD)

    tally = virtual(call(script(length=100), prepare=prepare)).tally
    assert (tally.gaps, round(tally.gap_seconds, 6)) == (1, 0.08)


def test_more_than_was_said_is_no_echo() -> None:
    def prepare(server: Server) -> None:
        asyncio.get_running_loop().call_later(0.1, server.media, LOUD * 10)

    assert virtual(call(script(length=20), prepare=prepare)).tally.not_echoes == 1


# -- refusing


@pytest.mark.parametrize(
    ("provider", "message", "code"),
    [
        ("twilio", b"\0", 31950),
        ("twilio", "{", 31951),
        ("twilio", '{"event":"clear","streamSid":"MZ2"}', 31951),
        ("twilio", '{"event":"clear","streamSid":"MZ1","extra":1}', 31951),
        ("telnyx", "{", 100003),
        ("telnyx", '{"event":"media","media":{"payload":"AA=="}}', 100004),
    ],
)
def test_what_the_carrier_refuses_is_counted_by_its_code(provider: str, message: str | bytes, code: int) -> None:
    def prepare(server: Server) -> None:
        asyncio.get_running_loop().call_later(0.05, server.say, message, message)

    done = virtual(call(script(length=10), prepare=prepare, provider=provider))
    assert [(refused.code, refused.count) for refused in done.tally.refusals.values()] == [(code, 2)]
    told = [message for _, message in done.server.messages if '"error"' in message]
    assert len(told) == (2 if provider == "telnyx" else 0)
    assert done.ended is not None
    assert not done.ended.failed


def test_more_than_ten_minutes_are_refused() -> None:
    def prepare(server: Server) -> None:
        for _ in range(2):
            asyncio.get_running_loop().call_later(0.05, server.media, LOUD * 50 * 301)

    done = virtual(call(script(length=10), prepare=prepare))
    assert [(refused.code, refused.count) for refused in done.tally.refusals.values()] == [(31931, 1)]
