"""What /health says, and what it costs: it is answered to everybody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from server.serving import begin, carrier, dialled, parameters, run, serving, until

from voiceflow.config.settings import Config
from voiceflow.server import health
from voiceflow.transports.carriers.twilio import Twilio

PUBLIC = Config(public_ws_url="wss://calls.example.com/sip/media-stream")
FORM = {"CallSid": "CA" + "0" * 32, "From": "+12025550123", "To": "+12025550199"}


class Ollama:
    """A server in Ollama's place, of which only the root is asked."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.asked = 0
        self.hangs = hangs
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.asked += 1
                if self.hangs:
                    await self.gone.wait()
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\nOllama is running")
        writer.close()


@contextlib.asynccontextmanager
async def ollama(patch: pytest.MonkeyPatch, *, hangs: bool = False) -> AsyncIterator[Ollama]:
    double = Ollama(hangs=hangs)
    listener = await asyncio.start_server(double.serve, "127.0.0.1", 0)
    patch.setenv("OLLAMA_URL", f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    try:
        yield double
    finally:
        double.gone.set()
        listener.close()


def test_whether_ollama_answers_is_known_from_the_first_request_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with ollama(monkeypatch) as double, serving() as served:
            async with httpx.AsyncClient(base_url=served.http) as client:
                for _ in range(20):
                    assert (await client.get("/health")).json()["ollama"] is True
            assert double.asked == 1

    run(main())


def test_what_is_known_of_ollama_is_renewed_behind_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH", 0.0)

    async def main() -> None:
        async with (
            ollama(monkeypatch) as double,
            serving() as served,
            httpx.AsyncClient(base_url=served.http) as client,
        ):
            double.hangs = True
            assert (await client.get("/health")).json()["ollama"] is True  # asks anew
            await until(lambda: double.asked == 2)
            double.gone.set()
            async with asyncio.timeout(5):
                while (await client.get("/health")).json()["ollama"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    run(main())


def test_a_flood_of_health_checks_with_a_hanging_ollama_keeps_no_call_from_being_hung_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "TIMEOUT", 3600.0)
    monkeypatch.setattr(health, "FRESH", 0.0)

    async def main() -> None:
        async with (
            contextlib.AsyncExitStack() as stack,
            ollama(monkeypatch) as double,
            serving(config=PUBLIC) as served,
        ):
            double.hangs = True
            rest = await asyncio.start_server(_accepts, "127.0.0.1", 0)
            port = rest.sockets[0].getsockname()[1]
            stack.callback(rest.close)
            monkeypatch.setattr(Twilio, "control", lambda self, settings, client, id: Rest(client, port))
            limits = httpx.Limits(max_connections=200)
            async with httpx.AsyncClient(base_url=served.http, limits=limits) as client:
                answer = await client.post("/sip/twilio/answer", data=FORM, headers=served.operator)
                async with dialled(served.media, additional_headers=served.operator) as socket:
                    await begin(socket, carrier(call_sid=FORM["CallSid"], **parameters(answer)))
                    await until(lambda: bool(served.server.calls.active))
                    answers = await asyncio.gather(*(client.get("/health") for _ in range(300)))
                    assert {answer.status_code for answer in answers} == {200}
                    (call,) = served.server.calls.active
                    assert call.control is not None
                    assert await call.control.hangup()
            assert double.asked == 2  # when the server started, and once since

    run(main())


class Rest:
    """Call control by a carrier's REST interface on this machine."""

    digits_end_stream = False

    def __init__(self, client: httpx.AsyncClient, port: int) -> None:
        self._client = client
        self._url = f"http://127.0.0.1:{port}"

    async def hangup(self) -> bool:
        return (await self._client.post(self._url)).is_success

    async def transfer(self, to: str) -> bool:
        raise NotImplementedError

    async def send_digits(self, digits: str) -> bool:
        raise NotImplementedError


async def _accepts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    writer.close()
