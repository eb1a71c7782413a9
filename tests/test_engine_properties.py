"""The engine's promises, over random pipelines, timings and interruptions.

Every piece of agent audio carries the number of its words and the number of interruptions there had been when
the work it comes from began. Replies are held while the caller speaks, joined by what `call.play` adds, and interrupted
by keys, by stages in their way, by the speaker itself, and from outside. Whatever the pipeline, at the caller's ear:

- nothing stale: a piece is never written after a `clear` that is younger than its work;
- order: words come in the order in which they were said;
- nothing lost: without an interruption every word arrives, as often as the pipeline multiplies it;
- what the caller said and did is never lost, and keeps its order, through any interruption;
- no task is left.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Iterator

from doubles import Ear, Script, virtual
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow import (
    DTMF,
    AudioRaw,
    Call,
    Clear,
    Frame,
    Limits,
    LLMEnd,
    Parallel,
    Pipeline,
    Processor,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.inference import shared_pool

PIECES = 5
PLAYED = 1_000_000
"""Numbers from here on mark audio of `call.play`: never split, but it may overtake words that processors hold back."""
LIMITS = Limits(cancel=0.5)


class Note(Frame):
    """Something that is not speech and travels the whole pipeline."""

    number: int


class Said(Frame, speech=True):
    number: int
    turn: int


class Bar(Frame, speech=True):
    """Speech that no processor but the last consumes: it has to keep its place among the words."""

    number: int
    turn: int


class Unused(Frame):
    """Never sent: a processor that consumes it passes everything else by, through a task and a queue of its own."""


class TimedEar(Ear):
    """Counts clears, and notes as stale each piece that is older than the last clear."""

    def __init__(self) -> None:
        super().__init__()
        self.clears = 0
        self.pieces: list[int] = []
        self.stale: list[tuple[int, int, int]] = []

    def write_audio(self, data: bytes) -> None:
        for offset in range(0, len(data), 640):
            number, turn = struct.unpack_from("<ii", data, offset)
            self.pieces.append(number)
            if turn != self.clears:
                self.stale.append((number, turn, self.clears))

    def write_clear(self) -> None:
        self.clears += 1

    @property
    def words(self) -> list[int]:
        return [number for number, _ in itertools.groupby(n for n in self.pieces if n < PLAYED)]

    @property
    def played(self) -> list[int]:
        return [number for number, _ in itertools.groupby(n for n in self.pieces if n >= PLAYED)]


def spoken(number: int, turn: int) -> AudioRaw:
    """100 ms of audio that carries its word's number and its turn."""
    return AudioRaw(struct.pack("<ii", number, turn).ljust(640, b"\0") * PIECES)


class Delays:
    """Sleeps for random times, which are drawn once in seconds and used in turn."""

    def __init__(self, seconds: list[float]) -> None:
        self._seconds = itertools.cycle(seconds)

    async def __call__(self) -> None:
        await asyncio.sleep(next(self._seconds))


class Speaker(Processor):
    """Answers each transcript with numbered words."""

    def __init__(self, ear: TimedEar, delays: Delays, heard: list[str], numbers: Iterator[int]) -> None:
        self.ear, self.delays, self.heard, self.numbers = ear, delays, heard, numbers

    async def process(self, frame: Transcript) -> AsyncIterator[Said | Bar | AudioRaw | LLMEnd]:
        turn = self.ear.clears
        self.heard += frame.text.split()
        for _ in frame.text.split():
            for _ in range(3):
                await self.delays()
                yield Said(next(self.numbers), turn)
                yield Bar(next(self.numbers), turn)
        yield LLMEnd()


class Interrupting(Speaker):
    """Clears the floor before it answers; what it says then is new."""

    async def process(self, frame: Transcript) -> AsyncIterator[Said | Bar | AudioRaw | LLMEnd | Clear]:
        self.heard += frame.text.split()
        yield Said(next(self.numbers), self.ear.clears)
        await self.delays()
        yield Clear()
        yield Said(next(self.numbers), self.ear.clears)
        yield LLMEnd()


class Joining(Speaker):
    """Plays something in the middle of its answer, and leaves something to be played after it."""

    plays: Iterator[int]

    async def process(self, frame: Transcript) -> AsyncIterator[Said | Bar | AudioRaw | LLMEnd]:
        turn = self.ear.clears
        self.heard += frame.text.split()
        yield Said(next(self.numbers), turn)
        await self.delays()
        await self.call.play(spoken(next(self.plays), turn))
        yield Said(next(self.numbers), turn)
        self.call.start(self.afterwards, "afterwards")
        yield LLMEnd()

    async def afterwards(self) -> None:
        await self.call.play(spoken(next(self.plays), self.ear.clears))


class Timed(Processor):
    def __init__(self, delays: Delays) -> None:
        self.delays = delays


class Coroutine(Timed):
    async def process(self, frame: Said) -> Said:
        await self.delays()
        return Said(frame.number, frame.turn)


class SwallowingCoroutine(Timed):
    async def process(self, frame: Said) -> Said:
        try:
            await self.delays()
        except asyncio.CancelledError:
            await self.delays()
        return Said(frame.number, frame.turn)


class Threaded(Timed):
    async def process(self, frame: Said) -> Said:
        return await shared_pool().run(Said, frame.number, frame.turn)


class Generator(Timed):
    async def process(self, frame: Said) -> AsyncIterator[Said]:
        await self.delays()
        yield Said(frame.number, frame.turn)
        await self.delays()


class Overlapping(Generator):
    overlap = True


class Swallowing(Timed):
    """Ignores its cancellation once and speaks on."""

    async def process(self, frame: Said) -> AsyncIterator[Said]:
        try:
            await self.delays()
        except asyncio.CancelledError:
            await self.delays()
        yield Said(frame.number, frame.turn)


class Stubborn(Timed):
    """Ignores cancellation for longer than anyone waits: it is abandoned."""

    async def process(self, frame: Said) -> AsyncIterator[Said]:
        for _ in range(8):
            try:
                await self.delays()
                break
            except asyncio.CancelledError:
                try:
                    await asyncio.sleep(2 * LIMITS.cancel)
                except asyncio.CancelledError:
                    await asyncio.sleep(2 * LIMITS.cancel)
        yield Said(frame.number, frame.turn)


class AsyncBuffer(Timed):
    """Holds words back and yields them in pairs."""

    def __init__(self, delays: Delays) -> None:
        super().__init__(delays)
        self.held: list[Said | Bar | LLMEnd] = []

    async def process(self, frame: Said | Bar | LLMEnd) -> AsyncIterator[Said | Bar | LLMEnd]:
        self.held.append(frame)
        if len(self.held) == 2 or isinstance(frame, LLMEnd):
            await self.delays()
            held, self.held = self.held, []
            for said in held:
                yield said

    def reset(self) -> None:
        self.held = []

    def finish(self) -> list[Said | Bar | LLMEnd]:
        return self.held


class Stage(Timed):
    def process(self, frame: Said) -> Said:
        return frame


class Filter(Timed):
    def process(self, frame: Said) -> Iterator[Said]:
        yield Said(frame.number, frame.turn)


class Hoarder(AsyncBuffer):
    """Keeps what it could not finish, also when it is cancelled: `reset` has been called by then."""

    async def process(self, frame: Said) -> AsyncIterator[Said]:
        try:
            await self.delays()
        finally:
            self.held.append(frame)
        held, self.held = self.held, []
        for said in held:
            yield said  # type: ignore[misc]


class Buffer(Timed):
    """Holds one word back and yields the others in threes. It writes its state after yielding."""

    def __init__(self, delays: Delays) -> None:
        super().__init__(delays)
        self.held: list[Said | Bar | LLMEnd] = []

    def process(self, frame: Said | Bar | LLMEnd) -> Iterator[Said | Bar | LLMEnd]:
        yield from self.exchange(frame)

    def exchange(self, frame: Said | Bar | LLMEnd) -> Iterator[Said | Bar | LLMEnd]:
        held = [*self.held, frame]
        ready = held if isinstance(frame, LLMEnd) else held[:3] if len(held) > 3 else []
        yield from ready
        self.held = held[len(ready) :]

    def reset(self) -> None:
        self.held = []

    def finish(self) -> list[Said | Bar | LLMEnd]:
        return self.held


class CaptioningBuffer(Buffer):
    """Might yield frames that must be kept, so at a clear it runs to its end, and only its speech is dropped."""

    def process(self, frame: Said | Bar | LLMEnd) -> Iterator[Said | Bar | LLMEnd | Transcript]:
        yield from self.exchange(frame)


class CaptioningAsyncBuffer(Buffer):
    """Might yield frames that must be kept, and is asynchronous: it writes its state long after it was reset."""

    async def process(self, frame: Said | Bar | LLMEnd) -> AsyncIterator[Said | Bar | LLMEnd | Transcript]:
        for said in self.exchange(frame):
            await self.delays()
            yield said


class Watcher(Timed):
    """Interrupts from within the speech side, at every so many words."""

    every = 10

    def process(self, frame: Said) -> Iterator[Said | Clear]:
        if frame.number % self.every == self.every - 2:
            yield Clear()
        else:
            yield frame


class Captions(Timed):
    """Yields frames that must be kept, besides speech, so that its work is never cut short."""

    async def process(self, frame: Said) -> AsyncIterator[Said | Transcript]:
        await self.delays()
        yield Said(frame.number, frame.turn)


class NotesOnly(Timed):
    async def process(self, frame: Note) -> Note:
        await self.delays()
        return frame


class Idle(Timed):
    async def process(self, frame: Unused) -> Unused:
        return frame


class Absorb(Timed):
    """Ends the speech in its branch."""

    def process(self, frame: Said | Bar) -> None:
        pass


class Voicebox(Processor):
    """Makes 100 ms of audio of a word."""

    def process(self, frame: Said | Bar) -> AudioRaw:
        return spoken(frame.number, frame.turn)


class Keys(Processor):
    """Barge-in by key."""

    def process(self, frame: DTMF) -> Iterator[DTMF | Clear]:
        yield Clear()
        yield frame


PLAIN = [
    Coroutine,
    SwallowingCoroutine,
    Threaded,
    Generator,
    Overlapping,
    Swallowing,
    Stubborn,
    AsyncBuffer,
    Stage,
    Filter,
    Buffer,
    CaptioningBuffer,
    CaptioningAsyncBuffer,
    Hoarder,
    Captions,
]
steps = st.sampled_from([*PLAIN, NotesOnly])
branches = st.lists(st.sampled_from([Coroutine, Generator, Swallowing, Stage, Filter]), min_size=1, max_size=2)
forks = st.tuples(branches, st.just([Absorb])) | st.lists(
    st.lists(st.sampled_from([Idle]), min_size=1, max_size=2), min_size=1, max_size=3
).map(tuple)
pipelines = st.lists(steps | forks, max_size=6)
delays = st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.02, 0.3]), min_size=1, max_size=7)
moments = st.sampled_from([0.0, 0.01, 0.1, 0.7])
single = st.one_of(
    st.sampled_from(["transcript", "transcript", "note", "key", "clear", "starts", "stops", "play"]), moments
).map(lambda act: [act])
held = st.tuples(st.sampled_from([0.0, 0.01]), st.sampled_from([0.1, 0.7]), moments).map(
    lambda at: ["transcript", at[0], "starts", at[1], "stops", at[2]]
)
"""Scripts in which the caller begins to speak while the answer is being made, so that the answer is held."""
rows = st.lists(single, min_size=6, max_size=40) | st.lists(held, min_size=1, max_size=4) | st.lists(single | held)
acts = rows.map(lambda rows: [act for row in rows for act in row])


def build_row(kinds: list[object], delays: Delays) -> Pipeline:
    row: list[Processor] = []
    for kind in kinds:
        if isinstance(kind, tuple):
            row.append(Parallel(*(build_row(list(branch), delays) for branch in kind)))
        else:
            row.append(kind(delays))  # type: ignore[operator]
    return Pipeline(*row)


async def play(
    kinds: list[object], seconds: list[float], script: list[object], *, speaks: type[Speaker], watched: int
) -> tuple[TimedEar, list[str], int]:
    """Run one call; returns its ear, the words that reached the speaker, and how many words it said."""
    ear, heard, numbers, plays = TimedEar(), [], itertools.count(), itertools.count(PLAYED)
    pause = Delays(seconds)
    items: list[Frame | float] = []
    count = itertools.count()
    besides: list[tuple[float, object]] = []
    time = 0.0
    for act in script:
        match act:
            case "transcript":
                items.append(Transcript(f"t{next(count)}"))
            case "note":
                items.append(Note(next(count)))
            case "key":
                items.append(DTMF("1"))
            case "starts":
                items.append(SpeechStarted())
            case "stops":
                items.append(SpeechStopped())
            case "clear" | "play":
                besides.append((time, act))
            case float():
                items.append(act)
                time += act

    class Caller(Script):
        yields = (Note, DTMF, Transcript, SpeechStarted, SpeechStopped, Unused)

    call = Call(Caller(*items, SpeechStopped(), 120.0), ear, transport="test", limits=LIMITS)
    speaker = speaks(ear, pause, heard, numbers)
    speaker.plays = plays  # type: ignore[attr-defined]
    playing = set()

    def build(call: Call) -> Pipeline:
        watcher = [Watcher(pause)] if watched else []
        for stage in watcher:
            stage.every = watched
        return Pipeline(call.source, Keys(), speaker, build_row(kinds, pause), *watcher, Voicebox(), call.sink)

    async def beside() -> None:
        for at, act in besides:
            await asyncio.sleep(max(at, 0.001) - asyncio.get_running_loop().time())  # when the call has opened
            if act == "clear":
                call.clear()
            else:
                playing.add(asyncio.ensure_future(play_now()))

    async def play_now() -> None:
        await call.play(spoken(next(plays), ear.clears))

    running = asyncio.ensure_future(call.run(build))
    await asyncio.sleep(0)
    beside_task = asyncio.ensure_future(beside())
    ended = await running
    await beside_task
    await asyncio.gather(*playing)
    assert ended.error is None, ended
    return ear, heard, next(numbers)


def in_order(numbers: list[int]) -> bool:
    return all(a < b for a, b in itertools.pairwise(numbers))


@settings(max_examples=1000, deadline=None)
@given(
    pipelines,
    delays,
    acts,
    st.sampled_from([Speaker, Speaker, Interrupting, Joining]),
    st.sampled_from([0, 3, 4, 10]),
)
def test_nothing_stale_nothing_lost_nothing_out_of_order(
    kinds: list[object], seconds: list[float], script: list[object], speaks: type[Speaker], watched: int
) -> None:
    ear, heard, said = virtual(play(kinds, seconds, script, speaks=speaks, watched=watched))

    assert not ear.stale, "(word, interruptions when its work began, interruptions when it was written)"
    assert in_order(ear.words)
    assert len(set(ear.played)) == len(ear.played)
    if not ear.clears:
        words = [number for number in ear.pieces if number < PLAYED]
        assert words == [number for number in range(said) for _ in range(PIECES)]

    transcripts = [
        f"t{i}" for i, act in enumerate(a for a in script if a in ("transcript", "note")) if act == "transcript"
    ]
    assert " ".join(heard).split() == transcripts
    notes = [frame.number for frame in ear.frames if isinstance(frame, Note)]
    assert len(notes) == script.count("note")
    assert in_order(notes)
    assert sum(isinstance(frame, DTMF) for frame in ear.frames) == script.count("key")
