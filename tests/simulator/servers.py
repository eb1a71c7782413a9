"""Servers on the loopback that are made of our ends of the dialects alone."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

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
