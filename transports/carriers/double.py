"""The carrier's end of everything but the media stream, for the simulated caller: it announces calls by webhooks, reads
the answers, signs what the carrier signs, and answers what is told to the carrier's REST interface.

A double does no I/O. It has the same settings as the server that it calls, so that the keys of both fit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from voiceflow.transports.carriers.instructions import Instruction

Asgi: TypeAlias = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


class SentWebhook(msgspec.Struct, frozen=True):
    """A POST request by which the carrier announces a call."""

    headers: dict[str, str]
    body: bytes


StreamStatus: TypeAlias = Literal["stream-started", "stream-stopped", "stream-error"]


class StreamEvent(msgspec.Struct, frozen=True):
    """What has become of a media stream."""

    call_id: str
    stream_id: str
    event: StreamStatus
    error: str = ""
    """Why it failed."""


class AnnouncedCall(Protocol):
    """A simulated call, as the carrier's REST interface acts on it."""

    def take_command(self) -> bool:
        """Told that a command has come. Whether it can be carried out: the call is not over."""

    def redirect(self, instructions: Sequence[Instruction]) -> None:
        """End the media stream, and do this instead."""

    def play_digits(self, digits: str) -> None:
        """Play the tones of keys to the caller, beside the media stream."""


class CarrierDouble(ABC):
    """The carrier's end, for all calls to one server."""

    rest_address: str | None = None
    """The address of the REST interface, as configured. None: there are no credentials for it."""
    metadata: Mapping[str, Any] = {}
    """What the start of every stream says besides (`Start.metadata`)."""

    @property
    @abstractmethod
    def signs(self) -> bool:
        """Whether there is a key to sign webhooks with."""

    @abstractmethod
    def webhook(self, call_id: str, caller_id: str, did: str, url: str) -> SentWebhook:
        """The webhook that announces a call at `url`, the public address; signed if `signs`."""

    @abstractmethod
    def read(self, media_type: str, answer: bytes) -> list[Instruction]:
        """What an answer tells to do. Raises `ProviderConnectionError` for one that the carrier cannot follow."""

    def upgrade_headers(self, url: str) -> dict[str, str]:
        """The headers of the request that opens the stream at `url`, the one in the answer."""
        return {}

    def stream_status(self, event: StreamEvent, url: str) -> SentWebhook | None:
        """The request to the status callback at `url` that tells what has become of a stream. None: there is none."""
        return None

    def rest(self, calls: Mapping[str, AnnouncedCall]) -> Asgi:
        """The REST interface to `calls`, which are found by their ids."""
        raise NotImplementedError
