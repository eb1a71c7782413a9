"""`Call`: what the code of a pipeline may know about its call, and do in it: speak, listen, hang up, subscribe."""

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
from .session.asking import answered
from .session.events import Events, Observer
from .session.language import CallLanguage
from .session.log import CallLog, call_log
from .sounds.tones import tones
from .turns.latency import TurnLatency
from .turns.replies import Saying
from .words import Words

T = TypeVar("T")
Build: TypeAlias = Callable[["Call"], Element]
"""The type of a user's function `pipeline(call)`."""


class Call:
    """One call. Use it only in the event loop's thread: other threads return their results to code that awaits them.

    `did` is the called number, `caller_id` the caller's, in E.164, or a SIP address, an extension or a name; None where
    the carrier does not say. `route`, `user` and `metadata` are what the transport and its
    server know about both. `on_...` and `observe` subscribe a callback, before or during the call, and return a
    function that unsubscribes it; a callback that raises is logged, and the call goes on.
    """

    runner: ClassVar[Callable[[Call, Build], Coroutine[Any, Any, Ended]]]
    """The function that runs a call. The engine sets it when it is imported, as this module does not import it."""

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
        """Audio that the caller hears when a processor has failed. Speech synthesis sets it unless it is set."""
        self.hold: AudioRaw | None = None
        """Audio that the caller hears when the agent keeps them waiting. Speech synthesis sets it unless it is set."""
        self.control = control
        """Sends commands to the carrier. None where there are no credentials for that."""
        self.is_connected = True
        self.log: CallLog = call_log(self.id)
        self.events = Events(self.log)
        self.spoken = CallLanguage(self.route, self.log)
        self.session: Session | None = None
        """The engine's side of this call. None until `run` has linked the pipeline."""

    async def run(self, build: Build) -> Ended:
        """Run the call through `build(call)`, the pipeline, to its end.

        Raises `LinkError` or `TypeError` for a pipeline that does not fit together, `CallError` for one that
        does not open or whose models are not loaded in time, and what loading a model raises. A later failure is not
        raised: it is the `error` of the result.
        """
        return await type(self).runner(self, build)

    @property
    def elements(self) -> tuple[Element, ...]:
        """Every processor of the call, upstream before downstream, including the inserted conversions."""
        return self._running.elements

    @property
    def speaking(self) -> bool:
        """Whether the caller is hearing the agent now."""
        return self._playout.speaking

    @property
    def language(self) -> str:
        """The language of the call, a code such as `de`: the route's, else the one in which the caller was recognised,
        else that of the route's voice."""
        return self.spoken.code

    @property
    def words(self) -> Words:
        """Our sentences in the call's language, as the configuration and the route have them."""
        return self.spoken.words

    @property
    def play_end(self) -> float:
        """When all that was handed to the transport will have been heard, in seconds on the loop's clock."""
        return self._playout.ledger.play_end

    @property
    def busy(self) -> bool:
        """Whether the agent speaks, is about to, or anything is still being worked on."""
        return self._turns.busy

    @property
    def replying(self) -> bool:
        """Whether a reply has begun to be spoken and is not heard to its end. False while it has no words yet."""
        return self._turns.replying

    @property
    def interruptible(self) -> bool:
        """Whether the caller may interrupt: not while a reply that is not interruptible is being said, nor while they
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
        """Whether audio comes in real time, rather than when the pipeline is ready for it, as from a file."""
        return self._running.is_live

    @property
    def is_echo(self) -> bool:
        """Whether nothing in the pipeline speaks, so that the caller hears themselves."""
        return self._running.is_echo

    @property
    def error(self) -> CallError | None:
        """The failure that is ending the call, or has ended it. None if there is none."""
        return None if self.session is None else self.session.error

    # Saying

    async def say(self, text: str, *, interruptible: bool = True) -> float:
        """Say `text` and wait until it was heard or interrupted; returns the seconds that were heard.

        The text is a reply of its own, after the current one; said by code at work on a reply, it is a part of that
        reply. If not `interruptible`, `BargeIn` lets the caller hear it to its end. If `say` is cancelled before the
        text has begun, it is not said. Raises `CallError` if the pipeline has no speech synthesis.

        A task that was started by work on a reply belongs to that reply for good: once the reply is interrupted, its
        `say` says nothing and returns 0.0. Use `call.start` for work that outlives its reply.
        """
        await self._running.opened.wait()
        if not self.can_speak:
            raise CallError("call.say needs speech synthesis: put a TTS into the pipeline, or use call.play(wav)")

        async def put(saying: Saying) -> None:
            self._turns.speakers[0].add(saying, LLMText(text.strip() + "\n"))

        return await self._say(put, interruptible, "call.say")

    async def play(self, wav: str | os.PathLike[str] | AudioRaw, *, interruptible: bool = True) -> float:
        """Play a WAV file or a piece of audio; returns the seconds of it that were heard. A file is read while it is
        played. Raises `AudioCodecError` for a file that is missing or is no WAV file."""
        await self._running.opened.wait()
        return await self._say(lambda saying: self._running.play(wav, saying), interruptible, "call.play")

    async def send_digits(self, digits: str) -> float:
        """Send the tones of `digits` (0-9, *, #, A-D; w is a pause of 0.5 s) to the other end: by the carrier, or as
        audio where that would end the media stream. Returns the seconds of audio that were heard."""
        if self.control is None or self.control.digits_end_stream:
            return await self.play(tones(digits))
        await self.control.send_digits(digits)
        return 0.0

    def clear(self) -> None:
        """Drop everything the agent has not yet said. Work that calls this goes on, and may then say more."""
        self._running.clear()

    async def _say(self, put: Callable[[Saying], Awaitable[None]], interruptible: bool, what: str) -> float:
        """Give a reply, or a part of one, its place now, say what `put` adds to it, and wait until it was heard."""
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

    def disregard(self, judge: Callable[[Transcript], bool]) -> None:
        """Take final transcripts for which `judge(transcript)` is true for no turn: as they arrive before the speaker,
        they are dropped, and nobody who listens is told. What `judge` raises ends the call."""
        self._turns.disregarded.append(judge)

    async def ask(self, text: str, *, timeout: float | None = None) -> Transcript | None:
        """Say `text` and return the caller's answer, even if it comes before the text has ended. None if there is no
        answer within `timeout` seconds after the text, or the caller is gone. A caller who has begun to speak by then
        may finish (30 s at most); what they began to say before the question does not count. If the question is asked
        within a reply, as by a tool, the answer interrupts nothing and is not passed on as a turn of its own."""
        with self._turns.listener(asks=True) as listener:
            answer = listener.transcript(begun_after=self.elapsed)
            return await self._answer(answer, text, timeout, lambda: self._turns.caller_is_at_it)

    async def digits(self, count: int = 1, *, say: str | None = None, end: str = "#", timeout: float = 10.0) -> str:
        """Collect up to `count` keys; the key `end`, or `timeout` seconds without a key, ends the collection early.
        The text `say` is said first; keys that are pressed meanwhile count."""
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
        saying = None if text is None else self.say(text)
        return await answered(answer, saying, timeout, coming, self._playout.change)

    # Leaving

    async def hangup(self, *, force: bool = False) -> bool:
        """Hang up once everything said has been heard. An interruption before that cancels it, unless `force`. In an
        echo, and by `force`, audio that keeps coming delays it by a second at most after what was queued; without
        `force`, a reply that goes on is heard to its end.

        Returns whether the call was ended. Called by work on a reply, it returns True at once, and the call ends
        after that reply; called by work that was interrupted, it does nothing.
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
        """Hand the caller over to the number `to`, once what was said so far has been heard. False if the caller was
        gone by then. Raises `CallError` without the carrier's credentials, and where the route's `transfer_to` does
        not allow it."""
        if self.control is None:
            raise CallError(
                f"this {self.transport} call cannot be transferred to {to}: that takes a phone call, and the "
                f"carrier's credentials in the configuration; to try it, `voiceflow call --via-webhook`"
            )
        await self._turns.said(self.limits.drain)
        return self.is_connected and await self.control.transfer(to)

    def start(self, work: Callable[[], Awaitable[None]], name: str, *, leads: bool = False) -> None:
        """Run `work()` beside the pipeline, from when the call has opened until it ends. An exception in it ends the
        call, as if a processor called `name` had raised it. It belongs to no reply: an interruption does not touch it.
        If it `leads` the conversation, it is the agent's turn whenever `work` does not wait for the caller, and the
        caller hears a hold line when that takes long."""
        self._running.start(work, name, leads=leads)

    # Watching

    def on_heard(self, callback: Callable[[Frame], object]) -> Callable[[], None]:
        """Call `callback(frame)` for what the caller says and does, as it arrives before the speaker: `Transcript`,
        `DTMF`, `SpeechStarted`, `SpeechStopped`, and finally `End`."""
        return self.events.heard.add(callback)

    def on_language(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """Call `callback(code)` when the caller is recognised in another language than the call had."""
        return self.spoken.changed.add(callback)

    def on_reply(self, callback: Callable[[Reply], object]) -> Callable[[], None]:
        """Call `callback(reply)` for each reply as it takes its place in the conversation, before its first word."""
        return self.events.replied.add(callback)

    def on_played(self, callback: Callable[[AudioRaw, float], object]) -> Callable[[], None]:
        """Call `callback(audio, at)` for each piece of the agent's audio that is handed to the transport, in the
        sink's format; `at` is when the caller begins to hear it, in seconds on the loop's clock."""
        return self.events.played.add(callback)

    def on_turn(self, callback: Callable[[TurnLatency], object]) -> Callable[[], None]:
        """Call `callback(latency)` for each of the caller's turns, when the agent's answer begins to be heard."""
        return self.events.turned.add(callback)

    def observe(self, callback: Observer) -> Callable[[], None]:
        """Call `callback(upstream, downstream, frame)` for each frame at each processor boundary, fused or not.
        Costs nothing while there are no observers."""
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
    """Return 0.0 after a pause: code that speaks in a loop after the call must still let other tasks run."""
    await asyncio.sleep(0.01)
    return 0.0
