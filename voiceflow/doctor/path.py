"""Checks of the path behind a public address: whether it leads to this server, and whether WebSockets come through."""

from __future__ import annotations

import msgspec

from voiceflow.config.address import MEDIA
from voiceflow.server.listening import reachable
from voiceflow.server.prefix import prefix_of

from .finding import Finding, Setting
from .outside import Answer, Outside, UnreachedError


class Health(msgspec.Struct):
    """What a server says at /health."""

    active_calls: int
    run: str


async def server(outside: Outside, setting: Setting) -> Finding:
    """Whether the server that answers publicly is the one that runs here."""
    name = "server"
    here = reachable(setting.config.server_host, setting.config.server_port)
    ours = await _running(outside, here)
    start = f"voiceflow run FILE --ws-url {outside.media}"
    pass_on = f"have the proxy pass on {outside.http}/ to http://{here}, as docs/proxies.md shows"
    missing = f", and no server runs at {here}" if ours is None else ""
    try:
        answer = await outside.ask("GET", "/health")
    except UnreachedError as error:
        return Finding(name, "fail", f"{outside.http}/health: {error}{missing}", pass_on if ours else start)
    theirs = _health(answer)
    if theirs is None:
        said = f"{outside.http}/health is answered with {answer.said}, and not by voiceflow{missing}"
        prefix = prefix_of(outside.media)
        hint = f". Is {prefix or 'a prefix'} {'in' if prefix else 'missing from'} public_ws_url as the proxy has it?"
        return Finding(name, "fail", said, start if ours is None else pass_on + hint)
    if ours is None:
        said = f"a voiceflow server answers at {outside.http}, but none runs here at {here}"
        return Finding(name, "warn", said, "run this on the server's machine, with its configuration (SIP_SERVER_PORT)")
    if ours.run != theirs.run:
        said = f"another voiceflow server than the one at {here} answers at {outside.http}"
        return Finding(name, "fail", said, pass_on)
    return Finding(name, "ok", f"{outside.http} leads to the server at {here}")


async def media_stream(outside: Outside, setting: Setting) -> Finding:
    """Whether a WebSocket comes through to the media path."""
    name = "media stream"
    try:
        async with outside.dialled():
            return Finding(name, "ok", f"a WebSocket to {outside.media} opens")
    except UnreachedError as error:
        said = f"no WebSocket opens at {outside.media}: {error}"
        remedy = (
            f"have the proxy pass on upgrades at {MEDIA}, in HTTP/1.1 with the headers Upgrade and Connection: "
            "docs/proxies.md shows how"
        )
        return Finding(name, "fail", said, remedy)


async def _running(outside: Outside, here: str) -> Health | None:
    """The server on this machine, if it runs."""
    try:
        return _health(await outside.ask("GET", "/health", base=f"http://{here}"))
    except UnreachedError:
        return None


def _health(answer: Answer) -> Health | None:
    try:
        return msgspec.json.decode(answer.body, type=Health) if answer.status == 200 else None
    except msgspec.MsgspecError:
        return None
