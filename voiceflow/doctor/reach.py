"""Checks that calls can reach us: the port, the carriers' credentials, the public address."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import httpx

from voiceflow.config.address import MEDIA
from voiceflow.errors import ConfigError, VoiceflowError
from voiceflow.inference.daemon_thread import in_thread
from voiceflow.server.listening import listening, reachable
from voiceflow.transports.carriers import Carrier, CarrierSettings

from .finding import DEADLINE, Finding, Setting
from .listener import listener


async def port(setting: Setting) -> Finding:
    host, number = setting.config.server_host, setting.config.server_port
    try:
        with listening(host, number) as sockets:
            for each in sockets:
                each.listen(1)  # what listens there without having been bound as ours are is noticed here
        return Finding("port", "ok", f"{number} on {host} is free")
    except (ConfigError, OSError) as error:
        reason = _reason(error)
    try:
        async with httpx.AsyncClient(timeout=DEADLINE / 4, trust_env=False) as client:
            health = (await client.get(f"http://{reachable(host, number)}/health")).json()
            return Finding("port", "ok", f"{number}: voiceflow runs there, with {health['active_calls']} calls")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        pass
    who = await in_thread(lambda: listener(number))
    said = f"{number} on {host}: {reason}" + (f", it is used by {who}" if who else "")
    return Finding("port", "fail", said, "end that program, or: voiceflow run FILE --port OTHER")


def _reason(error: ConfigError | OSError) -> str:
    cause = error.__cause__ or error
    return getattr(cause, "strerror", None) or str(cause)


async def carrier(setting: Setting, carrier: Carrier[Any]) -> Finding:
    """Whether a carrier's credentials are there, all of them or none."""
    ours, name = setting.config.of(carrier.settings), carrier.name
    needed = credentials_of(ours)
    missing = [variable for variable, value in needed.items() if not value]
    if missing and len(missing) == len(needed):
        return Finding(name, "ok", "not configured", f"for its calls set {' and '.join(missing)} in .env")
    if missing:
        return Finding(name, "fail", f"{', '.join(missing)} missing", f"set {' and '.join(missing)} in .env")
    try:
        ours.check()
    except VoiceflowError as error:
        return Finding(name, "fail", str(error), f"correct provider_config.{name}, or what stands for it in .env")
    return Finding(name, "ok", f"{' and '.join(needed)} are set" if needed else "it needs no credentials")


def credentials_of(settings: CarrierSettings) -> dict[str, str | None]:
    """The credentials that calls of a carrier need, each by its environment variable or, where there is none, by its
    key in the configuration."""
    variables = {field: variable for variable, field in settings.environment.items()}
    return {variables.get(field, field): getattr(settings, field) for field in settings.credentials}


async def public_address(setting: Setting) -> Finding:
    """Whether a public address is configured, by which carriers can find us."""
    name, address = "public address", setting.config.public_ws_url
    if address is None:
        configured = any(any(credentials_of(settings).values()) for settings in setting.config.provider_config)
        remedy = f"voiceflow run FILE --ws-url wss://HOST{MEDIA}, or --tunnel, or set SIP_PUBLIC_WS_URL"
        return Finding(name, "warn" if configured else "ok", "not configured: carriers cannot reach us", remedy)
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        await in_thread(lambda: socket.getaddrinfo(host, parts.port or 443))
    except (OSError, UnicodeError) as error:
        return Finding(name, "warn", f"{host} has no address: {error}", "correct it, or start the tunnel it belongs to")
    return Finding(name, "ok", address)
