"""What goes on in a call right now: who speaks, who works, what is still to be heard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voiceflow.engine.runtime import Runtime

LOOK = 0.05
"""How often it is looked whether what was said has been heard, in seconds."""


class Activity:
    """Read off the parts that are running; it keeps nothing of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def busy(self) -> bool:
        """Whether agent speech is generated, queued or played, or anything is still being worked on."""
        runtime = self._runtime
        return not runtime.playout.at_rest or any(worker.working or worker.inbox.frames for worker in runtime.workers)

    @property
    def replying(self) -> bool:
        """Whether anything of a reply has been said and was not heard to its end."""
        return self._runtime.voice.begun or self._audible

    @property
    def listening(self) -> bool:
        """Whether the caller speaks, or what was said is still being recognised."""
        runtime = self._runtime
        return runtime.floor.taken or any(worker.working for worker in runtime.workers if not worker.step.speech)

    async def said(self) -> None:
        """Wait until what was said so far has been heard, be it only the beginning of a reply."""
        runtime = self._runtime
        patience = runtime.limits.drain
        while patience > 0 and self._audible:
            wait = max(LOOK, runtime.playout.ledger.play_end - runtime.loop.time())
            await asyncio.sleep(wait)
            patience = runtime.limits.drain if runtime.playout.speaking else patience - wait

    @property
    def _audible(self) -> bool:
        """Whether anything is heard, about to be, or being synthesised."""
        runtime = self._runtime
        synthesised = any(
            worker.speaking for worker in runtime.workers if worker.step.speech and not worker.step.speaker
        )
        return bool(runtime.playout.frames) or runtime.playout.speaking or synthesised
