"""The interface of a carrier to the rest of voiceflow.

A `Carrier` object is small. Its dialect, signatures and REST interface are modules beside it, which its methods
import only when they are called. It holds no configuration: its settings are passed to each method that needs them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from uuid import UUID

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.call_control import CallControl
from voiceflow.config.secrets import Secrets
from voiceflow.errors import VoiceflowError
from voiceflow.security.signatures import Headers
from voiceflow.transports.carriers.double import CarrierDouble
from voiceflow.transports.carriers.ids import PLAIN, Shape
from voiceflow.transports.dialect import Message, Mirror, Start, Stream

if TYPE_CHECKING:
    import httpx


class CarrierSettings(Secrets, frozen=True, kw_only=True):
    """A carrier's configuration: the fields are the keys of `provider_config.NAME`, and all have defaults."""

    environment: ClassVar[Mapping[str, str]] = {}
    """The environment variables that set fields: names of fields by names of variables."""
    credentials: ClassVar[tuple[str, ...]] = ()
    """The fields without which no call of this carrier works."""

    def check(self) -> None:
        """Raise `VoiceflowError` if a value cannot be right. Missing values are allowed."""


S = TypeVar("S", bound=CarrierSettings)


class Webhook(msgspec.Struct, frozen=True):
    """An HTTP request in which a carrier asks what to do with a call."""

    url: str | None
    """The URL at which the carrier reached us. None: no public address is configured."""
    headers: Headers
    body: bytes
    query: bytes = b""
    """The query of the URL: where a carrier is told to fetch by GET, all that it says stands there."""


class IncomingCall(msgspec.Struct, frozen=True):
    """What a webhook says about its call. Of a call that was made for us, `did` is the number of ours that calls, and
    `caller_id` the person who is called."""

    call_id: str
    """The carrier's id of the call, which the stream's start will repeat (`Start.call_sid`)."""
    caller_id: str
    did: str


class Carrier(ABC, Generic[S]):
    """One carrier, of settings `S`. Code that serves several uses `Carrier[Any]`."""

    name: ClassVar[str]
    """The name in the configuration, routes, tokens and logs, and for `--as`: a to z, 0 to 9 and _, a letter first."""
    title: ClassVar[str]
    """The name in texts, as the carrier itself writes it."""
    precedence: ClassVar[int] = 100
    """The carrier with the lowest is asked first whether a stream is its own. It is the default where none is named."""
    codecs: ClassVar[Mapping[str, AudioFormat]]
    """The formats that the agent's audio can have, by the carrier's names for them. The first is the usual one: that
    of pipelines linked before there is a call, and of simulated calls. The rate of pcm16 may vary."""
    in_order: ClassVar[bool] = True
    """Whether media arrives in the order in which it was spoken."""
    id_shapes: ClassVar[Mapping[str, Shape]] = {"call_sid": PLAIN, "stream_id": PLAIN}
    """The shapes of ids, by their names in `Start.metadata`. Webhooks and streams that have others are refused."""
    settings: type[S]

    @property
    def usual_format(self) -> AudioFormat:
        """The first of `codecs`."""
        return next(iter(self.codecs.values()))

    # The media stream

    @abstractmethod
    def recognises(self, first: Mapping[str, Any] | Message) -> bool:
        """Whether a stream whose first message is `first` is this carrier's. `first` is a mapping if the message was a
        JSON object, else the message as it came. Until the stream has started, a later message that another carrier
        recognises makes it that carrier's."""

    @abstractmethod
    def stream(self) -> Stream:
        """Our end of a new stream."""

    @abstractmethod
    def mirror(self, start: Start) -> Mirror:
        """The carrier's end of a stream, for the simulated caller. `start` is the start that our end is to read."""

    @abstractmethod
    def ids(self, unique: UUID) -> tuple[str, str]:
        """The ids of a simulated stream and of its call, in this carrier's form, made from `unique`."""

    # Who may call

    def verify_upgrade(self, settings: S, url: str | None, headers: Headers) -> None:
        """Check the request that opens a WebSocket, when it is not known yet which carrier's stream it will be. Raise
        `CallRejectedError` only if the request has a signature of this carrier's that is wrong. `url` is our public
        address, if one is configured."""

    def verify_stream(self, settings: S, headers: Headers) -> None:
        """Check the request that opened a stream of this carrier. Raise `CallRejectedError` if it lacks what the
        settings require. The server checks the stream's token in addition."""

    @abstractmethod
    def verify_webhook(self, settings: S, webhook: Webhook) -> bytes:
        """Raise `CallRejectedError` if the webhook is not from the carrier, or if the settings do not allow to tell.

        Returns what the carrier signed it with: the same if the webhook comes again, however it is spelled then, and
        something else for every other webhook. What comes again gets its first answer again."""

    # Answers to webhooks

    media_type: ClassVar[str] = "application/xml"
    """The media type of the answers to webhooks."""

    @property
    def webhook_path(self) -> str:
        """The path of the URL at which the carrier's webhooks are answered."""
        return f"/sip/{self.name}/answer"

    @abstractmethod
    def incoming(self, webhook: Webhook) -> IncomingCall:
        """Read a webhook; fields that it does not have are "". Raises `CallRejectedError` if it cannot be read."""

    def codec(self, settings: S) -> str:
        """The name, in `codecs`, of the format that our answer asks the agent's audio to have. "": it asks for none,
        and the stream's start names it."""
        return next(iter(self.codecs))

    @abstractmethod
    def connect(self, settings: S, url: str, call: IncomingCall, token: str) -> str:
        """The answer that connects a call to the WebSocket at `url`. The stream's start must bring back `token`, as the
        parameter of that name."""

    @abstractmethod
    def refuse(self, message: str, language: str) -> str:
        """The answer that accepts the call, says `message`, which is in `language` (`de`), and hangs up."""

    @abstractmethod
    def busy(self) -> str:
        """The answer that does not accept the call, because all lines are busy."""

    # The call itself

    def control(self, settings: S, client: httpx.AsyncClient, call_id: str) -> CallControl | None:
        """The REST interface to one call. None: the carrier has none, or the settings lack credentials."""
        return None

    # The simulated caller

    signing_variable: ClassVar[str] = ""
    """The environment variable for the public key, where the carrier signs its webhooks with a private one."""

    def double(self, settings: S, signing_key: bytes | None = None) -> CarrierDouble:
        """The carrier's end of webhooks and of its REST interface, for `voiceflow call --via-webhook`. `signing_key` is
        what a file with a private key holds. Raises `VoiceflowError` if it cannot be used, or there is no double."""
        raise VoiceflowError(
            f"{self.title} has no double that sends webhooks ({type(self).__name__}.double): call the media stream "
            "itself, such as ws://127.0.0.1:8000/sip/media-stream"
        )

    def make_signing_key(self) -> bytes:
        """A new private key to sign webhooks with. Raises `VoiceflowError` if the carrier has none."""
        raise VoiceflowError(f"{self.title} signs webhooks with no key pair")

    def public_key(self, signing_key: bytes) -> str:
        """The public key of a private one, as it is configured. Raises `VoiceflowError` for what is no key."""
        raise VoiceflowError(f"{self.title} signs webhooks with no key pair")
