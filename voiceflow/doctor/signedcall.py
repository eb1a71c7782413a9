"""Checks by calls as a carrier makes them: a signed webhook to the public address, and the stream to which it leads."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from voiceflow.errors import VoiceflowError
from voiceflow.simulator.caller import WELL
from voiceflow.simulator.script import PIECE
from voiceflow.transports.carriers import Carrier, carriers
from voiceflow.transports.carriers.double import CarrierDouble
from voiceflow.transports.carriers.instructions import Instruction, OpenStream, RejectCall, SpeakText
from voiceflow.transports.chunking import silence
from voiceflow.transports.dialect import Mirror, Start

from .finding import Finding, Setting
from .outside import CallNumbers, Outside, UnreachedError
from .reach import credentials_of

LISTENS: Final = 3.0
"""Seconds for which the caller waits for the agent to say something."""
ENDS: Final = 15.0
"""Seconds within which a call has to end of which the caller has hung up: work under way is finished first."""


class Answered(msgspec.Struct, frozen=True):
    """A call that a webhook has announced, and the stream that the answer asks for."""

    call_id: str
    stream: OpenStream


async def signed_calls(outside: Outside, setting: Setting, numbers: CallNumbers) -> list[Finding]:
    """A call by each carrier that is configured."""
    found: list[Finding] = []
    for carrier in carriers():
        settings = setting.config.of(carrier.settings)
        if not any(credentials_of(settings).values()):
            continue
        name = f"{carrier.name} webhook"
        try:
            double = carrier.double(settings)
        except VoiceflowError as error:
            found.append(Finding(name, "warn", f"not tried: {error}"))
            continue
        if not double.signs:
            said = f"not tried: a signature is needed that {carrier.title} alone can make"
            found.append(Finding(name, "warn", said, f"call {numbers.did}"))
            continue
        found += await _CarriersCall(outside, carrier, double, numbers).findings(name)
    if not found:
        names = " or ".join(each.title for each in carriers())
        said = f"no carrier is configured: signed calls of {names} were not tried"
        found.append(Finding("carrier", "warn", said, "`voiceflow doctor` says what to set for each"))
    return found


class _CarriersCall:
    """One call, as a carrier makes it."""

    def __init__(self, outside: Outside, carrier: Carrier[Any], double: CarrierDouble, numbers: CallNumbers) -> None:
        self._outside, self._carrier, self._double, self._numbers = outside, carrier, double, numbers

    async def findings(self, name: str) -> list[Finding]:
        try:
            answered = await self._announce(name)
        except UnreachedError as error:
            return [Finding(name, "fail", f"the webhook was not answered: {error}", "see the log of the proxy")]
        except VoiceflowError as error:
            return [Finding(name, "fail", str(error), "see the log of the server")]
        if isinstance(answered, Finding):
            return [answered]
        said = f"a signed webhook is answered with a stream to {answered.stream.url}"
        return [Finding(name, "ok", said), await self._connect(answered)]

    async def _announce(self, name: str) -> Answered | Finding:
        """Announce the call. Returns the finding where no stream comes of it."""
        carrier, outside, numbers = self._carrier, self._outside, self._numbers
        _, call_id = carrier.ids(uuid.uuid4())
        sent = self._double.webhook(call_id, numbers.caller_id, numbers.did, outside.http + carrier.webhook_path)
        answer = await outside.ask("POST", carrier.webhook_path, headers=sent.headers, body=sent.body)
        where = f"{outside.http}{carrier.webhook_path}"
        if answer.status != 200:
            said = f"a signed webhook to {where} is answered with {answer.said}"
            keys = " and ".join(carrier.settings.environment) or f"provider_config.{carrier.name}"
            remedy = (
                f"start the server anew with --ws-url {outside.media} and the configuration that is read here: "
                f"{keys} have to be the account's"
            )
            return Finding(name, "fail", said, remedy)
        instructions = self._double.read(answer.media_type, answer.body)
        stream = next((each for each in instructions if isinstance(each, OpenStream)), None)
        if stream is None:
            remedy = "call a number that has a route: `voiceflow routes` shows them, --to NUMBER names another"
            return Finding(name, "fail", f"calls of {numbers.did} are not connected: {_told(instructions)}", remedy)
        if stream.url != outside.media:
            said = f"the answer leads the stream to {stream.url}, and not to {outside.media}"
            return Finding(name, "fail", said, f"start the server anew with --ws-url {outside.media}")
        return Answered(call_id, stream)

    async def _connect(self, answered: Answered) -> Finding:
        """Open the stream, listen, and hang up."""
        name, numbers, stream = f"{self._carrier.name} call", self._numbers, answered.stream
        stream_id, _ = self._carrier.ids(uuid.uuid4())
        usual = self._carrier.usual_format
        mirror = self._carrier.mirror(
            Start(
                provider=self._carrier.name,
                stream_id=stream_id,
                call_sid=answered.call_id,
                caller_id=numbers.caller_id,
                did=numbers.did,
                inbound=usual,
                outbound=stream.outbound or usual,
                parameters=stream.parameters,
                metadata=dict(self._double.metadata),
            )
        )
        log = "see the log of the server, which names the call and says why it ended"
        try:
            async with self._outside.dialled(stream.url, self._double.upgrade_headers(stream.url)) as websocket:
                spoke = await _converse(websocket, mirror)
                code, reason = websocket.close_code, websocket.close_reason or "no reason"
        except UnreachedError as error:
            return Finding(name, "fail", f"the stream does not open: {error}", log)
        except TimeoutError:
            return Finding(name, "fail", f"the call has not ended {ENDS:.0f} s after the caller hung up", log)
        if code not in WELL:
            return Finding(name, "fail", f"the stream was closed with {code}: {reason}", log)
        heard = "the agent spoke" if spoke else f"the agent said nothing within {LISTENS:.0f} s"
        return Finding(name, "ok", f"from {numbers.caller_id} to {numbers.did}: connected, {heard}, ended")


async def _converse(websocket: ClientConnection, mirror: Mirror) -> bool:
    """Call, hang up once the agent has spoken, and wait for the end. Returns whether the agent has. Raises
    `TimeoutError`: there is no end."""
    usual = mirror.start.inbound
    spoke = False
    with contextlib.suppress(ConnectionClosed):
        for message in [*mirror.hello(), mirror.media(silence(usual.bytes_for(PIECE), usual))]:
            await websocket.send(message)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTENS):
                await websocket.recv()
                spoke = True
        await websocket.send(mirror.stop())
    async with asyncio.timeout(ENDS):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await websocket.recv()
    return spoke


def _told(instructions: Sequence[Instruction]) -> str:
    """What a caller gets in place of the agent."""
    match instructions:
        case [RejectCall(reason), *_]:
            return f"the carrier is told that they are {reason}"
        case [SpeakText(text), *_]:
            return f"the caller hears {text!r}"
        case _:
            return "the answer opens no stream"
