"""`voiceflow run --tunnel`: the tunnel whose address is the server's public one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import msgspec

from voiceflow.config.precedence import Settled
from voiceflow.logs import get_logger
from voiceflow.server.launch import Options
from voiceflow.server.listening import reachable
from voiceflow.tunnel.named import FILE, find_named
from voiceflow.tunnel.opening import opened

from .addresses import has_turn, public_lines

log = get_logger("voiceflow.tunnel")


@contextmanager
def tunnelled(options: Options, settled: Settled, port: int, secret: str) -> Iterator[tuple[Options, Settled]]:
    """The options and settings of a server at `port` with the address of a tunnel, which is open while the context
    lasts: one that `.tunnel-config` names, beside the pipeline or in the working folder, or else a quick one. Raises
    `ConfigError` or `TunnelError`."""
    named = find_named((Path(options.target).parent, Path()), log.warning)
    what = f"the tunnel {named.tunnel} ({named.file})" if named else f"a quick tunnel (there is no {FILE})"
    click.echo(f"opening {what} by cloudflared ...", err=True)
    if settled.config.public_ws_url:
        log.info("the tunnel's address is used in place of the configured one, %s", settled.config.public_ws_url)

    def say(address: str) -> None:
        lines = [
            "the tunnel has a new address: set the carriers' webhooks anew",
            *public_lines(address, f"/?key={secret}"),
        ]
        with suppress(OSError):  # nobody reads what is printed any more
            click.echo("\n".join(lines), err=True)

    with opened(f"http://{reachable(settled.config.server_host, port)}", named, say) as address:
        config = msgspec.structs.replace(settled.config, public_ws_url=address)
        overrides = options.overrides | {"ws_url": address}
        yield msgspec.structs.replace(options, overrides=overrides), settled._replace(config=config)


def tunnel_lines(settled: Settled) -> list[str]:
    """What to know of a tunnel, as lines that are printed."""
    if has_turn(settled.config):
        return []
    return [
        "browsers         a tunnel carries HTTP alone, and their media is UDP: from another network they need a TURN "
        "server (ice in the configuration)"
    ]
