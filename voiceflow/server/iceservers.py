"""From the configured STUN and TURN servers to the object from which calls get them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx

from voiceflow.config.ice import ICE, Cloudflare, Coturn, StaticServers, TwilioServers
from voiceflow.config.settings import Config
from voiceflow.transports.carriers.twilio.settings import TwilioSettings
from voiceflow.transports.webrtc.turn_servers import (
    CloudflareTURN,
    CoturnTURN,
    IceServer,
    ICEServers,
    StaticICE,
    TwilioTURN,
)


def ice_servers(config: Config, client: httpx.AsyncClient) -> ICEServers | None:
    """One provider of all servers in `config.ice`. None: the key is not configured."""
    return None if config.ice is None else _Several([_provider(entry, config, client) for entry in config.ice])


class _Several:
    """Several providers as one: their servers, in the order of the providers."""

    def __init__(self, providers: Sequence[ICEServers]) -> None:
        self._providers = providers

    async def ice_servers(self) -> list[IceServer]:
        given = await asyncio.gather(*(provider.ice_servers() for provider in self._providers))
        return [server for servers in given for server in servers]


def _provider(entry: ICE, config: Config, client: httpx.AsyncClient) -> ICEServers:
    match entry:
        case StaticServers(urls=urls, username=username, credential=credential):
            return StaticICE(urls, username=username, credential=credential)
        case Coturn(urls=urls, secret=secret):
            return CoturnTURN(urls, secret)
        case Cloudflare(key_id=key_id, api_token=api_token):
            return CloudflareTURN(client, key_id=key_id, api_token=api_token)
        case TwilioServers():
            twilio = config.of(TwilioSettings)
            return TwilioTURN(client, account_sid=twilio.account_sid or "", user=twilio.user, rest=twilio.rest)
