"""What the rest of voiceflow asks a carrier.

A `Carrier` is small and imports nothing of its own before it is asked: dialect, signatures and REST interface are
modules beside it. It knows no configuration: its settings are handed to each method that needs them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from uuid import UUID

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.config.secrets import Secrets
from voiceflow.control import CallControl
from voiceflow.security.signatures import Headers
from voiceflow.transports.dialect import Message, Mirror, Start, Stream

if TYPE_CHECKING:
    import httpx


class CarrierSettings(Secrets, frozen=True, kw_only=True):
    """What is configured for a carrier: the fields are the keys in `provider_config.NAME`, and all have defaults."""

    environment: ClassVar[Mapping[str, str]] = {}
    """The environment variables that stand for fields: field by variable."""
    credentials: ClassVar[tuple[str, ...]] = ()
    """The fields without which no call of this carrier works."""

    def check(self) -> None:
        """Raise `VoiceflowError` if a value cannot be right. What is missing is no mistake."""


S = TypeVar("S", bound=CarrierSettings)


class Webhook(msgspec.Struct, frozen=True):
    """A carrier asks what to do with a call."""

    url: str | None
    """By which the carrier reached us. None: no public address is configured."""
    headers: Headers
    body: bytes


class IncomingCall(msgspec.Struct, frozen=True):
    """What a webhook says of its call."""

    call_id: str
    """By which the stream's start will name the call, too (`Start.call_sid`)."""
    caller_id: str
    did: str


class Carrier(ABC, Generic[S]):
    """One carrier. Whoever serves many holds `Carrier[Any]`, and their settings by `Carrier.settings`."""

    name: ClassVar[str]
    """In the configuration, routes, tokens and logs, and for `--as`: a to z, 0 to 9 and _, a letter first."""
    title: ClassVar[str]
    """As the carrier writes itself."""
    precedence: ClassVar[int] = 100
    """Lower ones are asked first whether a stream is theirs, and the first is meant where no carrier is named."""
    codecs: ClassVar[Mapping[str, AudioFormat]]
    """The formats that the agent's audio can have, by the carrier's names for them. The first is the usual one: that
    of pipelines linked before there is a call, and of simulated calls. The rate of pcm16 may vary."""
    in_order: ClassVar[bool] = True
    """Whether media arrives in the order in which it was spoken."""
    settings: type[S]

    @property
    def usual_format(self) -> AudioFormat:
        return next(iter(self.codecs.values()))

    # The media stream

    @abstractmethod
    def recognises(self, first: Mapping[str, Any] | Message) -> bool:
        """Whether a stream is this carrier's that begins with `first`: a mapping if that was a JSON object, else
        the message as it came."""

    @abstractmethod
    def stream(self) -> Stream:
        """Our end of a new stream."""

    @abstractmethod
    def mirror(self, start: Start) -> Mirror:
        """The carrier's end of a stream, for the simulated caller. `start` is what our end is to read."""

    @abstractmethod
    def ids(self, unique: UUID) -> tuple[str, str]:
        """The ids of a simulated stream and its call, in the form that this carrier gives them."""

    # Who may call

    def verify_upgrade(self, settings: S, url: str | None, headers: Headers) -> None:
        """Check the request that opens a WebSocket, before anybody knows whose stream it will be. Raise
        `CallRejectedError` only if the carrier has signed it and the signature is wrong. `url` is our public
        address, if one is configured."""

    def verify_stream(self, settings: S, headers: Headers) -> None:
        """Check the request that opened a stream of this carrier. Raise `CallRejectedError` if it does not bring what
        the settings require. The stream's token is looked at besides."""

    @abstractmethod
    def verify_webhook(self, settings: S, webhook: Webhook) -> None:
        """Raise `CallRejectedError` unless the carrier has sent the webhook, or if the settings do not suffice to
        tell."""

    # Answers to webhooks

    media_type: ClassVar[str] = "application/xml"
    """Of the answers."""

    @property
    def webhook_path(self) -> str:
        """Where the carrier's webhooks are answered."""
        return f"/sip/{self.name}/answer"

    @abstractmethod
    def incoming(self, webhook: Webhook) -> IncomingCall:
        """Read a webhook. What it does not say is "". Raises `CallRejectedError` if it cannot be read."""

    def codec(self, settings: S) -> str:
        """The name in `codecs` of what the agent's audio is to be."""
        return next(iter(self.codecs))

    @abstractmethod
    def connect(self, settings: S, url: str, call: IncomingCall, token: str) -> str:
        """The answer that connects a call to the WebSocket at `url`. Its start must bring back `token`, as the
        parameter of that name."""

    @abstractmethod
    def refuse(self, message: str) -> str:
        """The answer that takes the call, says `message` and hangs up."""

    @abstractmethod
    def busy(self) -> str:
        """The answer that does not take the call, because all lines are busy."""

    # The call itself

    def control(self, settings: S, client: httpx.AsyncClient, call_id: str) -> CallControl | None:
        """Commands to the carrier about a call. None: the carrier has none, or the settings lack credentials."""
        return None
