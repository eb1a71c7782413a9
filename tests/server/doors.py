"""Every way into a server, tried from outside as whoever knows its address can."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

import httpx
from server.serving import FROM, SPEECH, TO, Served, call_id, carrier, dialled, loop_factory, serving
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from voiceflow.config.address import MEDIA
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.frames import AudioRaw

Door = Callable[["Visitor"], Awaitable[bool]]
NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Else each client would load all authorities that the system knows, and nothing is encrypted here."""


class Visitor:
    """Somebody who tries the doors of a server by way of `port`, below `prefix`, and names it `host`."""

    def __init__(self, port: int, host: str, headers: Mapping[str, str] = {}, prefix: str = "") -> None:
        self._port, self._host, self._headers, self._prefix = port, host, dict(headers), prefix

    async def enters(self, doors: Sequence[str] | None = None) -> set[str]:
        """The doors that are open, of these or of all."""
        names = list(DOORS if doors is None else doors)
        found = await asyncio.gather(*(DOORS[name](self) for name in names))
        return {name for name, is_open in zip(names, found, strict=True) if is_open}

    async def asks(self, method: str, path: str, **options: object) -> httpx.Response:
        url = f"http://127.0.0.1:{self._port}{self._prefix}{path}"
        headers = {"Host": self._host} | self._headers
        async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, headers=headers, timeout=None) as client:
            return await client.request(method, url, **options)  # type: ignore[arg-type]

    async def streams(self, token: str | None = None) -> bool:
        """Whether a media stream, with this token, becomes a call in which the caller is heard."""
        caller = carrier(**({"token": token} if token else {}))
        url = f"ws://{self._host}{self._prefix}{MEDIA}"
        try:
            async with self._dialled(url) as websocket:
                for message in [*caller.hello(), caller.media(SPEECH)]:
                    await websocket.send(message)
                (audio,) = caller.receive(await websocket.recv())
                return isinstance(audio, AudioRaw)
        except (ConnectionClosed, InvalidHandshake):
            return False

    async def signals(self) -> bool:
        """Whether a browser's signaling is answered."""
        try:
            async with self._dialled(f"ws://{self._host}{self._prefix}/ws") as websocket:
                await websocket.send('{"type": "hello"}')
                return bool(json.loads(await websocket.recv())["type"] == "hello_ack")
        except (ConnectionClosed, InvalidHandshake):
            return False

    def _dialled(self, url: str) -> contextlib.AbstractAsyncContextManager[object]:
        return dialled(url, host="127.0.0.1", port=self._port, additional_headers=self._headers)


async def _webhook(visitor: Visitor, name: str) -> bool:
    form = {"CallSid": call_id(name), "From": FROM, "To": TO}
    answer = await visitor.asks("POST", f"/sip/{name}/answer", data=form)
    assert answer.status_code in (200, 403), answer.text
    return "<Stream" in answer.text or answer.status_code == 200


async def _offer(visitor: Visitor, path: str, content_type: str) -> bool:
    answer = await visitor.asks("POST", path, content="{}", headers={"Content-Type": content_type})
    assert answer.status_code in (400, 403), answer.text
    return answer.status_code == 400


async def _page(visitor: Visitor) -> bool:
    """Whether the page alone makes its visitor the operator."""
    return "set-cookie" in (await visitor.asks("GET", "/")).headers


async def _numbers(visitor: Visitor) -> bool:
    return isinstance((await visitor.asks("GET", "/health")).json()["dids"], list)


DOORS: Final[dict[str, Door]] = {
    "twilio's webhook": lambda visitor: _webhook(visitor, "twilio"),
    "telnyx' webhook": lambda visitor: _webhook(visitor, "telnyx"),
    "media stream": Visitor.streams,
    "signaling": Visitor.signals,
    "offer": lambda visitor: _offer(visitor, "/api/offer", "application/json"),
    "whip": lambda visitor: _offer(visitor, "/whip", "application/sdp"),
    "page": _page,
    "numbers in /health": _numbers,
}
ALL: Final = set(DOORS) - {"page"}
"""The doors that are open to the operator: the page is not one, since it is served to everybody."""
SOCKETS: Final = {"media stream", "signaling"}


@contextlib.contextmanager
def serving_beside(configs: Mapping[str, Config], routes: Routes, key: bytes) -> Iterator[dict[str, Served]]:
    """Servers in a thread of their own, one for each configuration: several tests share them."""
    started: queue.Queue[tuple[dict[str, Served], asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        async with contextlib.AsyncExitStack() as stack:
            served = {
                name: await stack.enter_async_context(serving(config=config, routes=routes, key=key))
                for name, config in configs.items()
            }
            over = asyncio.Event()
            started.put((served, asyncio.get_running_loop(), over))
            await over.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    served, loop, over = started.get(timeout=30)
    try:
        yield served
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
