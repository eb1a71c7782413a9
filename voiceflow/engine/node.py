"""A processor in its place in a running call."""

from __future__ import annotations

from voiceflow.errors import USER_ERRORS
from voiceflow.frameflow.dispatch import SPEECH, outgoing
from voiceflow.frameflow.epoch import Deliver, Epoch, Port, Work
from voiceflow.frames import AudioRaw, Frame
from voiceflow.linking.plan import Step
from voiceflow.processor import Processor
from voiceflow.processors.codec import Convert
from voiceflow.turns.replies import Replies

from .failures import Failures


class ProcessorNode:
    """What each processor has in a call: the port its frames leave by, and how it fails and is reset."""

    __slots__ = ("_converter", "_failures", "port", "processor", "replies", "step")

    def __init__(
        self, step: Step, epoch: Epoch, act: Deliver, failures: Failures, replies: Replies | None = None
    ) -> None:
        self.step = step
        self.processor: Processor = step.processor
        self.port = Port(outgoing(step.processor.signature, speech_side=step.speech), epoch, act)
        self.replies = replies
        """What its frames become, if this is a speaker."""
        self._failures = failures
        self._converter: Convert | None = None

    def adapt(self, audio: Frame) -> AudioRaw | None:
        """Convert audio that came in another format than was linked, on the spot."""
        assert isinstance(audio, AudioRaw)
        processor = self.processor
        if self._converter is None:
            self._converter = Convert(processor.accepts)
            self._failures.log.warning(
                "%s takes %s and got %s: converted", processor.name, processor.accepts, audio.format
            )
        return self._converter.process(audio)

    def emit(self, frame: Frame) -> None:
        """What the processor yields between frames. Raises `TypeError` for speech."""
        if self.port.kinds[type(frame)] == SPEECH:
            name = type(frame).__name__
            raise TypeError(f"{self.processor.name} emitted {name}: speech is yielded, or said by call.say")
        if not self._failures.closed:
            Work(self.port).emit(frame)

    def reset(self) -> None:
        """What it was about to say is void."""
        if self._converter is not None:
            self._converter.reset()
        try:
            self.processor.reset()
        except USER_ERRORS as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Its processor raised `error`, which ends the call."""
        self._failures.fail(self.processor.name, error)
