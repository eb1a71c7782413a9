"""A call: what a pipeline, and whatever converses in it, may know and do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, ClassVar, TypeAlias, TypeVar

from voiceflow.frameflow.epoch import current_reply
from voiceflow.session.session import Session
from voiceflow.turns.turn_taking import TurnTaking

from .call_control import CallControl
from .call_limits import Ended, Limits
from .errors import CallError
from .frames import AudioRaw, Frame, LLMText, Transcript
from .pipeline import Element
from .playout.playout import Playout
from .reply import Reply
from .route import Route
from .session.events import Events, Observer
from .session.log import CallLog, call_log
from .sounds.tones import tones
from .turns.latency import TurnLatency
from .turns.replies import Saying

T = TypeVar("T")
Build: TypeAlias = Callable[["Call"], Element]
"""A user's `pipeline(call)`."""

LONGEST_ANSWER = 30.0
"""Seconds that a caller who has begun to answer in time may go on."""
SETTLING = 0.25
"""Seconds that what was recognised last may take to arrive."""


class Call:
    """One call. Its methods are for the event loop's thread; threads answer through the work that awaits them.

    `did` is the number that was called, `caller_id` who called; `route`, `user` and `metadata` are what the
    transport and its server know of them. `on_...` and `observe` subscribe a callback, before the call or at any time
    of it, and return what undoes that; a callback that raises is logged, and the call goes on.
    """

    runner: ClassVar[Callable[[Call, Build], Coroutine[Any, Any, Ended]]]
    """What runs a call. The engine puts itself here when it is imported: it knows calls, and calls do not know it."""

    def __init__(
        self,
        source: Element,
        sink: Element,
        *,
        transport: str,
        provider: str | None = None,
        caller_id: str | None = None,
        did: str | None = None,
        route: Route | None = None,
        user: Any = None,
        metadata: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        apology: AudioRaw | None = None,
        control: CallControl | None = None,
    ) -> None:
        self.id = os.urandom(6).hex()
        self.source, self.sink = source, sink
        self.transport, self.provider = transport, provider
        self.caller_id, self.did = caller_id, did
        self.route = route or Route()
        self.user = user
        self.metadata: dict[str, Any] = {"transport": transport, **(metadata or {})}
        self.limits = limits or Limits()
        self.apology = apology
        """What the caller hears when a processor has failed. Speech synthesis sets it, if nobody has."""
        self.hold: AudioRaw | None = None
        """What the caller hears when the agent keeps them waiting. Speech synthesis sets it, if nobody has."""
        self.control = control
        """Commands to the carrier, where there are credentials for them."""
        self.is_connected = True
        self.log: CallLog = call_log(self.id)
        self.events = Events(self.log)
        self.session: Session | None = None
        """The running call: the engine's side of this object."""

    async def run(self, build: Build) -> Ended:
        """Run the call through `build(call)`, the pipeline, to its end.

        Raises `LinkError` or `TypeError` for a pipeline that does not fit together, `CallError` for one that
        does not open or whose models are not loaded in time, and what loading a model raises. A call that fails later
        returns how.
        """
        return await type(self).runner(self, build)

    @property
    def elements(self) -> tuple[Element, ...]:
        """Every processor of the call, upstream before downstream, the inserted conversions among them."""
        return self._running.elements

    @property
    def speaking(self) -> bool:
        """Whether the caller is hearing the agent now."""
        return self._playout.speaking

    @property
    def play_end(self) -> float:
        """When all that was handed to the transport will have been heard, on the loop's clock."""
        return self._playout.ledger.play_end

    @property
    def busy(self) -> bool:
        """Whether the agent speaks, is about to, or anything is still being worked on."""
        return self._turns.busy

    @property
    def replying(self) -> bool:
        """Whether anything of a reply has been said, or is on its way to the caller: more than a thought."""
        return self._turns.replying

    @property
    def interruptible(self) -> bool:
        """Whether the caller may interrupt: not while something is being said that they must hear, nor while they
        answer a question that was asked within a reply."""
        replies = self._playout.ledger.replies
        return not self._turns.questioning and all(r.interruptible or r.start is None for r in replies)

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self._running.elapsed

    @property
    def awaiting_caller(self) -> bool:
        """Whether `listen`, `ask` or `digits` waits for the caller."""
        return self._turns.awaiting_caller

    @property
    def can_speak(self) -> bool:
        """Whether the pipeline has speech synthesis, so that `say` works."""
        return self._running.can_speak

    @property
    def is_live(self) -> bool:
        """Whether the caller speaks in real time, rather than when the pipeline is ready for it, as a file does."""
        return self._running.is_live

    @property
    def is_echo(self) -> bool:
        """Whether nothing in the pipeline speaks, so that the caller hears themselves."""
        return self._running.is_echo

    @property
    def error(self) -> CallError | None:
        """What is ending the call, or has ended it, if it failed."""
        return None if self.session is None else self.session.error

    # Saying

    async def say(self, text: str, *, interruptible: bool = True) -> float:
        """Say `text` and wait until it was heard or interrupted; returns the seconds that were heard.

        It is a reply of its own, after the one that is running. Inside the work on a reply it becomes a part
        of that reply. If not `interruptible`, `BargeIn` lets the caller hear it to its end. Cancelled
        before it has begun, it is not said.

        A task that was started inside the work on a reply belongs to that reply for good: when the reply is
        interrupted it says nothing more, and returns 0.0. Use `call.start` for work that outlives its reply.
        """
        await self._running.opened.wait()
        if not self.can_speak:
            raise CallError("call.say needs speech synthesis: put a TTS into the pipeline, or use call.play(wav)")

        async def put(saying: Saying) -> None:
            self._turns.speakers[0].add(saying, LLMText(text.strip() + "\n"))

        return await self._say(put, interruptible, f"call.say({text!r})")

    async def play(self, wav: str | os.PathLike[str] | AudioRaw, *, interruptible: bool = True) -> float:
        """Play a WAV file or a piece of audio; returns the seconds of it that were heard. A file is read while it is
        played. Raises `AudioCodecError` for a file that is missing or is no WAV file."""
        await self._running.opened.wait()
        return await self._say(lambda saying: self._running.play(wav, saying), interruptible, "call.play")

    async def send_digits(self, digits: str) -> float:
        """Send the tones of `digits` (0-9, *, #, A-D; w is a pause of 0.5 s) to the other end: by the carrier
        where that leaves the stream alone, else in the audio. Returns the seconds of audio that were heard."""
        if self.control is None or self.control.digits_end_stream:
            return await self.play(tones(digits))
        await self.control.send_digits(digits)
        return 0.0

    def clear(self) -> None:
        """Drop everything the agent has not yet said. The work that calls it goes on, and what it says then is new."""
        self._running.clear()

    async def _say(self, put: Callable[[Saying], Awaitable[None]], interruptible: bool, what: str) -> float:
        """Say what `put` adds to a reply or a part of one, which has its place from here on."""
        session, work = self._running, current_reply.get()
        if session.over:
            return await _too_late()
        if work is not None and work.void:
            self.log.warning("%s says nothing: the reply in which this work was begun has been interrupted", what)
            return 0.0
        replies = session.turns.speakers[0]
        joins = work is not None and work.running and work.port.epoch is session.epoch
        saying = (replies.open_part if joins else replies.open)(interruptible=interruptible)
        done = saying.reply.done
        if done.done():
            return await _too_late()
        try:
            await put(saying)
            replies.close(saying)
            return await asyncio.shield(done)
        except BaseException:
            replies.unsay(saying)
            raise

    # Listening

    async def listen(self) -> AsyncIterator[Transcript]:
        """Yield what the caller says, utterance by utterance, until the caller is gone."""
        with self._turns.listener() as listener:
            while transcript := await listener.transcript():
                yield transcript

    async def ask(self, text: str, *, timeout: float | None = None) -> Transcript | None:
        """Say `text` and return what the caller answers, which may be before it was said to its end. None if
        there is no answer within `timeout` seconds after that, or the caller is gone. A caller who has begun to speak
        by then may finish (30 s at most); what they began before the question is no answer to it. Asked within a reply,
        as by a tool, the answer interrupts nothing and is nobody else's turn."""
        with self._turns.listener(asks=True) as listener:
            answer = listener.transcript(begun_after=self.elapsed)
            return await self._answer(answer, text, timeout, lambda: self._turns.caller_is_at_it)

    async def digits(self, count: int = 1, *, say: str | None = None, end: str = "#", timeout: float = 10.0) -> str:
        """Collect up to `count` keys; `end`, or `timeout` seconds without a key, end the collection early. With
        `say`, that is said first; keys count already meanwhile."""
        pressed = ""
        with self._turns.listener() as listener:
            while len(pressed) < count:
                key = await self._answer(listener.key(), None if pressed else say, timeout, lambda: False)
                if key is None or key == end:
                    break
                pressed += key
        return pressed

    async def _answer(
        self, answer: Coroutine[Any, Any, T], text: str | None, timeout: float | None, coming: Callable[[], bool]
    ) -> T | None:
        """What comes of `answer` while `text` is said, or within `timeout` seconds after that, or as long as it is
        `coming`."""
        change, loop = self._playout.change, asyncio.get_running_loop()
        answering = asyncio.ensure_future(answer)
        answering.add_done_callback(lambda _: change.tell())
        saying = asyncio.ensure_future(self.say(text)) if text is not None else None
        try:
            if saying is not None:
                await asyncio.wait({saying, answering}, return_when=asyncio.FIRST_COMPLETED)
                if saying.done():
                    saying.result()
            await asyncio.wait({answering}, timeout=timeout)
            latest = loop.time() + LONGEST_ANSWER
            while not answering.done() and coming() and loop.time() < latest:
                await change.until(lambda: answering.done() or not coming(), latest - loop.time())
                await asyncio.wait({answering}, timeout=SETTLING)
            return answering.result() if answering.done() else None
        finally:
            answering.cancel()
            if saying is not None:
                saying.cancel()

    # Leaving

    async def hangup(self, *, force: bool = False) -> bool:
        """Hang up once everything said has been heard. An interruption revokes that, unless `force`.

        Returns whether the call was ended. Inside the work on a reply it returns at once, and the call ends
        after that reply; in work that was interrupted it does nothing.
        """
        session, work = self._running, current_reply.get()
        if session.over or (work is not None and work.void):
            return False
        leaving = session.hang_up("hung up", force=force)
        if work is not None and work.running:
            return True
        await asyncio.wait({leaving})
        return not leaving.cancelled() and leaving.result()

    async def transfer(self, to: str) -> bool:
        """Hand the caller over to another number, once what was said so far has been heard. False if the caller was
        gone by then."""
        if self.control is None:
            raise CallError(
                f"this {self.transport} call cannot be transferred to {to}: that takes a phone call, and the "
                f"carrier's credentials in the configuration"
            )
        await self._turns.said(self.limits.drain)
        return self.is_connected and await self.control.transfer(to)

    def start(self, work: Callable[[], Awaitable[None]], name: str, *, leads: bool = False) -> None:
        """Run `work()` beside the pipeline, from when the call has opened until it ends. What it raises fails the
        call, as if the processor `name` had raised it. It belongs to no reply: an interruption does not touch it. If it
        `leads` the conversation, it is the agent's turn whenever it does not wait for the caller, and a hold line
        is heard when that takes long."""
        self._running.start(work, name, leads=leads)

    # Watching

    def on_heard(self, callback: Callable[[Frame], object]) -> Callable[[], None]:
        """Call `callback(frame)` for what the caller says and does, as it arrives before the speaker: `Transcript`,
        `DTMF`, `SpeechStarted`, `SpeechStopped`, and at last `End`."""
        return self.events.heard.add(callback)

    def on_reply(self, callback: Callable[[Reply], object]) -> Callable[[], None]:
        """Call `callback(reply)` for each reply as it takes its place in the conversation, before its first word."""
        return self.events.replied.add(callback)

    def on_played(self, callback: Callable[[AudioRaw, float], object]) -> Callable[[], None]:
        """Call `callback(audio, at)` for each piece of the agent's audio that is handed to the transport, in the
        sink's format; the caller begins to hear it `at` this time of the loop's clock."""
        return self.events.played.add(callback)

    def on_turn(self, callback: Callable[[TurnLatency], object]) -> Callable[[], None]:
        """Call `callback(latency)` for each of the caller's turns, when the agent's answer begins to be heard."""
        return self.events.turned.add(callback)

    def observe(self, callback: Observer) -> Callable[[], None]:
        """Call `callback(upstream, downstream, frame)` for each frame at each processor boundary, fused or not.
        Without observers, observing costs nothing."""
        return self.events.passed.add(callback)

    @property
    def _running(self) -> Session:
        if self.session is None:
            raise CallError(
                "this call is not running yet: pipeline(call) only builds the pipeline. Speak from a processor, "
                "or after `call.run`"
            )
        return self.session

    @property
    def _turns(self) -> TurnTaking:
        return self._running.turns

    @property
    def _playout(self) -> Playout:
        return self._running.playout


async def _too_late() -> float:
    """The caller is gone. Code that speaks again and again in a loop must still let the rest of the program run."""
    await asyncio.sleep(0.01)
    return 0.0
