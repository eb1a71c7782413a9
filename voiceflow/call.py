"""A call: what a pipeline, and whoever converses in it, may know and do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, MutableMapping
from typing import Any, TypeVar

from voiceflow.inference.pools import waiting_pool
from voiceflow.linking.linker import link
from voiceflow.linking.plan import Plan
from voiceflow.playout.ledger import Reply
from voiceflow.processors.codec import convert
from voiceflow.sounds.tones import tones
from voiceflow.sounds.wavfile import read_wav
from voiceflow.turns.latency import TurnClock, TurnLatency
from voiceflow.turns.listener import Hearing, Listener

from .audio import ANY, AudioFormat
from .engine.runtime import Ended, Limits, Observer, Runtime
from .engine.worker import replying
from .errors import CallError
from .frames import AudioRaw, Frame, LLMText, Transcript
from .inference import modelcache as models
from .processor import Processor
from .transport import CallControl, Sink, Source

T = TypeVar("T")

ANSWERING = 0.25
"""How often it is looked, in seconds, whether a caller who speaks is done and has said nothing that was understood."""


class CallLog(logging.LoggerAdapter[logging.Logger]):
    """Says which call it is about; `call` is also an attribute of its records."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        message, kwargs = super().process(msg, kwargs)
        return f"call {self.extra['call'] if self.extra else ''}: {message}", kwargs


class Call:
    """One call. Its methods are for the event loop's thread; threads answer through the work that awaits them.

    `did` is the number that was called, `caller_id` who called; `route`, `user` and `metadata` are what the
    transport and its server know of them.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        *,
        transport: str,
        provider: str | None = None,
        caller_id: str | None = None,
        did: str | None = None,
        route: Any = None,
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
        self.route, self.user = route, user
        self.metadata: dict[str, Any] = {"transport": transport, **(metadata or {})}
        self.apology = apology
        """What the caller hears when a processor has failed. Speech synthesis sets it, if nobody has."""
        self.hold: AudioRaw | None = None
        """What the caller hears when the agent keeps him waiting. Speech synthesis sets it, if nobody has."""
        self.control = control
        """Commands to the carrier, where there are credentials for them."""
        self.is_connected = True
        self.log = CallLog(logging.getLogger("voiceflow.call"), {"call": self.id})
        self._limits = limits or Limits()
        self._runtime: Runtime | None = None
        self._hearing = Hearing()
        self.audio_listeners: list[Callable[[AudioRaw, float], None]] = []
        self.reply_listeners: list[Callable[[Reply], None]] = []
        self.turn_listeners: list[Callable[[TurnLatency], None]] = []

    async def run(self, build: Callable[[Call], Processor]) -> Ended:
        """Run the call through `build(call)`, the pipeline, to its end.

        Raises `LinkError` or `TypeError` for a pipeline that does not fit together, `CallError` for one that
        does not open, and what loading a model raises. A call that fails later returns how.
        """
        if self._runtime is not None:
            raise CallError(f"call {self.id} has already run: make a new Call")
        plan = link(build(self))
        processors = [step.processor for step in plan.walk()]
        for processor in processors:
            processor.call = self
        await models.load(processors)
        self._runtime = Runtime(self, plan, self._limits)
        if self.turn_listeners and any(p.signature.may_yield(Transcript) for p in processors if p is not self.source):
            TurnClock(self._runtime, self._turn_taken)
        return await self._runtime.run()

    @property
    def plan(self) -> Plan:
        """The linked pipeline."""
        return self._running.plan

    @property
    def speaking(self) -> bool:
        """Whether the caller is hearing the agent now."""
        return self._running.playout.speaking

    @property
    def busy(self) -> bool:
        """Whether the agent speaks, is about to, or anything is still being worked on."""
        return self._running.activity.busy

    @property
    def replying(self) -> bool:
        """Whether anything of a reply has been said, or is on its way to the caller: more than a thought."""
        return self._running.activity.replying

    @property
    def interruptible(self) -> bool:
        """Whether the caller may interrupt: not while something is being said that he must hear."""
        replies = self._running.playout.ledger.replies
        return all(reply.interruptible or reply.start is None for reply in replies)

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self._running.loop.time() - self._running.began

    @property
    def listening(self) -> bool:
        """Whether `listen`, `ask` or `digits` waits for the caller."""
        return bool(self._hearing.listeners)

    @property
    def error(self) -> CallError | None:
        """What is ending the call, or has ended it, if it failed."""
        return None if self._runtime is None else self._runtime.error

    # Saying

    async def say(self, text: str, *, interruptible: bool = True) -> float:
        """Say `text` and wait until it was heard or interrupted; returns the seconds that were heard.

        It is a reply of its own, after the one that is running. Inside the work on a reply it becomes a part
        of that reply. If not `interruptible`, `BargeIn` lets the caller hear it to its end. Cancelled
        before it has begun, it is not said.
        """
        await self._running.opened.wait()
        if not any(step.speech and step.processor.signature.takes(LLMText) for step in self.plan.walk()):
            raise CallError("call.say needs speech synthesis: put a TTS into the pipeline, or use call.play(wav)")
        return await self._say([LLMText(text.strip() + "\n")], interruptible)

    async def play(self, wav: str | os.PathLike[str] | AudioRaw, *, interruptible: bool = True) -> float:
        """Play a WAV file or a piece of audio; returns the seconds of it that were heard."""
        await self._running.opened.wait()
        audio = wav if isinstance(wav, AudioRaw) else await waiting_pool().run(read_wav, wav)
        audio = await waiting_pool().run(convert, audio, self._speech_format)
        return await self._say([audio], interruptible)

    async def send_digits(self, digits: str) -> float:
        """Send the tones of `digits` (0-9, *, #, A-D; w is a pause of 0.5 s) to the other end: by the carrier
        where that leaves the stream alone, else in the audio. Returns the seconds of audio that were heard."""
        if self.control is None or self.control.digits_end_stream:
            return await self.play(tones(digits))
        await self.control.send_digits(digits)
        return 0.0

    def lose(self, reason: str) -> None:
        """For transports: the caller is gone without saying so."""
        self._running.wiring.intake.stop()
        self._running.caller_left(reason)

    def clear(self) -> None:
        """Drop everything the agent has not yet said."""
        self._running.interruption.clear()

    def _turn_taken(self, latency: TurnLatency) -> None:
        for callback in self.turn_listeners:
            callback(latency)

    async def _say(self, frames: list[Frame], interruptible: bool) -> float:
        runtime = self._running
        if runtime.tasks.stopping:
            return await _too_late()
        work = replying.get()
        if work is not None and work.void:
            return 0.0  # the work was interrupted: nothing of it is heard any more
        if work is None or work.worker.runtime is not runtime or work.ended:
            reply = runtime.voice.say(frames, interruptible=interruptible)
            if reply.done.done():
                return await _too_late()
            try:
                return await asyncio.shield(reply.done)
            except asyncio.CancelledError:
                runtime.voice.unsay(reply)
                raise
        return await runtime.voice.join(frames, interruptible=interruptible).done

    @property
    def _speech_format(self) -> AudioFormat:
        """What the first processor below the speaker that asks for a format wants."""
        below = (s.processor for s in self.plan.walk() if s.speech and not s.speaker and not s.inserted)
        return next(p.accepts for p in below if p.signature.takes(AudioRaw) and p.accepts is not ANY)

    # Listening

    async def listen(self) -> AsyncIterator[Transcript]:
        """Yield what the caller says, utterance by utterance, until the caller is gone."""
        with self._listener() as listener:
            while transcript := await listener.transcript():
                yield transcript

    async def ask(self, text: str, *, timeout: float | None = None) -> Transcript | None:
        """Say `text` and return what the caller answers, which may be before it was said to its end. None if
        there is no answer within `timeout` seconds after that, or the caller is gone. Who has begun to speak may
        finish; what was begun before the question was asked is no answer to it."""
        with self._listener() as listener:
            return await self._answer(listener.transcript(begun_after=self.elapsed), text, timeout)

    async def digits(self, count: int = 1, *, say: str | None = None, end: str = "#", timeout: float = 10.0) -> str:
        """Collect up to `count` keys; `end`, or `timeout` seconds without a key, end the collection early. With
        `say`, that is said first; keys count already meanwhile."""
        pressed = ""
        with self._listener() as listener:
            while len(pressed) < count:
                key = await self._answer(listener.key(), None if pressed else say, timeout)
                if key is None or key == end:
                    break
                pressed += key
        return pressed

    async def _answer(self, answer: Coroutine[Any, Any, T], text: str | None, timeout: float | None) -> T | None:
        """What comes of `answer` while `text` is said, or within `timeout` seconds after that."""
        answering = asyncio.ensure_future(answer)
        saying = asyncio.ensure_future(self.say(text)) if text is not None else None
        try:
            if saying is not None:
                await asyncio.wait({saying, answering}, return_when=asyncio.FIRST_COMPLETED)
                if saying.done():
                    saying.result()
            speaking = False
            while not (await asyncio.wait({answering}, timeout=timeout))[0]:
                spoke, speaking = speaking, self._running.activity.listening
                if not (spoke or speaking):
                    return None
                timeout = ANSWERING
            return answering.result()
        finally:
            answering.cancel()
            if saying is not None:
                saying.cancel()

    def hear(self, frame: Frame) -> None:
        """The caller said or did something, or is gone."""
        self._hearing.hear(frame)

    def _listener(self) -> contextlib.AbstractContextManager[Listener]:
        return self._hearing.listener(over=self._running.tasks.stopping)

    # Leaving

    async def hangup(self, *, force: bool = False) -> bool:
        """Hang up once everything said has been heard. An interruption revokes that, unless `force`.

        Returns whether the call was ended. Inside the work on a reply it returns at once, and the call ends
        after that reply; in work that was interrupted it does nothing.
        """
        runtime, work = self._running, replying.get()
        if runtime.tasks.stopping or (work is not None and work.void):
            return False
        leaving = runtime.tasks.start(runtime.hang_up("hung up", force=force), "hang up")
        if work is not None and not work.ended:
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
        await self._running.activity.said()
        return self.is_connected and await self.control.transfer(to)

    def start(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run `work()` beside the pipeline, from when the call has opened until it ends. What it raises fails the
        call, as if the processor `name` had raised it."""
        runtime = self._running

        async def begin() -> None:
            await runtime.opened.wait()
            if not runtime.tasks.stopping:
                await work()

        runtime.tasks.start(begin(), name)

    def on_heard(self, callback: Callable[[Frame], None]) -> None:
        """Call `callback(frame)` for what the caller says and does, as it arrives before the speaker: `Transcript`,
        `DTMF`, `SpeechStarted`, `SpeechStopped`, and at last `End`."""
        self._hearing.callbacks.append(callback)

    def on_reply(self, callback: Callable[[Reply], None]) -> None:
        """Call `callback(reply)` for each reply as it takes its place in the conversation, before its first word."""
        self.reply_listeners.append(callback)

    def on_played(self, callback: Callable[[AudioRaw, float], None]) -> None:
        """Call `callback(audio, at)` for each piece of the agent's audio that is handed to the transport, in the
        sink's format; the caller begins to hear it `at` this time of the loop's clock."""
        self.audio_listeners.append(callback)

    def on_turn(self, callback: Callable[[TurnLatency], None]) -> None:
        """Call `callback(latency)` for each of the caller's turns, when the agent's answer begins to be heard. To be
        set before the call runs."""
        self.turn_listeners.append(callback)

    def observe(self, callback: Observer) -> None:
        """Call `callback(upstream, downstream, frame)` for each frame at each processor boundary, fused or not.
        Without observers, observing costs nothing."""
        self._running.observe(callback)

    @property
    def _running(self) -> Runtime:
        if self._runtime is None:
            raise CallError(
                "this call is not running yet: pipeline(call) only builds the pipeline. Speak from a processor, "
                "or after `call.run`"
            )
        return self._runtime


async def _too_late() -> float:
    """The caller is gone. Who speaks on and on in a loop is not to keep everything else from running."""
    await asyncio.sleep(0.01)
    return 0.0
