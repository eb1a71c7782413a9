"""Live voice calls as pipelines of composable frame processors.

>>> def pipeline(call: Call) -> Pipeline:
...     return call.source | call.sink
"""

from .audio import ANY, CANONICAL, AudioFormat
from .call import Call
from .control import CallControl
from .engine.conduct import preload
from .errors import (
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
    LLMEnd,
    LLMText,
    Mark,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    Word,
)
from .limits import Ended, Limits
from .pipeline import Element, Parallel, Pipeline
from .processor import Processor, processor
from .reply import Reply
from .route import Route
from .transport import Sink, Source
from .turns.latency import TurnLatency

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
