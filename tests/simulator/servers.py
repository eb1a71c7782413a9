"""Servers on the loopback that are made of our ends of the dialects alone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import uvicorn
from websockets.asyncio.server import ServerConnection, serve

from voiceflow.frames import AudioRaw
from voiceflow.transports.carriers import detect

T = TypeVar("T")
Serve = Callable[[ServerConnection], Awaitable[None]]


async def echo(socket: ServerConnection) -> None:
    """A server of our ends alone: what comes goes back."""
    first = await socket.recv()
    stream = detect(first).stream()
    stream.receive(first)
    with contextlib.suppress(Exception):
        async for message in socket:
            for event in stream.receive(message):
                if isinstance(event, AudioRaw):
                    for answer in stream.media(event.data):
                        await socket.send(answer)


@contextlib.asynccontextmanager
async def serving(handler: Serve, **options: Any) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, compression=None, **options) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}/sip/media-stream"


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """An ASGI application at http://HOST:PORT."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="websockets-sansio"))
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await task


@contextlib.contextmanager
def in_thread(server: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Run `server` in a thread beside the test, which gets what it yields."""
    ready: list[T] = []
    loop = asyncio.new_event_loop()
    over, begun = asyncio.Event(), threading.Event()

    async def run() -> None:
        async with server as entered:
            ready.append(entered)
            begun.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    begun.wait()
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
