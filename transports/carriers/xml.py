"""Carriers whose webhooks are forms, posted or in the query of a GET, answered in TwiML or a dialect of it."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import parse_qsl

from voiceflow.errors import CallRejectedError
from voiceflow.transports.carriers.carrier import Carrier, CarrierSettings, IncomingCall, Webhook

S = TypeVar("S", bound=CarrierSettings)


class XmlCarrier(Carrier[S]):
    """The base of such carriers. They differ in how a call is connected, and in signatures and media streams."""

    def incoming(self, webhook: Webhook) -> IncomingCall:
        form = dict(parse_qsl((webhook.body or webhook.query).decode(errors="replace"), keep_blank_values=True))
        call_id, caller, called = (form.get(name, "") for name in ("CallSid", "From", "To"))
        if not call_id:
            raise CallRejectedError(
                f"expected the CallSid of a call, came a request without one: give {self.title} this address for the "
                "calls of a number (its voice URL), and for nothing else"
            )
        if form.get("Direction", "").lower().startswith("outbound"):  # outbound-api, outbound-dial
            caller, called = called, caller
        return IncomingCall(call_id, caller, called)

    def refuse(self, message: str, language: str) -> str:
        from voiceflow.transports.answer import refuse

        return refuse(message, language)

    def busy(self) -> str:
        from voiceflow.transports.answer import reject

        return reject("busy")
