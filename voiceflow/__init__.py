"""Live voice calls as pipelines of composable frame processors.

>>> def pipeline(call: Call) -> Pipeline:
...     return call.source | call.sink
"""

from typing import TYPE_CHECKING

from .audio import ANY, CANONICAL, AudioFormat
from .call import Call
from .engine.runtime import Ended, Limits
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
    LLMEnd,
    LLMText,
    Mark,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    Word,
)
from .processor import Parallel, Pipeline, Processor, processor
from .transport import Sink, Source

__all__ = [
    "ANY",
    "CANONICAL",
    "DTMF",
    "AudioCodecError",
    "AudioFormat",
    "AudioRaw",
    "Call",
    "CallError",
    "CallRejectedError",
    "Clear",
    "ConfigError",
    "DIDConfigError",
    "DIDNotFoundError",
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
    "Sink",
    "Source",
    "SpeechStarted",
    "SpeechStopped",
    "Transcript",
    "VoiceflowError",
    "WeightsError",
    "Word",
    "processor",
]

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """`__version__`, read when somebody asks for it: to look for it takes longer than to import most modules."""
        if name == "__version__":
            from importlib.metadata import version

            return version(DISTRIBUTION)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
