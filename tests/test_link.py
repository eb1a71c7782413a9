"""The queue between two tasks, bounded for every kind of frame."""

import asyncio
from collections.abc import Callable

import pytest
from doubles import make_call, virtual
from hypothesis import example, given, settings
from hypothesis import strategies as st
from talking import Blocked, audio, run, talk

from voiceflow import DTMF, AudioRaw, End, Frame, LLMText, Transcript
from voiceflow.frameflow.link import FRAMES, Link

PIECE = audio(0.02)


def filled(frames: list[Frame]) -> Link:
    """A link that a live source has put `frames` into, and that nobody reads."""
    link = Link()
    for frame in frames:
        link.put(frame)
        if link.full:
            link.make_room()
    return link


def test_keys_beyond_the_bound_are_dropped_oldest_first_and_counted_by_name():
    link = filled([DTMF(str(n % 10)) for n in range(16_000)])
    assert len(link.frames) == FRAMES
    assert dict(link.dropped) == {"DTMF": 16_000 - FRAMES}
    assert list(link.frames) == [DTMF(str(n % 10)) for n in range(16_000)][-FRAMES:]


def test_the_end_of_the_stream_is_never_dropped():
    link = filled([End("first"), *(DTMF("1") for _ in range(FRAMES + 10))])
    assert link.frames[0] == End("first")


def test_audio_goes_before_anything_else():
    link = filled([*(DTMF("1") for _ in range(FRAMES - 100)), *(PIECE for _ in range(500))])
    assert set(link.dropped) == {"AudioRaw"}
    assert sum(isinstance(frame, DTMF) for frame in link.frames) == FRAMES - 100


def test_room_can_be_made_in_a_link_that_was_read_meanwhile():
    keys = 2000
    link = filled([*(DTMF("1") for _ in range(keys)), *(PIECE for _ in range(101))])
    for _ in range(keys):
        link.pop()
    for _ in range(FRAMES - 50):
        link.put(DTMF("2"))
        link.make_room()
    assert len(link.frames) == FRAMES
    assert set(link.dropped) == {"AudioRaw"}


def test_what_the_agent_says_is_never_dropped():
    link = Link()
    link.carries_caller = False
    for _ in range(200):
        link.put(PIECE)
        link.make_room()
    assert (len(link.frames), link.dropped.total()) == (200, 0)


def test_a_reader_that_was_faster_leaves_the_newest_alone():
    """A live source lets the reader take something before it makes room."""
    link = Link()
    while not link.full:
        link.put(PIECE)
    link.pop()
    for _ in range(5):
        link.put(PIECE)
    newest = audio(0.02, byte=2)
    link.put(newest)
    link.make_room()
    assert link.frames[-1] is newest


@pytest.mark.parametrize(
    "take_out",
    [Link.flush, lambda link: link.remove(lambda frame: isinstance(frame, LLMText))],
    ids=["flush", "remove"],
)
def test_after_frames_were_taken_out_the_oldest_audio_still_goes_first(take_out: Callable[[Link], object]):
    async def main() -> None:
        link = filled([*(LLMText("word") for _ in range(50)), *(PIECE for _ in range(200))])
        take_out(link)
        pieces = [audio(0.02) for _ in range(150)]
        for piece in pieces:
            link.put(piece)
        link.make_room()
        kept = list(link.frames)
        assert 0 < len(kept) < len(pieces)
        assert all(one is other for one, other in zip(kept, pieces[-len(kept) :], strict=True))

    virtual(main())


@settings(max_examples=200)
@example(["k", *"aaaaaa", "pop"])
@given(st.lists(st.sampled_from("akte") | st.just("pop"), max_size=300))
def test_what_a_link_knows_of_itself_is_so_after_any_history(acts):
    made = {"a": PIECE, "k": DTMF("1"), "t": Transcript("x"), "e": End()}
    link = Link()
    link.audio_bound = 5 * len(PIECE.data)
    for act in acts:
        if act == "pop":
            if link.frames:
                link.pop()
        else:
            link.put(made[act])
            if link.full:
                link.make_room()
        assert link.audio == sum(len(f.data) for f in link.frames if isinstance(f, AudioRaw)) <= link.audio_bound
        assert link.others == sum(not isinstance(f, AudioRaw) for f in link.frames)
        assert not link.full
        assert not any(isinstance(f, AudioRaw) for f in list(link.frames)[: link.skipped])


@pytest.mark.parametrize("kinds", [[DTMF("1")], [DTMF("1"), PIECE], [PIECE]])
def test_making_room_costs_the_same_for_each_frame_however_many_came(kinds):
    """Counted, not timed: the frames that are looked at."""

    def looked_at(count: int) -> int:
        link = Link()
        looks = 0
        for number in range(count):
            link.put(kinds[number % len(kinds)])
            if link.full:
                before = link.skipped
                link.make_room()
                looks += max(0, link.skipped - before) + 1
        return looks

    assert looked_at(40_000) <= 3 * looked_at(20_000)


def test_a_flood_of_keys_reaches_a_busy_processor_within_the_bound():
    blocked = Blocked()
    ended = run(make_call(0.1, *(DTMF("1") for _ in range(16_000)), 8.0, live=True), talk(ears=(blocked,)))
    assert ended.error is None
    assert ended.dropped + ended.burst + len(blocked.got) == 16_000
    assert len(blocked.got) <= FRAMES + 1


@given(st.lists(st.sampled_from("akts"), max_size=60), st.booleans())
def test_an_interruption_leaves_a_link_as_if_its_speech_had_never_been_there(acts, overfull):
    made = {"a": PIECE, "k": DTMF("1"), "t": Transcript("x"), "s": LLMText("y")}

    async def main() -> None:
        link = Link()
        link.audio_bound = (2 if overfull else 200) * len(PIECE.data)
        for act in acts:
            link.put(made[act])
        waiting = asyncio.ensure_future(link.space())
        await asyncio.sleep(0)
        link.flush()
        assert list(link.frames) == [made[act] for act in acts if act in "kt"]
        assert (link.audio, link.others, link.skipped) == (0, len(link.frames), 0)
        assert not link.full
        await waiting  # whoever waited for room goes on

    virtual(main())


def test_what_is_taken_out_of_a_link_makes_room_for_its_writers():
    async def main() -> None:
        link = Link()
        for _ in range(FRAMES + 1):
            link.put(DTMF("1"))
        waiting = asyncio.ensure_future(link.space())
        await asyncio.sleep(0)
        assert link.full
        link.remove(lambda frame: True)
        await waiting
        assert (list(link.frames), link.audio, link.others) == ([], 0, 0)

    virtual(main())
