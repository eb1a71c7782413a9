"""Telnyx's settings, `provider_config.telnyx`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from voiceflow.config.address import RestAddress
from voiceflow.transports.carriers.carrier import CarrierSettings

TelnyxCodec = Annotated[Literal["PCMU", "PCMA", "G722", "L16"], Meta(description="PCMU, PCMA, G722 or L16")]


class TelnyxSettings(CarrierSettings, frozen=True, kw_only=True):
    environment: ClassVar[Mapping[str, str]] = {
        "TELNYX_API_KEY": "api_key",
        "TELNYX_APP_ID": "app_id",
        "TELNYX_PUBLIC_KEY": "public_key",
        "TELNYX_SIGNING_KEYS": "signing_keys",
        "TELNYX_BASE_URL": "base_url",
    }
    credentials: ClassVar[tuple[str, ...]] = ("api_key", "public_key")

    api_key: str | None = None
    app_id: str | None = None
    public_key: str | None = None
    """The key that verifies that a webhook comes from Telnyx, as base64."""
    signing_keys: tuple[str, ...] = ()
    """Further such keys, while the key is changed."""
    stream_auth_token: str | None = None
    """The token that Telnyx was told to send with its media streams, in the header X-Telnyx-Streaming-Auth-Token."""
    codec: TelnyxCodec = "PCMU"
    """The codec of the agent's audio. The caller's audio has the one that the phone leg negotiated."""

    base_url: RestAddress = "https://api.telnyx.com/v2"
    """The address of the REST interface, with its version."""

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that verify webhooks."""
        return tuple(key for key in (self.public_key, *self.signing_keys) if key)

    def check(self) -> None:
        if self.keys:
            from voiceflow.transports.carriers.telnyx.signature import public_keys

            public_keys(self.keys)
