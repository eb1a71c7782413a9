"""A server for browsers that does what a test says: the signaling by hand, our own end of the peer connection."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from simulator.servers import Serve
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from voiceflow.transports.webrtc.opus import FRAME_BYTES
from voiceflow.transports.webrtc.session import PeerSession

Conduct = Callable[[PeerSession], Awaitable[None]]
TONE = (b"\x00\x20" * 48 + b"\x00\xe0" * 48) * 10
"""20 ms at 500 Hz."""
assert len(TONE) == FRAME_BYTES


def answering(**answers: dict[str, Any]) -> Serve:
    """Gives each type of message its answer; no answer: the connection is closed with a reason."""

    async def serve(socket: ServerConnection) -> None:
        async for message in socket:
            answer = answers.get(json.loads(message)["type"])
            if answer is None:
                await socket.close(1008, "not you")
                return
            await socket.send(json.dumps(answer))

    return serve


def conducting(conduct: Conduct, *, waits: bool = True) -> Serve:
    """Answers the offer, and lets `conduct` lead the call; until the browser hangs up, unless it `waits` not."""

    async def serve(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await socket.recv()
            await socket.send(json.dumps({"type": "hello_ack", "ice_servers": []}))
            async with await PeerSession.answer(json.loads(await socket.recv())["sdp"]) as session:
                await socket.send(json.dumps({"type": "webrtc_answer", "sdp": session.sdp}))
                session.call()  # which nobody runs: the test is the pipeline
                await session.connected()
                await conduct(session)
                if waits:
                    await socket.recv()

    return serve
