"""Carriers whose webhooks post a form and are answered in TwiML or a dialect of it."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import parse_qsl

from voiceflow.transports.carriers.carrier import Carrier, CarrierSettings, IncomingCall, Webhook

S = TypeVar("S", bound=CarrierSettings)


class XmlCarrier(Carrier[S]):
    """The base of such carriers. They differ in how a call is connected, and in signatures and media streams."""

    def incoming(self, webhook: Webhook) -> IncomingCall:
        form = dict(parse_qsl(webhook.body.decode(errors="replace"), keep_blank_values=True))
        return IncomingCall(call_id=form.get("CallSid", ""), caller_id=form.get("From", ""), did=form.get("To", ""))

    def refuse(self, message: str, language: str) -> str:
        from voiceflow.transports.answer import refuse

        return refuse(message, language)

    def busy(self) -> str:
        from voiceflow.transports.answer import reject

        return reject("busy")
