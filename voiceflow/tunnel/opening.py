"""The tunnel of a server that this process starts, in a thread with an event loop of its own: the server may run in
this process or in others, and be started anew, and the tunnel stays."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from voiceflow.config.current_address import kept_in
from voiceflow.errors import TunnelError
from voiceflow.logs import get_logger
from voiceflow.security.private_file import replace_private
from voiceflow.server.prefix import public_http

from .binary import find, install_command, is_too_old, version
from .named import Named
from .process import Cloudflared
from .reachable import ask, until_reachable
from .upkeep import Tunnel

log = get_logger("voiceflow.tunnel")

SETTINGS: Final = "no-autoupdate: true\n"
"""A configuration for cloudflared in place of its user's, whose rules may lead elsewhere than to this server."""


@contextmanager
def opened(origin: str, named: Named | None, changed: Callable[[str], None]) -> Iterator[str]:
    """A tunnel to the server at `origin`, http://HOST:PORT, while the context lasts. It gives the public address of
    media streams. `changed` is told of a new one, in another thread.

    `named` is the tunnel that is run; None: a quick one. Raises `TunnelError`.
    """
    program = find()
    with tempfile.TemporaryDirectory(prefix="voiceflow-tunnel-", ignore_cleanup_errors=True) as folder:
        settings, file = Path(folder, "config.yml"), Path(folder, "address")

        async def start() -> Cloudflared:
            try:
                replace_private(settings, SETTINGS)
            except OSError as error:
                raise TunnelError(f"cannot write {settings}: {error.strerror}") from error
            return await Cloudflared.start([program, *arguments(origin, settings, named)])

        def written(address: str) -> None:
            try:
                replace_private(file, address)
            except OSError as error:
                log.error("cannot write %s, webhooks at the new address are refused: %s", file, error.strerror)
            changed(address)

        with _running(program, Tunnel(start, named), written) as address:
            replace_private(file, address)
            with kept_in(file):
                yield address


def arguments(origin: str, settings: Path, named: Named | None) -> list[str]:
    """The arguments by which cloudflared runs a tunnel to `origin`."""
    common = ["tunnel", "--no-autoupdate", "--config", str(settings)]
    return [*common, "--url", origin] if named is None else [*common, "run", "--url", origin, named.tunnel]


async def _refuse_old(program: str) -> None:
    """Raise `TunnelError` if `program` is too old. One that does not tell its version is used: running it will say what
    is wrong."""
    said, worked = await version(program)
    if worked and is_too_old(said):
        raise TunnelError(f"{program} is too old: {said}. Install a new one: {install_command()}")


@contextmanager
def _running(program: str, tunnel: Tunnel, changed: Callable[[str], None]) -> Iterator[str]:
    """Keep `tunnel` open in a thread while the context lasts. It gives its first address."""
    stop: Future[Callable[[], object]] = Future()
    first: Future[str] = Future()
    thread = threading.Thread(
        target=asyncio.run, args=(_kept(program, tunnel, stop, first, changed),), name="tunnel", daemon=True
    )
    thread.start()
    try:
        yield first.result()
    finally:
        with suppress(RuntimeError):  # the loop is closed: it had failed
            stop.result()()
        thread.join()


async def _kept(
    program: str, tunnel: Tunnel, stop: Future[Callable[[], object]], first: Future[str], changed: Callable[[str], None]
) -> None:
    """Keep `tunnel` open until `stop` is called. `first` gets its first address, or what opening it raised."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    stop.set_result(lambda: loop.call_soon_threadsafe(task.cancel))
    checking = set[asyncio.Task[None]]()
    address = ""

    def opened() -> None:
        nonlocal address
        if tunnel.address != address:
            address = tunnel.address
            changed(address)
            for each in checking:
                each.cancel()
            checking.add(loop.create_task(_check(tunnel)))
        else:
            log.info("the tunnel is open again")

    try:
        await _refuse_old(program)
        await tunnel.open()
        address = tunnel.address
        first.set_result(address)
        checking.add(loop.create_task(_check(tunnel)))
        await tunnel.keep(opened)
    except asyncio.CancelledError:
        first.cancel()
    except Exception as error:
        if first.done():
            log.exception("the tunnel is not kept open any longer")
        else:
            first.set_exception(error)
    finally:
        await tunnel.close()


async def _check(tunnel: Tunnel) -> None:
    await tunnel.connected()
    await until_reachable(f"{public_http(tunnel.address)}/health", ask)
