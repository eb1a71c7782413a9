"""What the server does before its first call and after its last one, whoever runs it."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable

import httpx
import pytest
from server.serving import SPEECH, call_id, carrier, dialled, hears, run, serving, until
from starlette.types import Message

from voiceflow import AudioRaw, Call, Processor
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.pipeline import Element
from voiceflow.server import startup
from voiceflow.server.server import Server


class Loads(Processor):
    """Something to load before the first call."""

    def __init__(self, load: Callable[[], None]) -> None:
        self._load = load

    def load(self) -> None:
        self._load()

    def process(self, frame: AudioRaw) -> AudioRaw:
        return frame


def server(load: Callable[[], None]) -> Server:
    def build(call: Call) -> Element:
        return call.source | Loads(load) | call.sink

    return Server(build, Config(), Routes(), b"key of this run")


def client(app: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


def gauges() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lag gauge"]


def test_models_are_in_memory_before_the_server_is_asked() -> None:
    loaded: list[str] = []

    async def main() -> None:
        async with server(lambda: loaded.append("")).lifespan():
            assert loaded

    run(main())


def test_without_a_lifespan_models_are_loaded_once_before_the_first_answers() -> None:
    loaded: list[str] = []

    async def main() -> None:
        app = server(lambda: loaded.append(""))
        async with client(app) as asking:
            answers = await asyncio.gather(*(asking.get("/health") for _ in range(5)))
            assert [answer.status_code for answer in answers] == [200] * 5
            before = len(loaded)
            assert before
            assert (await asking.get("/health")).is_success
            assert len(loaded) == before

    run(main())


def test_without_a_lifespan_a_failure_is_told_in_the_log_alone_and_tried_again_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = True

    def load() -> None:
        if broken:
            raise RuntimeError("no such model")

    async def main() -> None:
        nonlocal broken
        app = server(load)
        async with client(app) as asking:
            for _ in range(3):
                answer = await asking.get("/health")
                assert (answer.status_code, "no such model" in answer.text) == (503, False)
            assert [record.getMessage() for record in caplog.records if "no such model" in record.getMessage()] == [
                "cannot serve: RuntimeError: no such model"
            ]
            sent: list[Message] = []

            async def send(message: Message) -> None:
                sent.append(message)

            async def receive() -> Message:
                return {"type": "websocket.connect"}

            await app({"type": "websocket", "path": "/ws", "headers": []}, receive, send)
            assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1013)]
            broken = False
            monkeypatch.setattr(startup, "AGAIN", 0.0)
            assert (await asking.get("/health")).is_success

    run(main())


def test_a_lifespan_may_be_run_again() -> None:
    async def main() -> None:
        app = server(lambda: None)
        for _ in range(2):
            async with app.lifespan(), client(app) as asking:
                answer = await asking.post("/api/offer", json={"sdp": "no offer", "type": "offer"})
                assert answer.status_code == 400, "it does not say that the server stops"

    run(main())


def test_the_lag_of_the_event_loop_is_measured_while_there_are_calls() -> None:
    async def main() -> None:
        async with serving() as served:
            assert not gauges()
            async with dialled(served.media) as first, dialled(served.media) as second:
                assert await hears(first, carrier()) == SPEECH
                assert await hears(second, carrier(call_sid=call_id(number=2))) == SPEECH
                assert len(gauges()) == 1
            await served.at_rest()
            assert not gauges()

    run(main())


def test_nothing_of_the_process_is_changed_by_serving() -> None:
    async def main() -> None:
        frozen = gc.get_freeze_count()
        async with serving() as served, dialled(served.media) as websocket:
            assert await hears(websocket, carrier()) == SPEECH
            assert gc.get_freeze_count() == frozen
        await until(lambda: not gauges())

    run(main())
