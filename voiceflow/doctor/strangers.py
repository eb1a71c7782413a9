"""Checks that strangers get nowhere: each kind of call is tried without signature, token or link."""

from __future__ import annotations

import asyncio
import uuid
from functools import partial
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed

from voiceflow.server.callroutes import OFFER
from voiceflow.transports.carriers import Carrier, carriers
from voiceflow.transports.dialect import Start
from voiceflow.transports.websocket import POLICY

from .finding import DEADLINE, Finding
from .outside import CallNumbers, Outside, UnreachedError


async def strangers(outside: Outside, numbers: CallNumbers) -> Finding:
    """Whether everything is closed to whoever shows nothing."""
    name = "strangers"
    every = carriers()
    kinds = {
        **{f"unsigned webhooks of {each.title}": partial(_webhook, outside, each, numbers) for each in every},
        "media streams without a token": partial(_stream, outside, every[0], numbers),
        "browsers without the link": partial(_offer, outside),
    }
    try:
        found = [await is_open() for is_open in kinds.values()]
    except UnreachedError as error:
        return Finding(name, "warn", f"could not be tried: {error}", "try again once the rest is in order")
    closed, opened = (
        [kind for kind, is_open in zip(kinds, found, strict=True) if is_open is wanted] for wanted in (False, True)
    )
    if opened:
        said = f"everybody gets in: {', '.join(opened)}"
        return Finding(name, "fail", said, f"start the server with --ws-url {outside.media}, and without --insecure")
    return Finding(name, "ok", f"refused: {', '.join(closed)}")


async def _webhook(outside: Outside, carrier: Carrier[Any], numbers: CallNumbers) -> bool:
    _, call_id = carrier.ids(uuid.uuid4())
    body = urlencode({"CallSid": call_id, "From": numbers.caller_id, "To": numbers.did}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await outside.ask("POST", carrier.webhook_path, headers=headers, body=body)
    return answer.status == 200


async def _stream(outside: Outside, carrier: Carrier[Any], numbers: CallNumbers) -> bool:
    """Whether a stream is not refused that brings no token."""
    stream_id, call_id = carrier.ids(uuid.uuid4())
    usual = carrier.usual_format
    start = Start(carrier.name, stream_id, call_id, numbers.caller_id, numbers.did, usual, usual)
    try:
        async with asyncio.timeout(DEADLINE), outside.dialled() as websocket:
            mirror = carrier.mirror(start)
            try:
                for message in [*mirror.hello(), mirror.stop()]:
                    await websocket.send(message)
                while True:
                    await websocket.recv()
            except ConnectionClosed:
                return websocket.close_code != POLICY
    except TimeoutError:
        return True


async def _offer(outside: Outside) -> bool:
    """Whether an offer is read: an empty one is answered with 400 then."""
    answer = await outside.ask("POST", OFFER, headers={"Content-Type": "application/json"}, body=b"{}")
    return answer.status in (200, 400)
