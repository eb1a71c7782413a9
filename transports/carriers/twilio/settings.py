"""Twilio's settings, `provider_config.twilio`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from voiceflow.transports.carriers.carrier import CarrierSettings


class TwilioSettings(CarrierSettings, frozen=True, kw_only=True):
    environment: ClassVar[Mapping[str, str]] = {"TWILIO_ACCOUNT_SID": "account_sid", "TWILIO_AUTH_TOKEN": "auth_token"}
    credentials: ClassVar[tuple[str, ...]] = ("account_sid", "auth_token")

    account_sid: str | None = None
    auth_token: str | None = None
    """The key of the signatures of Twilio's requests, and the password for its REST interface."""
