"""A linked pipeline: which processor stands where and how it runs. Made by linker.py, run by the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.processor import Processor
from voiceflow.transport import Sink, Source


class Step(msgspec.Struct, frozen=True, eq=False):
    """A processor in its place in the plan."""

    processor: Processor
    speech: bool
    """Whether it is on the speech side: the speaker, or below it."""
    speaker: bool = False
    inserted: bool = False
    """Whether linking inserted it, to convert audio."""
    formats: tuple[AudioFormat, ...] = ()
    """The formats of the audio that arrives here."""

    @property
    def fused(self) -> bool:
        """Whether it runs inside its upstream neighbour's task."""
        return not (isinstance(self.processor, Source) or self.processor.signature.kind.is_async)


class Fork(msgspec.Struct, frozen=True, eq=False):
    """Branches beside each other, from a `Parallel`."""

    branches: tuple[tuple[Step | Fork, ...], ...]
    speech: bool
    """Whether it is on the speech side: below the speaker."""

    def ends_caller_audio(self, branch: int) -> bool:
        """Whether the caller's audio must not leave `branch`: another one speaks, this one only listens."""
        if self.speech:
            return False  # below the speaker, all audio is the agent's
        speaks = [any(step.speech for step in walk(steps)) for steps in self.branches]
        return any(speaks) and not speaks[branch]


class Plan(msgspec.Struct, frozen=True, eq=False):
    """A linked pipeline."""

    steps: tuple[Step | Fork, ...]

    def walk(self) -> Iterator[Step]:
        """Every step, upstream before downstream."""
        yield from walk(self.steps)

    @property
    def source(self) -> Source:
        """Where the call's frames come from."""
        return next(step.processor for step in self.walk() if isinstance(step.processor, Source))

    @property
    def sink(self) -> Sink:
        """Where the agent's speech leaves."""
        return next(step.processor for step in self.walk() if isinstance(step.processor, Sink))

    @property
    def speaker(self) -> Processor:
        """Where agent speech originates; the first one, if there are several beside each other."""
        return next(step.processor for step in self.walk() if step.speaker)

    @property
    def is_echo(self) -> bool:
        """Whether the source is the speaker, so that the caller hears themselves."""
        return isinstance(self.speaker, Source)

    @property
    def tasks(self) -> int:
        """How many tasks run this plan, not counting the call's own."""
        return sum(not step.fused for step in self.walk())


def walk(steps: Sequence[Step | Fork]) -> Iterator[Step]:
    """Every step in `steps` and in the forks among them."""
    for step in steps:
        if isinstance(step, Step):
            yield step
        else:
            for branch in step.branches:
                yield from walk(branch)
