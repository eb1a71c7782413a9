"""Twilio: Programmable Voice with bidirectional Media Streams."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import UUID

from voiceflow.audio import AudioFormat
from voiceflow.call_control import CallControl
from voiceflow.errors import CallRejectedError, VoiceflowError
from voiceflow.security.signatures import Headers, by_name
from voiceflow.transports.carriers.carrier import IncomingCall, Webhook
from voiceflow.transports.carriers.double import CarrierDouble
from voiceflow.transports.carriers.ids import Shape
from voiceflow.transports.carriers.twilio.settings import TwilioSettings
from voiceflow.transports.carriers.xml import XmlCarrier
from voiceflow.transports.dialect import Message, Mirror, Start, Stream

if TYPE_CHECKING:
    import httpx


def _sid(prefix: str) -> Shape:
    return Shape(re.compile(prefix + "[0-9A-Fa-f]{32}"), f"{prefix} and 32 hexadecimal digits")


class Twilio(XmlCarrier[TwilioSettings]):
    name = "twilio"
    title = "Twilio"
    precedence = 1
    codecs: ClassVar[Mapping[str, AudioFormat]] = {
        "PCMU": AudioFormat("mulaw", 8_000),
        "L16": AudioFormat("pcm16", 16_000),
    }
    # twilio.com/docs/glossary/what-is-a-sid
    id_shapes: ClassVar[Mapping[str, Shape]] = {
        "call_sid": _sid("CA"),
        "stream_id": _sid("MZ"),
        "account_sid": _sid("AC"),
    }
    settings = TwilioSettings

    def recognises(self, first: Mapping[str, Any] | Message) -> bool:
        # Only Twilio's `connected` has a field "protocol" ("Call"), and only its other messages have a streamSid.
        return isinstance(first, dict) and ("protocol" in first or "streamSid" in first)

    def stream(self) -> Stream:
        from voiceflow.transports.carriers.twilio.stream import TwilioStream

        return TwilioStream()

    def mirror(self, start: Start) -> Mirror:
        from voiceflow.transports.carriers.twilio.simulated import TwilioMirror

        return TwilioMirror(start)

    def ids(self, unique: UUID) -> tuple[str, str]:
        return f"MZ{unique.hex}", f"CA{unique.hex}"

    def verify_upgrade(self, settings: TwilioSettings, url: str | None, headers: Headers) -> None:
        signed = b"x-twilio-signature" in by_name(headers)
        if signed and settings.keys and url:
            from voiceflow.transports.carriers.twilio.signature import verify

            verify(settings.keys, url, headers)

    def verify_webhook(self, settings: TwilioSettings, webhook: Webhook) -> bytes:
        if not settings.keys or not webhook.url:
            raise CallRejectedError(
                "webhooks of twilio are closed until provider_config.twilio.auth_token and public_ws_url are configured"
            )
        from voiceflow.transports.carriers.twilio.signature import verify

        return verify(settings.keys, webhook.url, webhook.headers, webhook.body)

    def codec(self, settings: TwilioSettings) -> str:
        return ""  # both directions have the format that the start names

    def connect(self, settings: TwilioSettings, url: str, call: IncomingCall, token: str) -> str:
        from voiceflow.transports.answer import connect

        return connect(url, {}, {"token": token, "from": call.caller_id, "to": call.did})

    def control(self, settings: TwilioSettings, client: httpx.AsyncClient, call_id: str) -> CallControl | None:
        if settings.user is None:
            return None
        from voiceflow.transports.carriers.twilio.control import TwilioControl

        return TwilioControl(client, settings, call_id)

    def double(self, settings: TwilioSettings, signing_key: bytes | None = None) -> CarrierDouble:
        if signing_key is not None:
            raise VoiceflowError(
                "Twilio signs with provider_config.twilio.auth_token (TWILIO_AUTH_TOKEN), which the server has, too: "
                "leave out --signing-key"
            )
        from voiceflow.transports.carriers.twilio.double import TwilioCarrierDouble

        return TwilioCarrierDouble(settings)


CARRIER: Final = Twilio()
