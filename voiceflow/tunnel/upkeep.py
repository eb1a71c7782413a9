"""Keeping a tunnel open: cloudflared is started, its address found, and it is started again when it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol

from voiceflow.config.address import MEDIA
from voiceflow.errors import TunnelError
from voiceflow.logs import get_logger

from .named import Named, missing_files
from .output import Output

log = get_logger("voiceflow.tunnel")

PATIENCE: Final = 30.0
"""Seconds within which cloudflared must have printed the address of a quick tunnel."""
CONNECTING: Final = 10.0
"""Seconds that a tunnel whose address is known is given to connect: a named one before the server begins to serve, a
quick one before its address is asked, since name servers remember a name as unknown that is asked for too early."""
SHORTEST: Final = 1.0
LONGEST: Final = 60.0
"""Seconds before cloudflared is started again: each time twice as long, up to this."""
STEADY: Final = 60.0
"""Seconds after which a tunnel counts as steady: when it ends, the pause is the shortest again."""


class Run(Protocol):
    """One run of cloudflared, see `process.Cloudflared`."""

    output: Output

    @property
    def said(self) -> str: ...
    async def until(self, ready: Callable[[Output], bool], seconds: float) -> bool: ...
    async def ended(self) -> str: ...
    async def stop(self) -> None: ...


class Tunnel:
    """A tunnel that is kept open. `address` is its public one, of media streams."""

    def __init__(self, start: Callable[[], Awaitable[Run]], named: Named | None) -> None:
        self.address = ""
        self._start = start
        self._named = named
        self._run: Run | None = None

    async def open(self) -> None:
        """Start cloudflared. Returns once the tunnel has an address. Raises `TunnelError`."""
        self._run = await self._start()
        try:
            self.address = await self._found(self._run)
        except BaseException:
            await self.close()
            raise

    async def keep(self, opened: Callable[[], None]) -> None:
        """Start cloudflared again whenever it ends. `opened` is told each time, when `address` is the new one."""
        loop = asyncio.get_running_loop()
        pause, since = SHORTEST, loop.time()
        while True:
            try:
                if self._run is None:
                    await self.open()
                    since = loop.time()
                    opened()
                assert self._run is not None
                how = await self._run.ended()
                await self.close()
                pause = SHORTEST if loop.time() - since >= STEADY else pause
                log.warning("cloudflared ended, %s. Nobody can call until it is started again, in %g s", how, pause)
            except TunnelError as error:
                log.warning("the tunnel is closed: %s. The next try is in %g s", error, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    async def connected(self) -> None:
        """Wait until cloudflared has connected the tunnel, or has not said so for a while."""
        if self._run is not None:
            with suppress(TunnelError):
                await self._run.until(lambda output: output.is_registered, CONNECTING)

    async def close(self) -> None:
        """End cloudflared, if it runs."""
        run, self._run = self._run, None
        if run is not None:
            await run.stop()

    async def _found(self, run: Run) -> str:
        """The address of the tunnel, once it has one."""
        if self._named is None:
            try:
                there = await run.until(lambda output: output.address is not None, PATIENCE)
            except TunnelError as error:
                raise TunnelError(f"{error}{_advice(run.output)}") from error
            if not there:
                raise TunnelError(
                    f"cloudflared has printed no address of a quick tunnel within {PATIENCE:g} s, "
                    f"{run.said}{_advice(run.output)}"
                )
            return f"wss://{(run.output.address or '').removeprefix('https://')}{MEDIA}"
        try:
            if not await run.until(lambda output: output.is_registered, CONNECTING):
                log.warning("cloudflared has not connected within %g s, and goes on trying, %s", CONNECTING, run.said)
        except TunnelError as error:
            missing = missing_files(self._named)
            hint = f". There is no {missing}: cloudflared tunnel login, or copy it here" if missing else ""
            raise TunnelError(f"{error} (the tunnel {self._named.tunnel} of {self._named.file}){hint}") from error
        return self._named.address


def _advice(output: Output) -> str:
    if not output.is_refused:
        return ""
    return (
        ". Cloudflare has refused it because there were too many (429): wait some minutes, or use a named tunnel, by "
        ".tunnel-config"
    )
