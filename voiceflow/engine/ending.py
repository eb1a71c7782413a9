"""How a call ends: the caller leaves, we hang up, or something fails. Each phase has a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from voiceflow.call import Call
from voiceflow.call_limits import Ended
from voiceflow.errors import UNWINDING, ProcessorError
from voiceflow.frameflow.epoch import Epoch
from voiceflow.frames import End
from voiceflow.playout.playout import LINGER, Playout
from voiceflow.processors.codec import convert
from voiceflow.transport import Sink
from voiceflow.turns.turn_taking import TurnTaking

from .graph import Graph
from .tasks import Tasks


class Ending:
    """Ends one call. `over` holds how it ended, once everything under way has finished or was given up."""

    def __init__(
        self,
        call: Call,
        sink: Sink,
        tasks: Tasks,
        epoch: Epoch,
        graph: Graph,
        turns: TurnTaking,
        playout: Playout,
        clear: Callable[[], None],
    ) -> None:
        self.over: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._call = call
        self._sink = sink
        self._tasks = tasks
        self._epoch = epoch
        self._graph = graph
        self._turns = turns
        self._playout = playout
        self._clear = clear
        self._reason: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._disconnecting: asyncio.Task[None] | None = None

    def caller_left(self, reason: str, *, opened: bool) -> None:
        """Drop the agent's speech, as nobody is left to hear it. If the processors have `opened`, they still finish
        their work on what the caller said."""
        if self._reason is not None:
            return
        self._call.is_connected = False
        if not opened:
            self._reason = reason
            self.finish(Ended(f"{reason}, before the call had opened"))
            return
        self._turns.mute()
        self._clear()
        for worker in self._graph.workers:
            worker.silence()
        self._drain(reason)

    async def hang_up(self, reason: str, *, force: bool = False) -> bool:
        """End the call once everything said has been heard. False if an interruption revoked that."""
        epoch, heard = self._epoch.number, True
        if force:
            self._turns.mute()
        try:
            async with asyncio.timeout(self._longest_rest(force)):
                await self._playout.rest(self._call.limits.drain)
        except TimeoutError:
            heard = False
        if not force and self._epoch.number != epoch:
            return False
        if not heard:
            self._clear()
        self.end(reason)
        return True

    def _longest_rest(self, force: bool) -> float | None:
        """How long a hang-up may wait for what has been said so far. None: for as long as it takes, which is for ever
        where the caller's own audio comes back to them."""
        echo = self._playout.queue.carries_caller
        if not (force or echo):
            return None
        under_way = self._graph.synthesising and not echo
        return self._playout.left + max(LINGER, self._call.limits.drain if under_way else 0.0)

    def end(self, reason: str) -> None:
        """End the call from our side: what was said is still heard, nothing more is said."""
        if self._reason is None:
            self._turns.mute()
            self._graph.source_reader.stop()
            self._drain(reason)
            self._tasks.start(self._disconnect_after_speech(), "hang up")

    def drained(self) -> None:
        """Finish the call: `End` has come to the sink."""
        self.finish(Ended(self._reason or "the stream ended"))

    async def apologise(self, error: ProcessorError) -> None:
        """Play the apology straight to the sink, as the pipeline cannot be trusted any more, and finish the call."""
        try:
            apology = self._call.apology
            if apology is not None and self._call.is_connected:
                if self._playout.queue.carries_caller:
                    self._graph.source_reader.stop()
                self._clear()
                self._turns.mute()
                self._playout.put(convert(apology, self._sink.accepts))
                await self._playout.rest(self._call.limits.drain)
        finally:
            self.finish(Ended(str(error), error))

    def finish(self, ended: Ended) -> None:
        if not self.over.done():
            self.over.set_result(ended)

    async def close(self) -> None:
        """Say nothing more, and disconnect."""
        if self._timer is not None:
            self._timer.cancel()
        self._turns.mute()
        await self._disconnect()

    async def logged(self, work: Awaitable[None], name: str) -> None:
        """Await `work`; what goes wrong at the end of a call is only logged."""
        try:
            await work
        except UNWINDING:
            raise
        except BaseException as error:
            self._call.log.error("%s failed: %s", name, error, exc_info=error)

    async def _disconnect_after_speech(self) -> None:
        """Disconnect once all speech was heard: the caller need not wait until the listening side is drained, too."""
        await self._playout.rest(self._call.limits.drain)
        await self._disconnect()

    async def _disconnect(self) -> None:
        """Disconnect the peer, once, and unless it has left by itself."""
        if self._call.is_connected and self._disconnecting is None:
            hangup = self.logged(self._sink.hangup(), f"{self._sink.name}.hangup")
            self._disconnecting = self._tasks.start(hangup, "disconnecting the peer")
        if self._disconnecting is not None:
            await asyncio.wait({self._disconnecting}, timeout=self._call.limits.drain)
        self._call.is_connected = False

    def _drain(self, reason: str) -> None:
        """Send `End` after everything that is under way, and wait for it at the sink."""
        self._reason = reason
        self._timer = asyncio.get_running_loop().call_later(self._call.limits.drain, self._give_up)
        self._graph.source_reader.deliver(End(reason))

    def _give_up(self) -> None:
        hung = tuple(self._graph.at_work)
        what = " and ".join(hung) or "what was under way"
        late = f"{self._reason}; {what} did not finish within {self._call.limits.drain:g} s"
        self.finish(Ended(late, hung=hung))
