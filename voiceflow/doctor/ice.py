"""`voiceflow doctor --ice`: tests how a browser and this machine can connect, and what stands in the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import httpx
import msgspec

from voiceflow.config.ice import ICE, Coturn, StaticServers
from voiceflow.errors import DISTRIBUTION
from voiceflow.server.iceservers import ice_servers
from voiceflow.transports.webrtc.turn_servers import IceServer, StaticICE

from .finding import Finding, Setting

if TYPE_CHECKING:
    from .icepath import Path
    from .iceprobe import Probe

CREDENTIALS = {
    Coturn: "make ice.secret the server's static-auth-secret, and set the clocks of both machines",
    StaticServers: "correct ice.username and ice.credential",
}
"""What to do if a server refuses the credentials, by the kind of its entry in the configuration."""
NO_ANSWER = "start the server, or let its port through the firewalls on the way"
NO_RELAY = "let the TURN server relay to its own addresses, and let UDP reach the ports by which it relays"
NOT_GIVEN = "correct the credentials in the configuration; the warning above tells what the provider said"


async def examine_ice(setting: Setting) -> list[Finding]:
    """All findings, in order: the servers, the candidates, and two connections."""
    if setting.error:
        return [Finding("configuration", "fail", setting.error, "correct it")]
    try:
        from .iceprobe import probe
    except ImportError:
        install = f"pip install '{DISTRIBUTION}[webrtc]'"
        return [Finding("extra webrtc", "fail", "aiortc not installed: no calls from browsers", install)]
    provided = await _provided(setting)
    servers = [server for _, given in provided for server in given]
    each = [
        (entry, msgspec.structs.replace(server, urls=(url,)))
        for entry, given in provided
        for server in given
        for url in server.urls
    ]
    probes = await asyncio.gather(*(probe(server.urls[0], server.username, server.credential) for _, server in each))
    turns = [
        (server, found) for (_, server), found in zip(each, probes, strict=True) if server.urls[0].startswith("turn")
    ]
    relay = next((server for server, found in turns if found.works), None)
    return [
        *_configured(setting, provided),
        *(_server(entry, found) for (entry, _), found in zip(each, probes, strict=True)),
        *await _paths(servers, relay),
        *([] if relay else [_without_relay(bool(turns))]),
    ]


async def _provided(setting: Setting) -> list[tuple[ICE | None, list[IceServer]]]:
    """The servers, by the entry of the configuration that they come from; None stands for the default server."""
    if setting.config.ice is None:
        return [(None, await StaticICE().ice_servers())]
    provided: list[tuple[ICE | None, list[IceServer]]] = []
    async with httpx.AsyncClient() as client:
        for entry in setting.config.ice:
            servers = ice_servers(msgspec.structs.replace(setting.config, ice=(entry,)), client)
            assert servers is not None
            provided.append((entry, await servers.ice_servers()))
    return provided


def _configured(setting: Setting, provided: Sequence[tuple[ICE | None, list[IceServer]]]) -> list[Finding]:
    if setting.config.ice is None:
        said = "none configured: a public STUN server is used for browsers on other machines"
        return [Finding("servers", "ok", said)]
    if not provided:
        return [Finding("servers", "ok", "none, as configured")]
    empty = [type(entry).__name__ for entry, given in provided if not given]
    return [Finding("servers", "fail", f"{name} gave none", NOT_GIVEN) for name in empty]


def _server(entry: ICE | None, found: Probe) -> Finding:
    if found.works:
        return Finding(found.url, "ok", found.said)
    if found.refused:
        remedy = CREDENTIALS.get(type(entry), "correct the credentials of the provider")  # type: ignore[arg-type]
        return Finding(found.url, "fail", found.said, remedy)
    if entry is None:  # nobody asked for it, and browsers on this machine and in its network do without
        remedy = "calls from other networks need one that is reached: set `ice` in voiceflow.yaml"
        return Finding(found.url, "warn", found.said, remedy)
    return Finding(found.url, "warn" if found.said.startswith("not tested") else "fail", found.said, NO_ANSWER)


async def _paths(servers: Sequence[IceServer], relay: IceServer | None) -> list[Finding]:
    from .icepath import find

    attempts = [find(servers, relay_only=False)]
    if relay is not None:
        attempts.append(find([relay], relay_only=True))
    any_way, *relayed = await asyncio.gather(*attempts)
    return [
        _candidates(any_way),
        _connection("connection", any_way, "let UDP through on this machine: no two programs here reach each other"),
        *(_connection("relayed connection", path, NO_RELAY) for path in relayed),
    ]


def _candidates(path: Path) -> Finding:
    counted = Counter(candidate.partition(" ")[0] for candidate in path.candidates)
    kinds = ", ".join(f"{counted[kind]} {kind}" for kind in ("host", "srflx", "relay"))
    said = "\n".join([kinds, *(f"  {candidate}" for candidate in path.candidates)])
    if not path.candidates:
        return Finding("candidates", "fail", "none: this machine has no address", "connect it to a network")
    return Finding("candidates", "ok", said)


def _connection(name: str, path: Path, remedy: str) -> Finding:
    if path.pair is not None:
        return Finding(name, "ok", f"{path.pair}, data both ways after {path.seconds * 1000:.0f} ms")
    tried = [f"  {pair}" for pair in path.failing] or ["  there was no pair to try"]
    return Finding(name, "fail", "\n".join(["none: two peers on this machine found no way", *tried]), remedy)


def _without_relay(configured: bool) -> Finding:
    if configured:
        return Finding("relayed connection", "fail", "not tried: no TURN server can be used", "see above")
    remedy = "for browsers behind strict firewalls, set a TURN server under `ice` in voiceflow.yaml"
    return Finding("relayed connection", "ok", "not tried: no TURN server is configured", remedy)
