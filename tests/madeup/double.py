"""Madeup's end of webhooks, for simulated calls. It has no REST interface."""

from __future__ import annotations

import json

from madeup import MadeupSettings
from voiceflow.errors import ProviderConnectionError
from voiceflow.transports.carriers import CarrierDouble, SentWebhook
from voiceflow.transports.carriers.instructions import HangUpCall, Instruction, OpenStream, RejectCall, SpeakText


class MadeupDouble(CarrierDouble):
    def __init__(self, settings: MadeupSettings) -> None:
        self._key = settings.key

    @property
    def signs(self) -> bool:
        return self._key is not None

    def webhook(self, call_id: str, caller_id: str, did: str, url: str) -> SentWebhook:
        headers = {"Content-Type": "application/json"} | ({"X-Madeup-Key": self._key} if self._key else {})
        return SentWebhook(headers, json.dumps({"call": call_id, "from": caller_id, "to": did}).encode())

    def read(self, media_type: str, answer: bytes) -> list[Instruction]:
        match json.loads(answer):
            case {"do": "connect", "url": str(url), "parameters": dict(parameters)}:
                return [OpenStream(url, parameters)]
            case {"do": "say", "text": str(text)}:
                return [SpeakText(text), HangUpCall()]
            case {"do": "busy"}:
                return [RejectCall("busy")]
            case other:
                raise ProviderConnectionError(f"Madeup does not know {other}")
