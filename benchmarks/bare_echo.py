"""The floor: an ASGI application that sends every media message back as it came, under the server that we use
with its own WebSocket protocol.

    python benchmarks/bare_echo.py PORT

It neither decodes nor paces anything. wire.py runs it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from voiceflow.config.settings import Config
from voiceflow.server.launch import uvicorn_settings

Message = MutableMapping[str, Any]


async def echo(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message["text"]
        if text.startswith('{"event":"media"'):
            await send({"type": "websocket.send", "text": text})
        elif text.startswith('{"event":"dtmf"'):
            print(len(asyncio.all_tasks()), flush=True)


if __name__ == "__main__":
    uvicorn.run(
        echo, port=int(sys.argv[1]), lifespan="off", **(uvicorn_settings(Config()) | {"ws": "websockets-sansio"})
    )
