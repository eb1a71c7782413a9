"""Twilio's settings, `provider_config.twilio`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import Meta

from voiceflow.config.address import RestAddress
from voiceflow.errors import VoiceflowError
from voiceflow.transports.carriers.carrier import CarrierSettings

Place = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+\Z", description="a name such as ie1 (region) or dublin (edge)")]


class TwilioSettings(CarrierSettings, frozen=True, kw_only=True):
    environment: ClassVar[Mapping[str, str]] = {
        "TWILIO_ACCOUNT_SID": "account_sid",
        "TWILIO_AUTH_TOKEN": "auth_token",
        "TWILIO_SIGNING_KEYS": "signing_keys",
        "TWILIO_API_KEY": "api_key",
        "TWILIO_API_SECRET": "api_secret",
        "TWILIO_REGION": "region",
        "TWILIO_EDGE": "edge",
        "TWILIO_BASE_URL": "base_url",
    }
    credentials: ClassVar[tuple[str, ...]] = ("account_sid", "auth_token")

    account_sid: str | None = None
    auth_token: str | None = None
    """The key of the signatures of Twilio's requests, and, without an API key, the password for its REST interface.
    Each region has its own."""
    signing_keys: tuple[str, ...] = ()
    """Further keys of the signatures: the secondary auth token while the auth token is changed, or shared keys."""
    api_key: str | None = None
    """The SID of an API key, which is used for the REST interface in place of the account's own password."""
    api_secret: str | None = None
    region: Place | None = None
    """Where the account's calls are: us1 unless given."""
    edge: Place | None = None
    """Where Twilio's network is entered."""
    base_url: RestAddress | None = None
    """The address of the REST interface, if it is not the one that `region` and `edge` make."""

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys of signatures."""
        return tuple(key for key in (self.auth_token, *self.signing_keys) if key)

    @property
    def user(self) -> tuple[str, str] | None:
        """The name and the password for the REST interface. None: there are none."""
        name, password = (self.api_key, self.api_secret) if self.api_key else (self.account_sid, self.auth_token)
        return (name, password) if self.account_sid and name and password else None

    @property
    def rest(self) -> str:
        """The address of the REST interface (twilio.com/docs/global-infrastructure/understanding-edge-locations)."""
        if self.base_url:
            return self.base_url.rstrip("/")
        region = self.region or ("us1" if self.edge else None)
        return "https://" + ".".join(part.lower() for part in ("api", self.edge, region, "twilio.com") if part)

    def check(self) -> None:
        if bool(self.api_key) != bool(self.api_secret):
            missing = "api_secret" if self.api_key else "api_key"
            raise VoiceflowError(
                f"provider_config.twilio.{missing} is missing: expected api_key and api_secret, or neither of them"
            )
