"""Tries a set-up from outside in, at its public address: as a carrier reaches it, and as strangers do."""

from __future__ import annotations

from voiceflow.config.address import MEDIA

from .certificate import address, certificate
from .finding import Finding, Setting
from .outside import CallNumbers, Outside
from .path import media_stream, server
from .signedcall import signed_calls
from .strangers import strangers


async def examine_phone(setting: Setting, numbers: CallNumbers) -> list[Finding]:
    """All findings, in order. What needs something that failed is not tried."""
    if setting.error:
        return [Finding("configuration", "fail", setting.error, "correct it; .env.example documents the variables")]
    public = setting.config.public_ws_url
    if public is None:
        remedy = (
            f"name in public_ws_url or SIP_PUBLIC_WS_URL what the server was given as --ws-url, wss://HOST{MEDIA}, or "
            "the address of its --tunnel"
        )
        return [Finding("address", "fail", "no public address is configured: carriers cannot reach us", remedy)]
    outside = Outside(public)
    findings: list[Finding] = []
    for check in (address, certificate, server):
        findings.append(await check(outside, setting))
        if findings[-1].status == "fail":
            return findings
    findings.append(await media_stream(outside, setting))
    if findings[-1].status != "fail":
        findings.append(await strangers(outside, numbers))
        findings += await signed_calls(outside, setting, numbers)
    return findings
