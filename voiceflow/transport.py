"""The transport contract: a source of what the caller does, a sink for what the agent says.

A transport subclasses both and does no pacing, no bookkeeping of marks and no interruption logic of its own:
the playout (playout/playout.py) tells a sink what to write and when. A pipeline does not know which transport it
runs on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import ClassVar

from .annotations import Kind, Signature
from .frames import DTMF, AudioRaw, Frame, LLMCut, LLMEnd, Mark
from .processor import Processor


class Source(Processor):
    """Where a call's frames come from. `produces` is the format of the caller's audio.

    A source that learns in a timer or a callback that the caller is gone calls `self.emit(End(reason))`.
    """

    live: bool = True
    """Whether frames come at their own pace: a live source never waits for a slow pipeline."""
    yields: ClassVar[tuple[type[Frame], ...]] = (AudioRaw, DTMF)
    """The frame types that `frames` yields."""

    @property
    def signature(self) -> Signature:
        return Signature(Kind.ASYNC_GENERATOR, (), self.yields)

    @property
    def is_speaker(self) -> bool:
        return False  # it becomes the speaker only where a pipeline has no other (echo)

    def frames(self) -> AsyncIterator[Frame]:
        """Yield what the caller says and does, until they are gone. The iterator is closed when the call ends."""
        raise TypeError(f"{self.name} has no `frames`: a source yields what the caller does")


class Sink(Processor):
    """Where agent speech leaves. `accepts` is the format of the audio that it is given.

    The writing methods are called in the order in which things must reach the peer. They must not block:
    what cannot be sent at once goes into the transport's own outbox.
    """

    echoes: bool = False
    """Whether the peer returns a mark when the audio before it has been played."""
    echo: Callable[[str], None]
    """The transport calls it with the name of each mark that the peer returns. Set by the engine."""

    @property
    def signature(self) -> Signature:
        return Signature(Kind.FUNCTION, (AudioRaw, Mark, LLMCut, LLMEnd), ())

    @property
    def is_speaker(self) -> bool:
        return False

    def write_audio(self, data: bytes) -> None:
        """Send audio, to be played after all that was sent before."""
        raise TypeError(f"{self.name} has no `write_audio`")

    def write_mark(self, name: str) -> None:
        """Ask the peer to return `name` when it has played what was sent before. Called only if `echoes`."""

    def write_clear(self) -> None:
        """Make the peer drop what it was sent and has not played, before anything written later."""

    def recallable(self) -> float | None:
        """How many seconds of the written audio `write_clear` would recall now. None if the transport does not know:
        then this is computed from the time at which the audio was written."""
        return None

    def notify(self, frame: Frame) -> None:
        """Take a frame that has come to the end of the pipeline and is not speech: a transcript, an error."""

    async def hangup(self) -> None:
        """Disconnect the peer. Called once, when the call is over on our side."""
