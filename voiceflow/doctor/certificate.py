"""Checks of the way to a public address: its name, its port, its certificate."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from typing import Final

from voiceflow.config.address import MEDIA
from voiceflow.inference.daemon_thread import in_thread

from .finding import DEADLINE, Finding, Setting
from .outside import Outside, explained

SOON: Final = 14
"""Days before its end at which a certificate should have been renewed."""
MISMATCH: Final = (62, 64)
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
HAS_EXPIRED: Final = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""
UNKNOWN_ISSUER: Final = (18, 19, 20, 21)
"""OpenSSL's X509_V_ERR_ for certificates that sign themselves, and for those whose issuer is not found."""


async def address(outside: Outside, setting: Setting) -> Finding:
    """Whether the name of the public address leads somewhere, and whether others can go there."""
    name = "address"
    try:
        async with asyncio.timeout(DEADLINE):
            found = await in_thread(lambda: socket.getaddrinfo(outside.host, outside.port, type=socket.SOCK_STREAM))
    except TimeoutError:
        said = f"no name server has told the address of {outside.host} for {DEADLINE:.0f} s"
        return Finding(name, "fail", said, "see that this machine can look up names")
    except (OSError, UnicodeError) as error:
        remedy = "correct public_ws_url (--ws-url, SIP_PUBLIC_WS_URL), or enter the name at your DNS provider"
        return Finding(name, "fail", f"{outside.host} has no address: {error}", remedy)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    said = f"{outside.media}: {outside.host} is {', '.join(addresses)}"
    if not any(ipaddress.ip_address(each.partition("%")[0]).is_global for each in addresses):
        return Finding(name, "warn", f"{said}, which is not on the internet", "carriers need a public address")
    return Finding(name, "ok", said)


async def certificate(outside: Outside, setting: Setting) -> Finding:
    """Whether a server listens whose certificate carriers accept, and for how long they will."""
    name = "certificate"
    where = f"{outside.host} port {outside.port}"
    try:
        async with asyncio.timeout(DEADLINE):
            _, writer = await asyncio.open_connection(outside.host, outside.port, ssl=outside.tls)
    except ssl.SSLCertVerificationError as error:
        return Finding(name, "fail", f"{where}: {error.verify_message}", _remedy(error, outside.host))
    except ssl.SSLError as error:
        said = f"{where} refuses TLS for {outside.host}: {error.reason or error}"
        remedy = f"have the proxy end TLS there, with a certificate for {outside.host}: docs/proxies.md shows how"
        return Finding(name, "fail", said, remedy)
    except TimeoutError:
        said = f"{where} has not answered for {DEADLINE:.0f} s"
        return Finding(name, "fail", said, f"let the firewall pass TCP to port {outside.port}, and start the proxy")
    except OSError as error:
        said = f"nothing listens at {where}: {explained(error)}"
        return Finding(name, "fail", said, "start the proxy, or correct the port in public_ws_url")
    try:
        shown = writer.get_extra_info("peercert")
    finally:
        writer.transport.abort()
    if outside.tls is None:
        return Finding(name, "ok", "none is needed: ws:// is for this machine only")
    days = int((ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()) / 86400)
    said = f"valid for {days} days, until {shown['notAfter']}"
    if days < SOON:
        return Finding(name, "warn", said, "renew it, and see that this is done by itself: certbot renew, or Caddy")
    return Finding(name, "ok", said)


def _remedy(error: ssl.SSLCertVerificationError, host: str) -> str:
    match error.verify_code:
        case code if code == HAS_EXPIRED:
            return "renew the certificate, and reload the proxy: it may still have the old one"
        case code if code in MISMATCH:
            return f"correct the host in public_ws_url, or get a certificate for {host}: wss://HOST{MEDIA}"
        case code if code in UNKNOWN_ISSUER:
            return "use a certificate of a public authority, with its whole chain (fullchain.pem)"
        case _:
            return "get a certificate of a public authority"
