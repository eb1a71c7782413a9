"""Frames: what flows through a pipeline. Immutable structs, told apart with `match`.

*Speech* frames are what the agent says; an interruption drops them. All others - what the caller did, what went wrong -
are kept through any interruption, and so is audio upstream of the speaker: it is the caller's.

Declare your own with `class Weather(Frame): ...`, or `class Gesture(Frame, speech=True): ...` for what
must vanish with the speech it belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from .audio import CANONICAL, AudioFormat
from .errors import AudioCodecError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FrameType(msgspec.StructMeta):
    """The metaclass of frames. Adds two class options to msgspec's own: `speech`, and `sealed` (no subclasses) for
    types that the media path compares with `is`."""

    speech: bool
    __sealed__: bool

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        speech: bool | None = None,
        sealed: bool = False,
        **options: Any,
    ) -> FrameType:
        for base in bases:
            if getattr(base, "__sealed__", False):
                raise TypeError(f"{base.__name__} cannot be subclassed: derive {name} from Frame")
        if "speech" in namespace.get("__annotations__", {}):
            raise TypeError(f"{name} has a field called `speech`, which every frame type has: choose another name")
        cls = super().__new__(mcs, name, bases, namespace, **options)
        inherited = any(getattr(base, "speech", False) for base in bases)
        cls.speech = inherited if speech is None else speech
        cls.__sealed__ = sealed
        return cls


class Frame(msgspec.Struct, frozen=True, metaclass=FrameType):
    """The base of all frames. As an annotation it means every frame that is not `Control`."""


class AudioRaw(Frame, frozen=True, gc=False, speech=True, sealed=True):
    """A piece of audio of any length: whole samples, encoded as `format` says."""

    data: bytes
    format: AudioFormat = CANONICAL

    @property
    def samples(self) -> NDArray[np.int16]:
        """A read-only view of the PCM samples: shape (n,) for mono, (n, 2) for stereo.

        Raises `AudioCodecError` for coded audio; `voiceflow.processors.codec.convert` decodes it.
        """
        match self.format.encoding:
            case "pcm16":
                dtype = "<i2"
            case "pcm16be":
                dtype = ">i2"
            case encoding:
                raise AudioCodecError(f"{encoding} audio has no samples until it is decoded: convert it to pcm16")
        if len(self.data) % self.format.frame_bytes:
            raise AudioCodecError(
                f"{len(self.data)} bytes are not whole {self.format} samples of {self.format.frame_bytes} bytes"
            )
        samples = np.frombuffer(self.data, dtype)
        return samples if self.format.channels == 1 else samples.reshape(-1, self.format.channels)

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return len(self.data) / self.format.byte_rate

    def __repr__(self) -> str:
        return f"AudioRaw({self.duration * 1000:.1f} ms, {self.format})"


class Transcript(Frame, frozen=True, gc=False):
    """What the caller said. Interims have `final=False`; models and dialogues act on finals."""

    text: str
    final: bool = True
    language: str = ""
    no_speech_probability: float = 0.0
    start: float = 0.0
    end: float = 0.0
    """When the utterance began and ended, in seconds since the call began. 0.0 where that is not known."""


class SpeechStarted(Frame, frozen=True, gc=False):
    """The caller began to speak."""

    lead: float = 0.0
    """How many seconds of the audio before this frame belong to the utterance: since speech began, and a margin before
    that for recognition."""


class SpeechStopped(Frame, frozen=True, gc=False):
    """The caller stopped speaking."""

    trail: float = 0.0
    """How long ago the speech ended, in seconds, including time in which no audio arrived."""


class DTMF(Frame, frozen=True, gc=False):
    """One key the caller pressed: 0-9, *, #, A-D."""

    digit: str


class LLMText(Frame, frozen=True, gc=False, speech=True):
    """A piece of what the agent is about to say."""

    text: str


class LLMEnd(Frame, frozen=True, gc=False, speech=True, sealed=True):
    """The agent's reply is complete."""


class LLMCut(Frame, frozen=True, gc=False, speech=True):
    """The agent's reply breaks off: of the sentence before this, only the beginning is there. It is not said if a whole
    one came before it."""


class Word(msgspec.Struct, frozen=True, gc=False):
    """One word of a sentence and when its audio ends, in seconds from the sentence's first sample."""

    text: str
    end: float


class Mark(Frame, frozen=True, gc=False, speech=True):
    """A place in the agent's audio. `Mark(text)` opens a sentence, before its audio; `Mark()` closes it.

    When a sentence has been played, its opening `Mark` travels upstream, once.
    """

    text: str = ""
    words: tuple[Word, ...] = ()


class Control(Frame, frozen=True):
    """A frame for the engine rather than for processors: no `process` is ever given one."""


class Clear(Control, frozen=True, gc=False, sealed=True):
    """The caller interrupts. Yield it to drop everything the agent has not yet said.

    It is not queued: it acts before `yield` returns. On its way upstream it carries what was heard of the
    replies it cut short: their words, and the seconds of audio.
    """

    heard: str = ""
    seconds: float = 0.0


class End(Control, frozen=True, gc=False, sealed=True):
    """The stream is over. Yield it to hang up once everything said before has been heard."""

    reason: str = ""


class Error(Frame, frozen=True, gc=False):
    """Something failed and the call goes on: a model that timed out, a provider that refused."""

    message: str
    processor: str = ""
