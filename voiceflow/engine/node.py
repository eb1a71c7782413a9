"""A processor in its place in a running call."""

from __future__ import annotations

from voiceflow.frameflow.dispatch import SPEECH, outgoing
from voiceflow.frameflow.epoch import Deliver, Epoch, Port, Work
from voiceflow.frames import AudioRaw, Frame
from voiceflow.linking.plan import Step
from voiceflow.processor import Processor
from voiceflow.processors.codec import Convert
from voiceflow.turns.replies import Replies

from .failures import Failures


class ProcessorNode:
    """One processor in a running call: the port by which its frames leave, how it is reset, and how it fails."""

    __slots__ = ("_converter", "_failures", "port", "processor", "replies", "step")

    def __init__(
        self, step: Step, epoch: Epoch, act: Deliver, failures: Failures, replies: Replies | None = None
    ) -> None:
        self.step = step
        self.processor: Processor = step.processor
        self.port = Port(outgoing(step.processor.signature, speech_side=step.speech), epoch, act)
        self.replies = replies
        """Makes replies of what the processor yields, if it is a speaker; else None."""
        self._failures = failures
        self._converter: Convert | None = None

    def adapt(self, audio: Frame) -> AudioRaw | None:
        """Convert audio that came in another format than was linked. None if that yields no audio yet."""
        assert isinstance(audio, AudioRaw)
        processor = self.processor
        if self._converter is None:
            self._converter = Convert(processor.accepts)
            self._failures.log.warning(
                "%s takes %s and got %s: converted", processor.name, processor.accepts, audio.format
            )
        return self._converter.process(audio)

    def emit(self, frame: Frame) -> None:
        """Deliver a frame that the processor yields outside `process`. Raises `TypeError` for speech."""
        if self.port.kinds[type(frame)] == SPEECH:
            name = type(frame).__name__
            raise TypeError(f"{self.processor.name} emitted {name}: speech is yielded, or said by call.say")
        if not self._failures.closed:
            Work(self.port).emit(frame)

    def reset(self) -> None:
        """Reset the processor: what it was about to say has been interrupted."""
        if self._converter is not None:
            self._converter.reset()
        try:
            self.processor.reset()
        except BaseException as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End the call, because the processor raised `error`."""
        self._failures.fail(self.processor.name, error)
