"""A carrier that does not exist: all that is needed for one, in a folder.

Its stream mixes text and binary messages, as Asterisk's and Vonage's do. Audio is binary, the samples alone, 16 000 of
them a second; all else is text, JSON but for the greeting:

    MADEUP 1
    {"kind":"call","line":"l1","call":"c1","from":"+1202...","to":"+1202...","parameters":{"token":"..."}}
    {"kind":"key","key":"5"}
    {"kind":"played","name":"m1"}
    {"kind":"bye"}

It is told {"kind":"tell","name":"m1"} and {"kind":"drop"}. Webhooks are JSON, with a key in a header.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final
from uuid import UUID

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.errors import CallRejectedError, VoiceflowError
from voiceflow.security.signatures import by_name
from voiceflow.transports.carriers import Carrier, CarrierDouble, CarrierSettings, IncomingCall, Webhook
from voiceflow.transports.dialect import Message, Mirror, Start, Stream


class MadeupSettings(CarrierSettings, frozen=True, kw_only=True):
    environment: ClassVar[Mapping[str, str]] = {"MADEUP_KEY": "key"}
    credentials: ClassVar[tuple[str, ...]] = ("key",)

    key: str | None = None

    def check(self) -> None:
        if self.key is not None and len(self.key) < 3:
            raise VoiceflowError("provider_config.madeup.key is too short: expected 3 characters or more")


class AskedWhatToDo(msgspec.Struct, rename={"caller": "from"}):
    """A webhook's body."""

    call: str
    caller: str
    to: str


class Madeup(Carrier[MadeupSettings]):
    name = "madeup"
    title = "Madeup"
    codecs: ClassVar[Mapping[str, AudioFormat]] = {"WIDE": AudioFormat("pcm16", 16_000)}
    settings = MadeupSettings
    media_type = "application/json"

    def recognises(self, first: Mapping[str, Any] | Message) -> bool:
        return isinstance(first, str) and first.startswith("MADEUP ")

    def stream(self) -> Stream:
        from madeup.stream import MadeupStream

        return MadeupStream()

    def mirror(self, start: Start) -> Mirror:
        from madeup.mirror import MadeupMirror

        return MadeupMirror(start)

    def ids(self, unique: UUID) -> tuple[str, str]:
        return f"line-{unique}", f"call-{unique}"

    def verify_webhook(self, settings: MadeupSettings, webhook: Webhook) -> bytes:
        if settings.key is None:
            raise CallRejectedError("webhooks of madeup are closed until provider_config.madeup.key is configured")
        if not hmac.compare_digest(by_name(webhook.headers).get(b"x-madeup-key", b""), settings.key.encode()):
            raise CallRejectedError("X-Madeup-Key is not the one that is configured")
        return webhook.body

    def incoming(self, webhook: Webhook) -> IncomingCall:
        try:
            asked = msgspec.json.decode(webhook.body, type=AskedWhatToDo)
        except msgspec.DecodeError as error:
            raise CallRejectedError(f"the webhook is not one of madeup: {error}") from None
        return IncomingCall(asked.call, asked.caller, asked.to)

    def connect(self, settings: MadeupSettings, url: str, call: IncomingCall, token: str) -> str:
        return json.dumps({"do": "connect", "url": url, "parameters": {"token": token}})

    def refuse(self, message: str, language: str) -> str:
        return json.dumps({"do": "say", "text": message})

    def busy(self) -> str:
        return json.dumps({"do": "busy"})

    def double(self, settings: MadeupSettings, signing_key: bytes | None = None) -> CarrierDouble:
        from madeup.double import MadeupDouble

        return MadeupDouble(settings)


CARRIER: Final = Madeup()
