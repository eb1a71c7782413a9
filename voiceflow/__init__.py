"""Live voice calls as pipelines of composable frame processors.

>>> def pipeline(call: Call) -> Pipeline:
...     return call.source | call.sink
"""

from typing import TYPE_CHECKING

from voiceflow.engine.runner import preload

from .audio import ANY, CANONICAL, AudioFormat
from .call import Call
from .call_control import CallControl
from .call_limits import Ended, Limits
from .errors import (
    DISTRIBUTION,
    AudioCodecError,
    CallError,
    CallRejectedError,
    ConfigError,
    DIDConfigError,
    DIDNotFoundError,
    LinkError,
    MissingExtraError,
    ProcessorError,
    ProviderConnectionError,
    ProviderDetectionError,
    VoiceflowError,
    WeightsError,
)
from .frames import (
    DTMF,
    AudioRaw,
    Clear,
    End,
    Error,
    Frame,
    LLMCut,
    LLMEnd,
    LLMText,
    Mark,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    Word,
)
from .pipeline import Element, Parallel, Pipeline
from .processor import Processor, processor
from .reply import Reply
from .route import Route
from .telemetry import switch_off
from .transport import Sink, Source
from .turns.latency import TurnLatency

switch_off()

__all__ = [
    "ANY",
    "CANONICAL",
    "DTMF",
    "AudioCodecError",
    "AudioFormat",
    "AudioRaw",
    "Call",
    "CallControl",
    "CallError",
    "CallRejectedError",
    "Clear",
    "ConfigError",
    "DIDConfigError",
    "DIDNotFoundError",
    "Element",
    "End",
    "Ended",
    "Error",
    "Frame",
    "LLMCut",
    "LLMEnd",
    "LLMText",
    "Limits",
    "LinkError",
    "Mark",
    "MissingExtraError",
    "Parallel",
    "Pipeline",
    "Processor",
    "ProcessorError",
    "ProviderConnectionError",
    "ProviderDetectionError",
    "Reply",
    "Route",
    "Sink",
    "Source",
    "SpeechStarted",
    "SpeechStopped",
    "Transcript",
    "TurnLatency",
    "VoiceflowError",
    "WeightsError",
    "Word",
    "preload",
    "processor",
]

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """Look up `__version__` only when it is asked for: that takes longer than importing most modules."""
        if name == "__version__":
            from importlib.metadata import version

            return version(DISTRIBUTION)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
