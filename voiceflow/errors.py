"""Every exception voiceflow raises. Each message names what was expected, what came, and what to do."""

import asyncio

DISTRIBUTION = "voiceflow-pipelines"
"""The name to `pip install`; the import name `voiceflow` belongs to another project on PyPI."""


class Abandoned(BaseException):
    """Thrown into work that did not heed its cancellation. Do not catch it."""


UNWINDING = (asyncio.CancelledError, GeneratorExit, Abandoned)
"""The exceptions that end asynchronous code from outside, which must pass. Any other that users' code raises, also
`SystemExit` and `KeyboardInterrupt`, ends only its own call: it must not end a server."""


class VoiceflowError(Exception):
    """The base of all exceptions that voiceflow raises on purpose."""


class LinkError(VoiceflowError):
    """A pipeline whose processors do not fit together. Names both ends."""


class AudioCodecError(VoiceflowError):
    """Audio that does not match its format, or that no codec converts."""


class MissingExtraError(VoiceflowError):
    """A part of voiceflow whose optional packages are not installed. Says which `pip install` to run."""

    def __init__(self, part: str, extra: str) -> None:
        super().__init__(f"{part} needs an extra that is not installed: pip install '{DISTRIBUTION}[{extra}]'")


class CallError(VoiceflowError):
    """A call that could not be set up or kept: a deadline passed, or its transport lacks an operation."""


class ProcessorError(CallError):
    """An exception in one processor. It ends its call and no other; `__cause__` is the exception."""

    def __init__(self, processor: str, cause: BaseException) -> None:
        super().__init__(f"{processor} raised {type(cause).__name__}: {cause}")
        self.processor = processor
        self.__cause__ = cause


class CallRejectedError(CallError):
    """A call that was refused before it began."""


class ProviderConnectionError(VoiceflowError):
    """A carrier, model or other party that could not be reached, or that answered with an error."""


class TunnelError(VoiceflowError):
    """A tunnel that could not be opened. Says what cloudflared has printed last, and what to do."""


class WeightsError(VoiceflowError):
    """Model weights that cannot be obtained, or are not the expected ones. Says what was tried and what to run."""


class ProviderDetectionError(VoiceflowError):
    """A media stream whose first message belongs to no known provider."""


class ConfigError(VoiceflowError):
    """A configuration that cannot be used. Names the file and line, the variable or the option at fault."""


class DIDNotFoundError(VoiceflowError):
    """No route for a called number."""

    def __init__(self, did: str, looked_up: str | None = None) -> None:
        """`looked_up` is the form of the number that was looked up, if not this one."""
        form = "" if looked_up in (None, did) else f", looked up as {looked_up!r}"
        super().__init__(f"no route for the number {did if did and not form else repr(did)}{form}: add it under `dids`")
        self.did = did


class DIDConfigError(VoiceflowError):
    """A route file that cannot be used. Says which line is wrong."""
