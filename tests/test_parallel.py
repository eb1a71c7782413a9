"""Parallel branches: each gets every frame, and a frame that all of them let pass leaves once."""

import asyncio
import copy
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from doubles import PIECE, Ear, Script, make_call, now, timers, virtual
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import Parrot

from voiceflow import (
    ANY,
    DTMF,
    AudioFormat,
    AudioRaw,
    Call,
    Clear,
    Ended,
    Frame,
    LLMEnd,
    LLMText,
    Mark,
    Parallel,
    Pipeline,
    Processor,
    SpeechStarted,
    Transcript,
)
from voiceflow.linking import link


class Tap(Processor):
    """A stage that remembers what it sees."""

    accepts = produces = ANY

    def __init__(self) -> None:
        self.seen: list[tuple[float, Frame]] = []
        self.finished = 0

    def process(self, frame: Frame) -> Frame:
        self.seen.append((now(), frame))
        return frame

    def finish(self) -> None:
        self.finished += 1

    @property
    def frames(self) -> list[Frame]:
        return [frame for _, frame in self.seen]

    def of(self, *kinds: type[Frame]) -> list[Frame]:
        return [frame for frame in self.frames if isinstance(frame, kinds)]


class Never(Frame):
    """Announced by the source, and never sent."""


class Idle(Processor):
    """Consumes a frame that never comes: everything passes it by."""

    def process(self, frame: Never) -> Never:
        return frame


class Slow(Processor):
    """Has a task of its own, and takes a second for each frame it consumes; all others pass it by, after those."""

    async def process(self, frame: SpeechStarted) -> SpeechStarted:
        await asyncio.sleep(1.0)
        return frame


class Keys(Processor):
    """Consumes keys and says what they were."""

    def process(self, frame: DTMF) -> Transcript:
        return Transcript(frame.digit)


class Consumer(Processor):
    """Lets no audio pass."""

    def process(self, frame: AudioRaw) -> None:
        pass


class SlowKeys(Processor):
    async def process(self, frame: DTMF) -> Transcript:
        await asyncio.sleep(0.1)
        return Transcript(frame.digit)


class TTS(Processor):
    async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
        yield Mark(frame.text)
        yield AudioRaw(b"\2\0" * 8000)
        yield Mark()


def run(call: Call, *elements: Any) -> Ended:
    async def main() -> Ended:
        def build(call: Call) -> Processor:
            pipeline = call.source
            pipeline.yields = (*pipeline.yields, Never)  # type: ignore[misc]
            for element in elements:
                pipeline = pipeline | element
            return pipeline | call.sink

        ended = await call.run(build)
        await asyncio.sleep(0)
        assert not timers()
        return ended

    return virtual(main())


def ear(call: Call) -> Ear:
    assert isinstance(call.sink, Ear)
    return call.sink


# --- what passes ---


@pytest.mark.parametrize("branches", [(Idle, Idle), (Idle, Slow), (Slow, Idle), (Slow, Slow), (Idle, Idle, Slow)])
def test_a_frame_that_every_branch_lets_pass_leaves_once(branches):
    out = Tap()
    run(make_call(DTMF("1"), DTMF("2"), 0.5, DTMF("3")), Parallel(*branches), out)
    assert out.of(DTMF) == [DTMF("1"), DTMF("2"), DTMF("3")]


@pytest.mark.parametrize("branches", [(Idle, Slow), (Slow, Idle)])
def test_it_leaves_after_the_last_branch(branches):
    out = Tap()
    run(make_call(SpeechStarted(), DTMF("1"), 5.0), Parallel(*branches), out)
    assert [at for at, frame in out.seen if isinstance(frame, DTMF)] == [1.0]


def test_the_same_frame_twice_leaves_twice():
    key, out = DTMF("1"), Tap()
    run(make_call(key, key, 0.1, key), Parallel(Idle, Slow), out)
    assert out.of(DTMF) == [key, key, key]


def test_a_frame_that_one_branch_consumes_leaves_by_the_other():
    out = Tap()
    run(make_call(DTMF("1"), DTMF("2")), Parallel(Keys, Idle), out)
    assert [frame for frame in out.frames if frame in (DTMF("1"), DTMF("2"))] == [DTMF("1"), DTMF("2")]
    assert out.of(Transcript) == [Transcript("1"), Transcript("2")]


def test_a_frame_that_every_branch_consumes_does_not_leave():
    out = Tap()
    run(make_call(DTMF("1")), Parallel(Keys, SlowKeys), out)
    assert out.of(DTMF) == []
    assert out.of(Transcript) == [Transcript("1"), Transcript("1")]


def test_a_frame_that_a_branch_makes_anew_is_another_frame():
    """Two branches that yield what they take: two frames, as two processors made them."""
    out = Tap()
    run(make_call(DTMF("1")), Parallel(Tap, Tap), out)
    assert out.of(DTMF) == [DTMF("1"), DTMF("1")]


@pytest.mark.parametrize("branches", [(Tap, Tap), (Tap, Idle), (Slow, Tap), (Slow, Slow)])
def test_every_branch_is_given_each_frame_in_order(branches):
    first, second = Tap(), Tap()
    script = [DTMF("1"), Transcript("a"), DTMF("2"), PIECE, DTMF("3")]
    run(make_call(*script), Parallel(first | branches[0](), second | branches[1]()), Tap())
    assert first.frames == second.frames == script


def test_order_within_a_branch_is_kept():
    out = Tap()
    run(make_call(DTMF("1"), DTMF("2"), DTMF("3")), Parallel(SlowKeys, Slow), out)
    assert out.of(Transcript) == [Transcript("1"), Transcript("2"), Transcript("3")]
    assert out.of(DTMF) == [DTMF("1"), DTMF("2"), DTMF("3")]


@pytest.mark.parametrize("branches", [(Tap, Tap), (Slow, Tap), (Slow, Slow), (Tap, Slow, SlowKeys)])
def test_the_end_leaves_once_after_everything(branches):
    out = Tap()
    ended = run(make_call(SpeechStarted(), DTMF("1")), Parallel(*branches), out)
    assert ended.reason == "the caller hung up"
    assert out.finished == 1


def test_every_branch_is_finished_before_the_end_leaves():
    class Rest(Processor):
        async def process(self, frame: DTMF) -> Transcript | None:
            return None

        async def finish(self) -> Transcript:
            await asyncio.sleep(0.5)
            return Transcript("rest")

    out = Tap()
    run(make_call(DTMF("1")), Parallel(Rest, Keys), out)
    assert out.of(Transcript) == [Transcript("1"), Transcript("rest")]


def test_a_branch_of_stages_alone_needs_no_task():
    script = Script()
    script.yields = (*Script.yields, Never)
    assert link(script | Parallel(Keys, Idle | Tap()) | Ear()).tasks == 1


def test_what_a_branch_yields_does_not_go_into_the_other():
    second = Tap()
    run(make_call(DTMF("1")), Parallel(Keys, second))
    assert second.frames == [DTMF("1")]


# --- nested ---


def test_a_fork_in_a_fork_lets_a_frame_pass_once():
    out = Tap()
    run(make_call(SpeechStarted(), DTMF("1"), 5.0), Parallel(Parallel(Idle, Slow), Idle), out)
    assert out.of(DTMF) == [DTMF("1")]
    assert [at for at, frame in out.seen if isinstance(frame, DTMF)] == [1.0]


def test_a_fork_in_a_fork_ends_once():
    out = Tap()
    run(make_call(DTMF("1")), Parallel(Parallel(Slow, SlowKeys) | Idle(), Parallel(Idle, Parallel(Slow, Idle))), out)
    assert out.finished == 1
    assert out.of(DTMF) == [DTMF("1")]


def test_a_fork_after_a_fork_lets_a_frame_pass_once():
    out = Tap()
    run(make_call(DTMF("1"), DTMF("1")), Parallel(Idle, Slow), Parallel(Slow, Idle), out)
    assert out.of(DTMF) == [DTMF("1"), DTMF("1")]


BRANCHES = {"idle": Idle, "slow": Slow, "tap": Tap}
trees = st.recursive(
    st.sampled_from(sorted(BRANCHES)),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: ("beside", *branches)),
        st.lists(inner, min_size=1, max_size=3).map(lambda steps: ("row", *steps)),
    ),
    max_leaves=8,
)


def build_tree(tree: Any) -> Processor:
    if isinstance(tree, str):
        return BRANCHES[tree]()
    kind, *parts = tree
    if kind == "beside":
        return Parallel(*map(build_tree, parts))
    pipeline = build_tree(parts[0])
    for part in parts[1:]:
        pipeline = pipeline | build_tree(part)
    return pipeline


def copies(tree: Any) -> tuple[int, int]:
    """How many (untouched, made anew) frames come out of `tree` for one that goes in."""
    if isinstance(tree, str):
        return (0, 1) if tree == "tap" else (1, 0)
    kind, *parts = tree
    inner = [copies(part) for part in parts]
    if kind == "beside":
        return int(any(untouched for untouched, _ in inner)), sum(new for _, new in inner)
    untouched, new = 1, 0
    for passed, made in inner:
        untouched, new = untouched * passed, new * (passed + made) + untouched * made
    return untouched, new


@settings(max_examples=100, deadline=None)
@given(trees, st.lists(st.sampled_from(["a", "b", "busy", "pause"]), max_size=6), st.booleans())
def test_any_tree_of_branches_lets_out_as_many_frames_as_a_count_by_hand_says(tree, script, shared):
    """What no branch touches leaves once; what a branch makes anew leaves as often as it is made."""
    items = {"a": Transcript("a"), "b": Transcript("b"), "busy": SpeechStarted(), "pause": 0.3}
    frames = [items[item] if shared or item == "pause" else copy.copy(items[item]) for item in script]
    out = Tap()
    ended = run(make_call(*frames, 60.0), build_tree(tree), out)
    assert ended.error is None
    came = [frame.text for frame in out.of(Transcript) if isinstance(frame, Transcript)]
    for text in ("a", "b"):
        assert came.count(text) == script.count(text) * sum(copies(tree))
    assert out.finished == 1


# --- speaking ---


class Menu(Processor):
    """Speaks when a key is pressed."""

    async def process(self, frame: DTMF) -> AsyncIterator[LLMText]:
        yield LLMText(f"key {frame.digit}")


class VAD(Processor):
    def process(self, frame: AudioRaw) -> Iterator[AudioRaw | SpeechStarted]:
        yield frame


def test_caller_audio_does_not_leave_a_branch_that_only_listens_beside_a_speaker():
    call, out = make_call(PIECE, DTMF("1"), PIECE, 5.0), Tap()
    run(call, Parallel(Menu() | TTS(), VAD()), out)
    assert {bytes(frame.data[:2]) for frame in out.of(AudioRaw)} == {b"\2\0"}
    assert set(ear(call).audio[::2]) == {2}


def test_caller_audio_passes_by_a_listener_in_a_branch_of_its_own():
    listener = Tap()
    call = make_call(PIECE, DTMF("1"), PIECE, 5.0)
    run(call, Parallel(Menu() | TTS(), listener))
    assert listener.of(AudioRaw) == [PIECE, PIECE]
    assert set(ear(call).audio[::2]) == {2}


def test_caller_audio_does_not_enter_the_speakers_branch_below_the_speaker():
    below = Tap()
    run(make_call(PIECE, DTMF("1"), 5.0), Parallel(Menu() | below | TTS(), Idle()))
    assert below.of(AudioRaw) == []
    assert below.of(LLMText) == [LLMText("key 1")]


def test_speakers_beside_each_other_both_reply():
    call, out = make_call(Transcript("hello"), 2.0, DTMF("1"), 5.0), Tap()
    run(call, Parallel(Parrot(), Menu()), out, TTS())
    assert out.of(LLMText) == [LLMText("hello"), LLMText("key 1")]
    assert len(out.of(LLMEnd)) == 2


def test_an_empty_branch_below_the_speaker_lets_its_speech_pass():
    call = make_call(Transcript("hello"), 5.0)
    run(call, Parrot(), TTS(), Parallel(Pipeline(), Consumer()))
    assert len(ear(call).audio) == 16_000


def test_two_branches_below_the_speaker_each_get_its_text_and_its_end_leaves_once():
    class Subtitles(Processor):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def process(self, frame: LLMText) -> None:
            self.lines.append(frame.text)

    subtitles, out = Subtitles(), Tap()
    call = make_call(Transcript("hello"), 5.0)
    run(call, Parrot(), Parallel(TTS(), subtitles), out)
    assert subtitles.lines == ["hello"]
    assert len(out.of(LLMEnd)) == 1
    assert len(ear(call).audio) == 16_000


def test_branches_of_different_formats_meet_in_the_next_ones():
    class Tune(Processor):
        produces = AudioFormat("pcm16", 8000)

        async def process(self, frame: DTMF) -> AsyncIterator[AudioRaw]:
            yield AudioRaw(b"\0\0" * 8000, self.produces)

    call = make_call(Transcript("hello"), 2.0, DTMF("1"), 5.0)
    ended = run(call, Parallel(Parrot() | TTS(), Tune()))
    assert ended.error is None
    assert len(ear(call).audio) == pytest.approx(16_000 + 32_000, abs=200)


# --- interruption ---


class Interrupter(Processor):
    def process(self, frame: SpeechStarted) -> Iterator[SpeechStarted | Clear]:
        yield frame
        yield Clear()


def test_a_clear_in_a_branch_interrupts_the_speech_of_another():
    class Slow(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            for n in range(100):
                yield LLMText(f"{frame.text} {n}")
                await asyncio.sleep(0.1)

    call, out = make_call(Transcript("go"), 0.55, SpeechStarted(), 5.0), Tap()
    run(call, Parallel(Slow(), Interrupter()), out, TTS())
    assert [frame.text for frame in out.of(LLMText) if isinstance(frame, LLMText)] == [f"go {n}" for n in range(6)]
    assert [at for at, kind, _ in ear(call).log if kind == "clear"] == [0.55]
    assert len(out.of(SpeechStarted)) >= 1


def test_a_clear_flushes_what_waits_in_the_branches_below_the_speaker():
    class Stalled(Processor):
        """Each text takes a second."""

        async def process(self, frame: LLMText) -> AsyncIterator[LLMText]:
            await asyncio.sleep(1.0)
            yield frame

    class Chatty(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            for n in range(10):
                yield LLMText(f"{frame.text} {n}")

    call, out = make_call(Transcript("old"), 2.5, SpeechStarted(), Transcript("new"), 30.0), Tap()
    run(call, Interrupter(), Chatty(), Parallel(Stalled(), Idle()), out, TTS())
    stalled = [frame.text for at, frame in out.seen if isinstance(frame, LLMText) and at > 2.5]
    assert stalled
    assert not [text for text in stalled if text.startswith("old")]


def test_after_a_clear_frames_still_leave_once():
    class Chatty(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            for _ in range(3):
                yield LLMText(frame.text)

    class Sleepy(Processor):
        async def process(self, frame: LLMText) -> AsyncIterator[LLMText]:
            await asyncio.sleep(1.0)
            yield frame

    out = Tap()
    call = make_call(Transcript("a"), 0.5, SpeechStarted(), Transcript("b"), 30.0)
    run(call, Interrupter(), Chatty(), Parallel(Sleepy(), Idle() | Slow()), out, TTS())
    ends = [at for at, frame in out.seen if isinstance(frame, LLMEnd)]
    assert len(ends) == 1
    assert ends[0] > 0.5


def test_a_branch_that_interrupts_at_a_frame_keeps_it_from_the_branches_after_it():
    """The frame is older than the Clear that it caused: no branch may still speak it."""

    class Censor(Processor):
        def process(self, frame: LLMText) -> Iterator[LLMText | Clear]:
            if frame.text == "bad":
                yield Clear()

    out = Tap()
    call = make_call(Transcript("good"), 1.0, Transcript("bad"), 1.0, Transcript("fine"), 5.0)
    run(call, Parrot(), Parallel(Censor(), Idle()), out, TTS())
    assert [frame.text for frame in out.of(LLMText) if isinstance(frame, LLMText)] == ["good", "fine"]


def test_what_is_not_speech_survives_a_clear_in_every_branch():
    class Chatty(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            for _ in range(10):
                yield LLMText(frame.text)

    class Stalled(Processor):
        async def process(self, frame: LLMText) -> AsyncIterator[LLMText]:
            await asyncio.sleep(1.0)
            yield frame

    out = Tap()
    call = make_call(Transcript("a"), 0.1, DTMF("1"), 0.4, SpeechStarted(), DTMF("2"), 30.0)
    run(call, Interrupter(), Chatty(), Parallel(Stalled(), Idle()), out, TTS())
    assert out.of(DTMF) == [DTMF("1"), DTMF("2")]


# --- told upstream ---


def test_what_travels_upstream_reaches_the_speaker_once_through_a_fork():
    told: list[Frame] = []

    class Model(Parrot):
        def upstream(self, frame: Frame) -> Frame | None:
            told.append(frame)
            return frame

    run(make_call(Transcript("hello"), 5.0), Model(), Parallel(TTS(), Idle()))
    assert told == [Mark("hello")]


def test_a_branch_that_absorbs_does_not_keep_it_from_the_others():
    told: list[str] = []

    class Model(Parrot):
        def upstream(self, frame: Frame) -> Frame | None:
            told.append("model")
            return frame

    class Absorbing(Idle):
        def upstream(self, frame: Frame) -> Frame | None:
            told.append("absorbing")
            return None

    run(make_call(Transcript("hello"), 5.0), Model(), Parallel(TTS(), Absorbing()))
    assert told == ["absorbing", "model"]


def test_branches_that_all_absorb_end_the_notification():
    told: list[str] = []

    class Model(Parrot):
        def upstream(self, frame: Frame) -> Frame | None:
            told.append("model")
            return frame

    class Absorbing(TTS):
        def upstream(self, frame: Frame) -> Frame | None:
            told.append("absorbing")
            return None

    run(make_call(Transcript("hello"), 5.0), Model(), Parallel(Absorbing(), type("Other", (Absorbing,), {})()))
    assert "model" not in told
    assert told


# --- a live source ---


class Stalled(Processor):
    """Keeps all that follows waiting for three seconds: two seconds of audio fit, the rest is dropped."""

    async def process(self, frame: SpeechStarted) -> None:
        await asyncio.sleep(3.0)


PIECES = [AudioRaw(bytes([number]) * 3200) for number in range(1, 41)]


def live_pieces() -> Call:
    return make_call(SpeechStarted(), *(item for piece in PIECES for item in (piece, 0.1)), live=True)


@pytest.mark.parametrize(
    "branches",
    [
        lambda: (Stalled(), Idle()),
        lambda: (Idle(), Stalled()),
        lambda: (Parallel(Stalled(), Keys() | Consumer()), Idle()),
        lambda: (Parallel(Stalled(), Idle()), Consumer()),
    ],
    ids=["first", "second", "alone in an inner fork", "beside another in an inner fork"],
)
def test_audio_that_one_branch_had_to_drop_leaves_once_when_another_has_let_it_pass(branches):
    out = Tap()
    ended = run(live_pieces(), Parallel(*branches()), out)
    assert out.of(AudioRaw) == PIECES
    assert ended.dropped > 0


def test_audio_that_every_branch_had_to_drop_does_not_leave():
    out = Tap()
    ended = run(live_pieces(), Parallel(Stalled(), type("Other", (Stalled,), {})()), out)
    left = out.of(AudioRaw)
    assert left == PIECES[-len(left) :]
    assert 0 < len(left) == 40 - ended.dropped / 2


def test_audio_that_was_dropped_where_it_was_to_be_consumed_is_not_waited_for():
    class Consumer(Processor):
        async def process(self, frame: AudioRaw) -> None:
            await asyncio.sleep(3.0)

    out = Tap()
    run(live_pieces(), Parallel(Consumer(), Idle()), out)
    assert out.of(AudioRaw) == PIECES
