"""Calls as a carrier makes them: announced by a webhook, connected as its answer says, and followed beyond the media
stream, to wherever the answer and the commands at the carrier's REST interface lead them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.errors import ProviderConnectionError
from voiceflow.simulator.caller import Caller
from voiceflow.simulator.line import dial
from voiceflow.simulator.load import CallOutcome, Calls, phase
from voiceflow.simulator.restserver import is_here, rest_served
from voiceflow.simulator.script import Script
from voiceflow.simulator.ticker import Ticker
from voiceflow.simulator.webhooks import WebhookClient
from voiceflow.transports.carriers import Carrier
from voiceflow.transports.carriers.double import CarrierDouble, StreamEvent, StreamStatus
from voiceflow.transports.carriers.instructions import (
    DialNumber,
    HangUpCall,
    Instruction,
    OpenStream,
    PlayDigits,
    RejectCall,
    SpeakText,
)
from voiceflow.transports.dialect import Start

COMMAND: Final = 1.0
"""Seconds that a call waits, after its stream, for a command of the server's: it may hang up by one, too."""
HUNG_UP: Final = "the agent hung up"


Tell = Callable[[StreamStatus, str], Coroutine[Any, Any, None]]
"""Tells the status callback what has become of a stream, and why it failed."""


async def tell_nobody(event: StreamStatus, error: str) -> None:
    """Where the answer asks for no status callback."""


class Party(msgspec.Struct, frozen=True):
    """Who calls whom, and in which format the caller's audio comes."""

    caller_id: str
    did: str
    format: AudioFormat


class AnnouncedCaller(Caller):
    """One call, from its media stream on. The carrier's REST interface acts on it, as an `AnnouncedCall`."""

    then: Sequence[Instruction] = ()
    """What the answer says after the stream."""
    expects_command = False
    """Whether the server has credentials for the REST interface."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.tell: Tell = tell_nobody
        self._is_live = True
        self._commands: list[Sequence[Instruction]] = []
        """What was commanded, in this order: each takes the place of what the call did before."""
        self._asked = asyncio.Event()
        """A command has come that was too late, or the last one."""

    async def converse(self) -> None:
        """Conduct the call to its end, beyond its stream."""
        told = asyncio.create_task(self.tell("stream-started", ""))
        try:
            await super().converse()
        finally:
            await asyncio.wait({told})
        hung_up = self.closed is not None and self.ended is not None and not self.ended.failed
        if self.ended is not None and self.ended.failed:
            await self.tell("stream-error", self.ended.reason)
        else:
            await self.tell("stream-stopped", "")
        if not self._commands:
            self._is_live = hung_up and _talks_on(self.then)
        if self.expects_command and (self._is_live or (self.closed is not None and not self._commands)):
            await self._last_command()
        self._is_live = False
        if self._commands or hung_up:
            self.ended = self._outcome([self.then, *self._commands] if hung_up else self._commands)

    def take_command(self) -> bool:
        self._asked.set()
        return self._is_live

    def redirect(self, instructions: Sequence[Instruction]) -> None:
        self._asked.clear()
        self._commands.append(instructions)
        if instructions != [HangUpCall()]:  # which the end of the call tells
            self._tally.commands[_told(instructions)] += 1
        self._is_live = _talks_on(instructions)
        self._leave(HUNG_UP)

    def play_digits(self, digits: str) -> None:
        self._asked.clear()
        self._tally.commands[_told([PlayDigits(digits)])] += 1

    async def _last_command(self) -> None:
        """Wait for the command to hang up that may follow the stream, or the beginning of another conversation."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(COMMAND):
                await self._asked.wait()

    def _outcome(self, done: Sequence[Sequence[Instruction]]) -> CallOutcome:
        """How the call ended that did this after its stream, one thing in place of the other."""
        told = ", then ".join(filter(None, map(_told, done)))
        cut_off = any(_talks_on(each) for each in done[:-1])  # whom the caller was connected to
        again = any(isinstance(each, OpenStream) for one in done for each in one)
        return CallOutcome(told or HUNG_UP, failed=cut_off or again)


class AnnouncedLoad(Calls[AnnouncedCaller]):
    """Many calls at once, each of which is announced at a carrier's webhook. `webhooks` sends those."""

    def __init__(
        self,
        carrier: Carrier[Any],
        double: CarrierDouble,
        url: str,
        public: str | None,
        party: Party,
        count: int,
        script: Script,
    ) -> None:
        """`url` is that of the webhook, `public` the public address of the server. Raises `ProviderConnectionError` if
        `url` is none of a webhook."""
        super().__init__(count, script)
        self._carrier, self._double, self._party = carrier, double, party
        self._webhooks = WebhookClient(url, carrier.title, double, public, self.tally.webhook)
        self._calls: dict[str, AnnouncedCaller] = {}
        address = double.rest_address
        self._rest = address if address is not None and is_here(address) else None

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._webhooks.close)
            if self._rest is not None:
                served = rest_served(self._double.rest(self._calls), self._rest, self._carrier.title)
                await stack.enter_async_context(served)
            await super().run()

    async def _begin(self, number: int, ticker: Ticker) -> AnnouncedCaller:
        party = self._party
        stream_id, call_id = self._carrier.ids(uuid.uuid4())
        instructions = await self._webhooks.announce(call_id, party.caller_id, party.did)
        place = next((place for place, each in enumerate(instructions) if isinstance(each, OpenStream)), None)
        if place is None:
            raise ProviderConnectionError(_refusal(instructions))
        stream = instructions[place]
        assert isinstance(stream, OpenStream)
        start = Start(
            provider=self._carrier.name,
            stream_id=stream_id,
            call_sid=call_id,
            caller_id=party.caller_id,
            did=party.did,
            inbound=party.format,
            outbound=stream.outbound or party.format,
            parameters=stream.parameters,
            metadata=dict(self._double.metadata),
        )

        async def tell(event: StreamStatus, error: str) -> None:
            if stream.status_callback:
                await self._webhooks.tell(stream.status_callback, StreamEvent(call_id, stream_id, event, error))

        try:
            line = await dial(self._webhooks.stream_address(stream.url), self._double.upgrade_headers(stream.url))
        except ProviderConnectionError as error:
            await tell("stream-error", str(error))
            raise
        mirror = self._carrier.mirror(start)
        caller = AnnouncedCaller(line, mirror, self.script, self.tally, ticker, record=number == 0, phase=phase(number))
        caller.then, caller.expects_command = instructions[place + 1 :], self._rest is not None
        caller.tell = tell
        self._calls[call_id] = caller
        return caller


def _talks_on(instructions: Sequence[Instruction]) -> bool:
    """Whether the caller is then connected to somebody else, so that the call is not over."""
    return any(isinstance(each, DialNumber) for each in instructions)


def _told(instructions: Sequence[Instruction]) -> str:
    """What became of a call by `instructions`. Empty: nothing is done."""
    return ", then ".join(map(_one, instructions))


def _one(instruction: Instruction) -> str:
    match instruction:
        case OpenStream(url):
            return f"another media stream, to {url}, which the simulated carrier does not open"
        case SpeakText(text):
            return f"the carrier said {text!r}"
        case PlayDigits(digits):
            return f"the digits {digits} were played"
        case DialNumber(to):
            return f"transferred to {to}"
        case RejectCall(reason):
            return reason
        case HangUpCall():
            return HUNG_UP


def _refusal(instructions: Sequence[Instruction]) -> str:
    """Why a call whose answer opens no stream was not accepted."""
    match instructions:
        case [RejectCall("busy"), *_]:
            return "busy: the server takes no further call"
        case [RejectCall(reason), *_]:
            return f"{reason}: the server does not take this call"
        case [SpeakText(text), *_]:
            return f"the server refused the call: the caller hears {text!r} and is hung up on"
        case []:
            return "the answer to the webhook is empty, so the carrier hangs up: expected a media stream"
        case _:
            return f"the answer to the webhook opens no media stream: {_told(instructions)}"
