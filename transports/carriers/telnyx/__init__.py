"""Telnyx: TeXML with bidirectional media streaming in RTP mode."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import UUID

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.call_control import CallControl
from voiceflow.errors import CallRejectedError, VoiceflowError
from voiceflow.security.signatures import Headers
from voiceflow.transports.carriers.carrier import IncomingCall, Webhook
from voiceflow.transports.carriers.double import CarrierDouble
from voiceflow.transports.carriers.ids import PLAIN, Shape
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.xml import XmlCarrier
from voiceflow.transports.dialect import UNREADABLE, Message, Mirror, Start, Stream

if TYPE_CHECKING:
    import httpx

# Sampling rates to ask Telnyx for, in Hz: it assumes 8000 unless told otherwise, even for L16. G.722 samples at
# 16 000 Hz, but Telnyx names it by its RTP clock, which is 8000 (RFC 3551, section 4.5.2).
RATES: Final = {"PCMU": 8000, "PCMA": 8000, "G722": 8000, "L16": 16000}

# Call control ids in the examples of developers.telnyx.com are v2: or v3: and URL-safe base64; older ones are UUIDs.
_CALL: Final = Shape(
    re.compile(r"v[0-9]{1,2}:[A-Za-z0-9_=-]{1,160}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    "v3: (or another version) and letters, digits, _ = -, or a UUID",
)


class Telnyx(XmlCarrier[TelnyxSettings]):
    name = "telnyx"
    title = "Telnyx"
    precedence = 2
    codecs: ClassVar[Mapping[str, AudioFormat]] = {
        "PCMU": AudioFormat("mulaw", 8_000),
        "PCMA": AudioFormat("alaw", 8_000),
        "G722": AudioFormat("g722", 16_000),
        "L16": AudioFormat("pcm16", 16_000),
    }
    in_order = False
    # Of the other ids, the documentation shows UUIDs but promises nothing.
    id_shapes: ClassVar[Mapping[str, Shape]] = {
        "call_sid": _CALL,
        "stream_id": PLAIN,
        "account_sid": PLAIN,
        "call_session_id": PLAIN,
    }
    settings = TelnyxSettings
    signing_variable = "TELNYX_PUBLIC_KEY"

    def recognises(self, first: Mapping[str, Any] | Message) -> bool:
        # Any `connected` may be Telnyx's: what follows it decides.
        return isinstance(first, dict) and ("stream_id" in first or first.get("event") == "connected")

    def stream(self) -> Stream:
        from voiceflow.transports.carriers.telnyx.stream import TelnyxStream

        return TelnyxStream()

    def mirror(self, start: Start) -> Mirror:
        from voiceflow.transports.carriers.telnyx.simulated import TelnyxMirror

        return TelnyxMirror(start)

    def ids(self, unique: UUID) -> tuple[str, str]:
        return str(unique), f"v2:{unique.hex}"

    def verify_stream(self, settings: TelnyxSettings, headers: Headers) -> None:
        if settings.stream_auth_token:
            from voiceflow.transports.carriers.telnyx.signature import verify_stream

            verify_stream(settings.stream_auth_token, headers)

    def verify_webhook(self, settings: TelnyxSettings, webhook: Webhook) -> bytes:
        if not settings.keys:
            raise CallRejectedError(
                "webhooks of telnyx are closed until provider_config.telnyx.public_key is configured"
            )
        from voiceflow.transports.carriers.telnyx.signature import public_keys, verify

        keys, signed = public_keys(settings.keys), webhook.body or webhook.query
        return verify(keys, webhook.headers, signed, now=time.time())

    def incoming(self, webhook: Webhook) -> IncomingCall:
        event = _voice_api_event(webhook.body)
        if event is not None:
            raise CallRejectedError(
                f"this is {event!r} of Telnyx's Voice API, and only TeXML is answered here, so nobody picks up: in the "
                "Telnyx portal give the number a TeXML application with this address, in place of the Voice API "
                "application"
            )
        return super().incoming(webhook)

    def codec(self, settings: TelnyxSettings) -> str:
        return settings.codec

    def connect(self, settings: TelnyxSettings, url: str, call: IncomingCall, token: str) -> str:
        """The answer that connects a call. The agent's audio will have the configured codec; the caller's has the one
        that the phone leg negotiated, which the stream's start message names."""
        from voiceflow.transports.answer import connect

        bidirectional = {
            "bidirectionalMode": "rtp",  # else it is mp3, and Telnyx drops our audio without an error
            "bidirectionalCodec": settings.codec,
            "bidirectionalSamplingRate": str(RATES[settings.codec]),
        }
        return connect(url, bidirectional, {"token": token, "from": call.caller_id, "to": call.did})

    def control(self, settings: TelnyxSettings, client: httpx.AsyncClient, call_id: str) -> CallControl | None:
        if not settings.api_key:
            return None
        from voiceflow.transports.carriers.telnyx.control import TelnyxControl

        return TelnyxControl(client, settings, call_id)

    def double(self, settings: TelnyxSettings, signing_key: bytes | None = None) -> CarrierDouble:
        from voiceflow.transports.carriers.telnyx.double import TelnyxCarrierDouble
        from voiceflow.transports.carriers.telnyx.signing import private_key

        if signing_key is None:
            return TelnyxCarrierDouble(settings, None)
        public = self.public_key(signing_key)
        if settings.keys and public not in settings.keys:
            raise VoiceflowError(
                f"provider_config.telnyx.public_key ({self.signing_variable}) is not that of --signing-key, so what "
                f"that signs would be refused: configure {public}"
            )
        return TelnyxCarrierDouble(settings, private_key(signing_key))

    def make_signing_key(self) -> bytes:
        from voiceflow.transports.carriers.telnyx.signing import make_private_key

        return make_private_key()

    def public_key(self, signing_key: bytes) -> str:
        from voiceflow.transports.carriers.telnyx.signing import private_key, public_text

        return public_text(private_key(signing_key))


class _Data(msgspec.Struct):
    event_type: str


class _VoiceApi(msgspec.Struct):
    """A webhook of the Voice API, which is JSON (developers.telnyx.com, "Receiving webhooks")."""

    data: _Data


def _voice_api_event(body: bytes) -> str | None:
    """The event of a webhook of the Voice API. None: it is none."""
    try:
        return msgspec.json.decode(body, type=_VoiceApi).data.event_type[:80]
    except UNREADABLE:
        return None


CARRIER: Final = Telnyx()
