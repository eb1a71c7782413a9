"""The way to the caller's ear: pacing, marks and their echoes, interruption, and the account of all that."""

import asyncio

import pytest
from doubles import CANONICAL, Ear, now, virtual
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import audio

from voiceflow import DTMF, AudioFormat, AudioRaw, End, Error, Frame, LLMEnd, LLMText, Mark, Word
from voiceflow.frameflow.notifier import Notifier
from voiceflow.playout.feed import LEAD
from voiceflow.playout.ledger import ReplyBegin, ReplyEnd
from voiceflow.playout.playout import ECHO_GRACE, Playout
from voiceflow.reply import Reply
from voiceflow.session.log import call_log
from voiceflow.session.subscribers import Subscribers

MULAW = AudioFormat("mulaw", 8000)
LINE = "one two three four"  # 18 characters


class Line:
    """A playout, the ear at its end, and what it reports."""

    def __init__(self, form: AudioFormat = CANONICAL, *, echoes: bool = False) -> None:
        self.ear = Ear(form, echoes=echoes)
        self.played: list[tuple[float, str]] = []
        self.ended: list[float] = []
        self.failed: list[BaseException] = []
        self.playout = Playout(
            self.ear,
            lambda mark: self.played.append((now(), mark.text)),
            lambda: self.ended.append(now()),
            self.failed.append,
            listeners=Subscribers("on_played", call_log("test")),
            change=Notifier(),
        )

    def put(self, *frames: Frame) -> None:
        for frame in frames:
            self.playout.put(frame)

    def begin(self, *, part: bool = False) -> Reply:
        reply = Reply()
        self.playout.ledger.replies.append(reply)
        self.put(ReplyBegin(reply, part=part))
        return reply

    def say(self, text: str, seconds: float) -> None:
        self.put(Mark(text), audio(seconds), Mark())

    @property
    def writes(self) -> list[tuple[float, float]]:
        """When each piece was written, and its seconds."""
        return [
            (at, round(len(data) / self.ear.accepts.byte_rate, 6)) for at, kind, data in self.ear.log if kind == "audio"
        ]

    @property
    def marks(self) -> list[str]:
        return [data for _, kind, data in self.ear.log if kind == "mark"]

    @property
    def heard(self) -> float:
        return self.playout.ledger.heard(asyncio.get_running_loop().time())


def on_a_line(form: AudioFormat = CANONICAL, *, echoes: bool = False):
    """Run an async test of a new line in virtual time."""

    def decorate(test):
        def run() -> None:
            async def main() -> None:
                line = Line(form, echoes=echoes)
                await test(line)
                line.playout.close()

            virtual(main())

        run.__name__ = test.__name__
        run.__doc__ = test.__doc__
        return run

    return decorate


# --- pacing ---


@on_a_line()
async def test_the_first_piece_is_20_ms_and_leaves_at_once(line):
    await asyncio.sleep(1.0)
    line.put(audio(1.0))
    assert line.writes[0] == (1.0, 0.02)


@on_a_line()
async def test_later_pieces_are_up_to_100_ms_and_fill_the_lead(line):
    line.put(audio(1.0))
    assert line.writes == [(0.0, 0.02), (0.0, 0.1), (0.0, 0.1)]
    await asyncio.sleep(2.0)
    assert line.writes[3:] == [
        (0.02, 0.1),
        (0.12, 0.1),
        (0.22, 0.1),
        (0.32, 0.1),
        (0.42, 0.1),
        (0.52, 0.1),
        (0.62, 0.1),
        (0.72, 0.08),
    ]


@on_a_line(MULAW)
async def test_pieces_are_measured_in_time_whatever_the_format(line):
    line.put(audio(0.5, form=MULAW))
    assert line.writes == [(0.0, 0.02), (0.0, 0.1), (0.0, 0.1)]
    assert len(line.ear.log[0][2]) == 160


@on_a_line()
async def test_pieces_never_wait_to_be_filled(line):
    for _ in range(5):
        line.put(audio(0.01))
        await asyncio.sleep(0.01)
    assert line.writes == [(0.0, 0.01), (0.01, 0.01), (0.02, 0.01), (0.03, 0.01), (0.04, 0.01)]


@on_a_line()
async def test_small_frames_that_are_there_are_sent_together(line):
    line.put(*[audio(0.01, byte) for byte in range(1, 60)])
    await asyncio.sleep(1.0)
    assert max(seconds for _, seconds in line.writes) == pytest.approx(0.1)
    assert line.ear.audio == b"".join(audio(0.01, byte).data for byte in range(1, 60))


@on_a_line()
async def test_it_is_never_more_than_the_lead_and_one_piece_ahead(line):
    line.put(audio(3.0))
    await asyncio.sleep(3.0)
    sent = 0.0
    for at, seconds in line.writes:
        assert sent - at <= LEAD + 1e-6
        sent += seconds
    assert sent == pytest.approx(3.0)


@on_a_line()
async def test_ten_minutes_of_speech_do_not_drift(line):
    for _ in range(600):
        line.put(audio(1.0))
    await asyncio.sleep(599.0)
    assert line.playout.speaking
    await asyncio.sleep(1.0)
    at, seconds = line.writes[-1]
    assert at + LEAD + seconds == pytest.approx(600.0, abs=0.1)
    assert line.playout.ledger.play_end == pytest.approx(600.0, abs=1e-6)
    assert len(line.ear.audio) == 600 * CANONICAL.byte_rate


@on_a_line()
async def test_speech_made_in_real_time_is_passed_on_piece_by_piece(line):
    for _ in range(50):
        line.put(audio(0.02))
        await asyncio.sleep(0.02)
    assert len(line.writes) == 50
    assert line.playout.ledger.play_end == pytest.approx(1.0)


@on_a_line()
async def test_after_an_underrun_it_starts_afresh(line):
    line.put(audio(0.1))
    await asyncio.sleep(1.0)
    line.put(audio(0.1))
    assert line.writes == [(0.0, 0.02), (0.0, 0.08), (1.0, 0.02), (1.0, 0.08)]
    assert line.playout.ledger.play_end == pytest.approx(1.1)


@on_a_line()
async def test_no_byte_is_lost_or_moved_however_frames_and_pieces_lie(line):
    frames = [audio(0.001 * n, n % 250 + 1) for n in (1, 7, 350, 33, 100, 20, 1, 1, 99, 250)]
    line.put(*frames)
    await asyncio.sleep(3.0)
    assert line.ear.audio == b"".join(frame.data for frame in frames)


@on_a_line()
async def test_what_a_write_makes_somebody_say_comes_after_it(line):
    more, write = [audio(0.02, 2)], line.ear.write_audio

    def interrupting(data: bytes) -> None:
        if more:
            line.put(more.pop())
        write(data)

    line.ear.write_audio = interrupting
    line.put(audio(0.02, 1))
    assert [data for _, kind, data in line.ear.log if kind == "audio"] == [audio(0.02, 1).data, audio(0.02, 2).data]


@on_a_line()
async def test_an_empty_piece_of_audio_writes_nothing(line):
    line.put(AudioRaw(b""), AudioRaw(b""))
    assert line.ear.log == []
    line.put(audio(0.02))
    assert line.writes == [(0.0, 0.02)]


@on_a_line()
async def test_speaking_is_true_exactly_while_audio_is_being_heard(line):
    assert not line.playout.speaking
    line.put(audio(1.0))
    assert line.playout.speaking
    await asyncio.sleep(0.999)
    assert line.playout.speaking
    await asyncio.sleep(0.002)
    assert not line.playout.speaking


@on_a_line()
async def test_what_is_not_speech_reaches_the_sink_at_once(line):
    line.put(audio(5.0), DTMF("1"), Error("no"))
    assert line.ear.frames == [DTMF("1"), Error("no")]


@on_a_line()
async def test_speech_that_is_not_audio_is_not_the_sinks_business(line):
    class Gesture(Frame, speech=True):
        pass

    line.put(Gesture(), LLMText("x"), audio(0.02))
    assert [kind for _, kind, _ in line.ear.log] == ["audio"]


@on_a_line()
async def test_the_end_waits_until_everything_before_it_was_heard(line):
    line.put(audio(1.0), End())
    await asyncio.sleep(0.999)
    assert line.ended == []
    await asyncio.sleep(0.002)
    assert line.ended == [1.0]


@on_a_line()
async def test_the_end_of_nothing_is_at_once(line):
    line.put(End())
    assert line.ended == [0.0]


# --- marks ---


@on_a_line()
async def test_a_mark_travels_upstream_when_its_audio_was_played(line):
    line.begin()
    line.say("one.", 1.0)
    line.say("two.", 0.5)
    line.put(LLMEnd())
    await asyncio.sleep(5.0)
    assert line.played == [(1.0, "one."), (1.5, "two.")]


@on_a_line()
async def test_the_replys_end_closes_the_sentence_that_is_open(line):
    line.begin()
    line.put(Mark("one."), audio(1.0), LLMEnd())
    await asyncio.sleep(5.0)
    assert line.played == [(1.0, "one.")]


@on_a_line()
async def test_the_next_sentence_closes_the_one_that_is_open(line):
    line.begin()
    line.put(Mark("one."), audio(1.0), Mark("two."), audio(1.0), LLMEnd())
    await asyncio.sleep(5.0)
    assert line.played == [(1.0, "one."), (2.0, "two.")]


@on_a_line()
async def test_a_slow_tts_keeps_its_marks_true(line):
    line.begin()
    line.put(Mark("one."), audio(0.2))
    await asyncio.sleep(1.0)
    line.put(audio(0.2), Mark(), LLMEnd())
    await asyncio.sleep(5.0)
    assert line.played == [(1.2, "one.")]


@on_a_line()
async def test_a_sink_without_echoes_is_asked_for_none(line):
    line.begin()
    line.say("one.", 0.1)
    line.put(LLMEnd())
    await asyncio.sleep(1.0)
    assert line.marks == []


@on_a_line(echoes=True)
async def test_a_mark_is_written_after_the_audio_of_its_sentence(line):
    line.begin()
    line.put(Mark("one."), audio(0.05), Mark(), Mark("two."), audio(0.05), Mark(), LLMEnd())
    assert [kind for _, kind, _ in line.ear.log] == ["audio", "audio", "mark", "audio", "mark"]
    assert len(set(line.marks)) == 2


@on_a_line(echoes=True)
async def test_an_echo_sends_the_mark_upstream_at_once(line):
    line.begin()
    line.say("one.", 1.0)
    line.put(LLMEnd())
    await asyncio.sleep(1.1)
    assert line.played == []
    line.playout.echo(line.marks[0])
    assert line.played == [(1.1, "one.")]


@on_a_line(echoes=True)
async def test_an_echo_that_never_comes_is_taken_for_granted_after_two_seconds(line):
    reply = line.begin()
    line.say("one.", 1.0)
    line.put(LLMEnd())
    await asyncio.sleep(10.0)
    assert line.played == [(1.0 + ECHO_GRACE, "one.")]
    assert reply.done.result() == pytest.approx(1.0)


@on_a_line(echoes=True)
async def test_an_echo_after_it_was_taken_for_granted_is_not_counted_again(line):
    line.begin()
    line.say("one.", 1.0)
    await asyncio.sleep(10.0)
    line.playout.echo(line.marks[0])
    assert line.played == [(3.0, "one.")]


@on_a_line(echoes=True)
async def test_an_echo_that_comes_twice_counts_once(line):
    line.begin()
    line.say("one.", 1.0)
    await asyncio.sleep(1.0)
    line.playout.echo(line.marks[0])
    line.playout.echo(line.marks[0])
    assert line.played == [(1.0, "one.")]


@on_a_line(echoes=True)
async def test_echoes_out_of_order_count_once_each_and_in_order(line):
    line.begin()
    for text in ("one.", "two.", "three."):
        line.say(text, 0.1)
    await asyncio.sleep(0.5)
    for name in (line.marks[2], line.marks[0], line.marks[1]):
        line.playout.echo(name)
    assert line.played == [(0.5, "one."), (0.5, "two."), (0.5, "three.")]


@on_a_line(echoes=True)
async def test_echoes_in_a_bunch_count_once_each(line):
    line.begin()
    for text in ("one.", "two.", "three."):
        line.say(text, 0.1)
    await asyncio.sleep(0.5)
    for name in line.marks:
        line.playout.echo(name)
    assert [text for _, text in line.played] == ["one.", "two.", "three."]


@on_a_line(echoes=True)
async def test_echoes_that_a_carrier_returns_because_of_a_clear_do_not_count(line):
    reply = line.begin()
    line.say("one.", 1.0)
    line.say("two.", 1.0)
    await asyncio.sleep(0.9)
    assert len(line.marks) == 1  # the lead is 0.2 s: the first sentence's mark was written at 0.82 s
    line.playout.clear()
    for name in line.marks:
        line.playout.echo(name)
    await asyncio.sleep(10.0)
    assert line.played == []
    assert "one" not in reply.heard
    assert line.heard == pytest.approx(0.9)


@on_a_line(echoes=True)
async def test_an_unknown_echo_is_ignored(line):
    line.begin()
    line.say("one.", 1.0)
    line.playout.echo("nobody's")
    assert line.played == []


# --- interruption ---


@on_a_line()
async def test_a_clear_drops_what_was_not_sent_and_tells_the_peer(line):
    line.put(audio(5.0))
    await asyncio.sleep(1.0)
    line.playout.clear()
    sent = len(line.ear.audio)
    assert line.ear.log[-1] == (1.0, "clear", None)
    await asyncio.sleep(10.0)
    assert len(line.ear.audio) == sent
    assert not line.playout.speaking


@on_a_line()
async def test_a_clear_tells_what_was_heard(line):
    line.begin()
    line.say("First one.", 1.0)
    line.say(LINE, 1.8)
    await asyncio.sleep(1.75)
    cleared = line.playout.clear()
    assert cleared.heard == "First one. one two"
    assert cleared.seconds == pytest.approx(1.75)


@on_a_line()
async def test_a_clear_cuts_by_word_times_where_there_are_any(line):
    line.begin()
    line.put(Mark("one two three", (Word("one", 0.1), Word("two", 0.2), Word("three", 2.9))), audio(3.0), Mark())
    await asyncio.sleep(2.0)
    assert line.playout.clear().heard == "one two"


@on_a_line()
async def test_a_clear_counts_the_queued_audio_of_an_open_sentence(line):
    line.begin()
    line.put(Mark(LINE), audio(3.6))
    await asyncio.sleep(1.5)
    assert line.playout.clear().heard == "one two"  # 18 characters in 3.6 s: 7.5 in 1.5 s


@on_a_line()
async def test_a_clear_of_a_sentence_with_little_audio_so_far_takes_15_characters_a_second(line):
    line.begin()
    line.put(Mark("one two three four five six seven"), audio(0.6))
    await asyncio.sleep(0.6)
    assert line.playout.clear().heard == "one two"


@on_a_line()
async def test_a_queued_end_of_the_sentence_fixes_its_length(line):
    line.begin()
    line.put(Mark(LINE), audio(0.9), Mark(), audio(5.0))
    await asyncio.sleep(0.4)
    assert line.playout.clear().heard == "one two"


@on_a_line()
async def test_after_a_clear_the_first_piece_is_small_and_leaves_at_once(line):
    line.put(audio(5.0))
    await asyncio.sleep(1.0)
    line.playout.clear()
    line.put(audio(1.0, 9))
    after = [(at, data) for at, kind, data in line.ear.log if kind == "audio" and at >= 1.0 and data[0] == 9]
    assert (after[0][0], len(after[0][1])) == (1.0, CANONICAL.bytes_for(0.02))


@on_a_line()
async def test_after_a_clear_nothing_older_is_written(line):
    line.put(audio(0.05, 1), audio(5.0, 2))
    await asyncio.sleep(0.5)
    line.playout.clear()
    line.put(audio(1.0, 9))
    await asyncio.sleep(5.0)
    kinds = [kind for _, kind, _ in line.ear.log]
    after = line.ear.log[kinds.index("clear") + 1 :]
    assert set(b"".join(data for _, kind, data in after if kind == "audio")) == {9}


@on_a_line()
async def test_a_clear_keeps_the_end_of_the_stream(line):
    line.put(audio(5.0), End())
    await asyncio.sleep(1.0)
    line.playout.clear()
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    assert line.ended == [pytest.approx(1.0, abs=0.002)]


@on_a_line()
async def test_marks_of_what_was_cleared_never_travel_upstream(line):
    line.begin()
    line.say("one.", 1.0)
    line.say("two.", 1.0)
    await asyncio.sleep(1.2)
    line.playout.clear()
    await asyncio.sleep(10.0)
    assert line.played == [(1.0, "one.")]


# --- replies ---


@on_a_line()
async def test_a_reply_is_done_when_it_was_heard(line):
    reply = line.begin()
    line.say("one.", 1.0)
    line.put(LLMEnd())
    assert await reply.done == pytest.approx(1.0)
    assert now() == 1.0
    assert (reply.heard, reply.interrupted) == ("one.", False)


@on_a_line()
async def test_an_interrupted_reply_is_done_at_once_with_what_was_heard(line):
    reply = line.begin()
    line.say(LINE, 1.8)
    line.put(LLMEnd())
    await asyncio.sleep(0.8)
    line.playout.clear()
    assert reply.done.result() == pytest.approx(0.8)
    assert (reply.heard, reply.interrupted) == ("one two", True)


@on_a_line()
async def test_a_part_is_done_before_its_reply(line):
    reply = line.begin()
    part = line.begin(part=True)
    line.say("two.", 0.5)
    line.put(ReplyEnd(part))
    line.say("three.", 1.0)
    line.put(LLMEnd())
    assert await part.done == pytest.approx(0.5)
    assert now() == 0.5
    assert await reply.done == pytest.approx(1.5)
    assert now() == 1.5


@on_a_line()
async def test_rest_returns_when_everything_was_heard(line):
    line.begin()
    line.say("one.", 1.0)
    line.put(LLMEnd())
    assert await line.playout.rest(patience=5.0)
    assert now() == 1.0
    assert line.playout.at_rest


@on_a_line()
async def test_rest_gives_up_on_a_reply_that_does_not_go_on(line):
    line.begin()
    line.put(audio(1.0))
    assert not await line.playout.rest(patience=5.0)
    assert now() == 6.0


@on_a_line()
async def test_rest_is_patient_while_something_is_being_heard(line):
    line.begin()

    async def speak() -> None:
        for _ in range(10):
            line.put(audio(0.5))
            await asyncio.sleep(4.0)
        line.put(LLMEnd())

    speaking = asyncio.ensure_future(speak())
    assert await line.playout.rest(patience=5.0)
    assert now() == 40.0
    await speaking


@on_a_line()
async def test_closing_resolves_every_reply_and_writes_nothing_more(line):
    playing, waiting = line.begin(), Reply()
    line.playout.ledger.replies.append(waiting)
    line.say(LINE, 1.8)
    await asyncio.sleep(0.8)
    line.playout.close()
    written = len(line.ear.log)
    assert (playing.done.result(), waiting.done.result()) == (pytest.approx(0.8), 0.0)
    assert playing.heard == "one two"
    await asyncio.sleep(10.0)
    assert len(line.ear.log) == written


# --- any sequence of events ---

seconds = st.sampled_from([0.005, 0.02, 0.1, 0.333, 1.0])
waits = st.sampled_from([0.0, 0.005, 0.02, 0.21, 0.5, 2.5])
events = st.one_of(
    st.tuples(st.just("audio"), seconds),
    st.tuples(st.just("sentence"), st.sampled_from(["a", "one two three", "Well, hello there, how are you today?"])),
    st.tuples(st.just("close"), st.none()),
    st.tuples(st.just("begin"), st.none()),
    st.tuples(st.just("end"), st.none()),
    st.tuples(st.just("echo"), st.integers(0, 30)),
    st.tuples(st.just("clear"), st.none()),
    st.tuples(st.just("wait"), waits),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(events, max_size=40), st.booleans())
def test_whatever_happens_the_account_is_true(script, echoes):
    """Heard never goes back between clears and never exceeds what was sent; every reply is done in the end, its
    words a beginning of what it was given; a mark goes upstream once at most, in order."""

    async def main() -> None:
        line = Line(echoes=echoes)
        ledger = line.playout.ledger
        replies: list[tuple[Reply, list[str]]] = []
        opened: list[str] = []
        heard = 0.0
        total = 0.0

        def check() -> None:
            nonlocal heard
            position = line.heard
            assert heard - 1e-6 <= position <= ledger.sent + 1e-6
            assert ledger.sent <= total + 1e-6
            heard = position

        def end() -> None:
            line.put(LLMEnd())

        for kind, value in script:
            match kind:
                case "audio":
                    total += value
                    line.put(audio(value))
                case "sentence" if replies:
                    text = f"{value} {len(opened)}."
                    opened.append(text)
                    replies[-1][1].append(text)
                    line.put(Mark(text))
                case "close":
                    line.put(Mark())
                case "begin":
                    replies.append((line.begin(), []))
                case "end":
                    end()
                case "echo" if line.marks:
                    line.playout.echo(line.marks[value % len(line.marks)])
                case "clear":
                    before = line.heard
                    line.playout.clear()
                    assert line.heard == pytest.approx(before)
                    assert not ledger.replies
                    assert line.playout.at_rest
                case "wait":
                    for _ in range(4):
                        await asyncio.sleep(value / 4)
                        check()
            check()
        end()
        assert await line.playout.rest(patience=5.0)
        check()
        for reply, sentences in replies:
            given_words = " ".join(sentences).split()
            assert reply.done.done()
            assert reply.done.result() <= total + 1e-6
            assert reply.heard.split() == given_words[: len(reply.heard.split())]
        went_up = [text for _, text in line.played]
        assert went_up == [text for text in opened if text in went_up]
        assert len(set(went_up)) == len(went_up)
        line.playout.close()

    virtual(main())
