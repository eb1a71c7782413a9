"""How many calls there may be at once, and what the one that is too many gets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from server.serving import TO, Served, begin, carrier, closing, dialled, parameters, run, serving, until
from tts.voices import Letters
from webrtc.browser import Browser
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from voiceflow import Call
from voiceflow.audio import AudioFormat
from voiceflow.config.routes import Found, Routes
from voiceflow.config.settings import Config, load_config
from voiceflow.errors import ConfigError, DIDConfigError
from voiceflow.frames import AudioRaw
from voiceflow.pipeline import Element
from voiceflow.processors import Dialog
from voiceflow.processors.codec import convert
from voiceflow.processors.tts import recorded
from voiceflow.route import Route
from voiceflow.security.tokens import LIFETIME
from voiceflow.server.places import AllBusyError, Places
from voiceflow.words import CATALOGUE

ONE = Config(public_ws_url="wss://calls.example.com/sip/media-stream", max_calls=1)
MULAW = AudioFormat("mulaw", 8_000)


def sid(number: int) -> str:
    return f"CA{number:032}"


async def announce(served: Served, number: int = 1, to: str = TO) -> httpx.Response:
    """Twilio's webhook of a call."""
    form = {"CallSid": sid(number), "From": "+12025550123", "To": to}
    async with httpx.AsyncClient(base_url=served.http) as client:
        return await client.post("/sip/twilio/answer", data=form, headers=served.operator)


def is_busy(answer: httpx.Response) -> bool:
    assert answer.status_code == 200
    return "<Reject" in answer.text


async def ready(served: Served) -> tuple[int, str]:
    async with httpx.AsyncClient(base_url=served.http) as client:
        assert (await client.get("/health")).status_code == 200
        answer = await client.get("/ready")
        return answer.status_code, answer.json()["status"]


def test_a_carrier_is_told_that_all_lines_are_busy_until_a_call_is_over() -> None:
    async def main() -> None:
        async with serving(config=ONE) as served:
            assert await ready(served) == (200, "ready")
            answer = await announce(served, 1)
            assert await ready(served) == (503, "full")
            assert is_busy(await announce(served, 2))
            assert not is_busy(await announce(served, 1))  # the carrier asks again about the same call
            async with dialled(served.media, additional_headers=served.operator) as socket:
                await begin(socket, carrier(call_sid=sid(1), **parameters(answer)))
                await until(lambda: bool(served.server.calls.active))
                assert is_busy(await announce(served, 2))
                assert not is_busy(await announce(served, 1))
                assert await ready(served) == (503, "full")
            await served.at_rest()
            assert await ready(served) == (200, "ready")
            assert not is_busy(await announce(served, 3))

    run(main())


def test_a_route_has_its_own_number_of_calls(tmp_path: Path) -> None:
    file = tmp_path / "voiceflow.yaml"
    file.write_text('dids:\n  "+12025550199": {max_calls: 1}\n  "+12025550198":\n  desk: {max_calls: 1}\n')

    async def main() -> None:
        config = Config(public_ws_url=ONE.public_ws_url)
        async with serving(config=config, routes=Routes(file)) as served:
            assert not is_busy(await announce(served, 1, "+12025550199"))
            assert is_busy(await announce(served, 2, "+1 (202) 555-0199"))
            assert not is_busy(await announce(served, 3, "+12025550198"))
            assert not is_busy(await announce(served, 4, "sip:desk@a.example.com"))
            assert is_busy(await announce(served, 5, "sip:desk@b.example.com"))
            assert await ready(served) == (200, "ready")

    run(main())


def test_a_browser_is_told_that_all_lines_are_busy() -> None:
    async def main() -> None:
        async with (
            serving(config=Config(max_calls=1)) as served,
            Browser() as browser,
            httpx.AsyncClient(base_url=served.http) as client,
        ):
            offer = await browser.offer()
            assert (await client.post("/api/offer", json={"sdp": "v=1"})).status_code == 400  # holds no place
            begun = await client.post("/api/offer", json={"sdp": offer})
            assert begun.status_code == 200
            again = await client.post("/api/offer", json={"sdp": offer, "pc_id": begun.json()["pc_id"]})
            assert again.status_code == 200  # a further offer of the same call
            for path, body in (("/api/offer", {"json": {"sdp": offer}}), ("/whip", {"content": offer})):
                kind = {"Content-Type": "application/sdp"} if path == "/whip" else {}
                refused = await client.post(path, headers=kind, **body)  # type: ignore[arg-type]
                assert refused.status_code == 503
                assert "all lines are busy" in refused.json()["error"]
            async with connect(f"ws://127.0.0.1:{served.port}/ws") as socket:
                await socket.send(json.dumps({"type": "webrtc_offer", "sdp": offer}))
                told = json.loads(await socket.recv())
                assert told["type"] == "error"
                assert "all lines are busy" in told["message"]
            assert await ready(served) == (503, "full")
            id = begun.json()["pc_id"]
            assert (await client.delete(f"/whip/{id}")).status_code == 200
            await until(lambda: not served.server.calls.active)
            while (await ready(served))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    run(main())


async def heard(served: Served, number: int, **start: str) -> bytes:
    """Open a stream, and hear it to its end."""
    caller, audio = carrier(call_sid=sid(number), **start), b""
    async with dialled(served.media) as socket:
        await begin(socket, caller)
        try:
            while True:
                for request in caller.receive(await socket.recv()):
                    if isinstance(request, AudioRaw):
                        audio += request.data
                    else:
                        await socket.send(caller.mark(request.name))  # type: ignore[union-attr]
        except ConnectionClosed:
            code, _ = await closing(socket)
            assert code == 1000
    return audio


def with_a_voice(call: Call) -> Element:
    return call.source | Dialog(_waits) | Letters() | call.sink


async def _waits(call: Call) -> None:
    await asyncio.Event().wait()


def test_a_caller_who_is_connected_already_hears_a_sentence_and_the_call_ends() -> None:
    async def main() -> None:
        async with serving(config=Config(max_calls=1)) as served, dialled(served.media) as first:
            await begin(first, carrier(call_sid=sid(1)))
            await until(lambda: bool(served.server.calls.active))
            audio = await heard(served, 2)
            assert audio.startswith(recorded("busy", "en").data[:8000])
            assert len(served.server.calls.active) == 1

    run(main())


def test_the_sentence_is_spoken_by_the_voice_of_the_pipeline() -> None:
    async def main() -> None:
        config = Config(max_calls=1)
        async with serving(with_a_voice, config=config) as served, dialled(served.media) as first:
            await begin(first, carrier(call_sid=sid(1)))
            await until(lambda: bool(served.server.calls.active))
            audio = await heard(served, 2)
            assert len(audio) > len(CATALOGUE["en"].busy)
            assert recorded("busy", "en").data[4000:8000] not in audio

    run(main())


@pytest.mark.parametrize("language", CATALOGUE)
@pytest.mark.parametrize("sentence", ["busy", "stopping"])
def test_the_sentence_is_recorded_in_every_language(sentence: str, language: str) -> None:
    audio = recorded(sentence, language)
    assert 2.0 < audio.duration < 6.0
    assert language == "en" or audio.data != recorded(sentence, "en").data
    assert max(abs(value) for value in memoryview(convert(audio, AudioFormat("pcm16", 8_000)).data).cast("h")) > 3000


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


ANY = Found("", Route())


def test_an_announced_call_whose_stream_does_not_come_loses_its_place_with_its_token() -> None:
    places = Places(2, clock := Clock())
    places.promise("a", ANY)
    clock.now = LIFETIME / 2
    places.promise("b", ANY)
    assert places.is_full
    with pytest.raises(AllBusyError):
        places.take(ANY)
    clock.now = LIFETIME + 1
    with places.take(ANY):
        assert places.is_full
        with places.take(ANY, "b"):
            places.promise("b", ANY)  # it has begun: there is nothing to promise
            with pytest.raises(AllBusyError):
                places.promise("c", ANY)
            clock.now = 10 * LIFETIME
            assert places.is_full
    assert not places.is_full


def test_without_a_limit_every_call_has_a_place() -> None:
    places = Places(None)
    for number in range(1000):
        places.promise(number, ANY)
        places.take(ANY)
    assert not places.is_full


@pytest.mark.parametrize("wrong", ["0", "-1", "1.5", "many", "[1]"])
def test_a_limit_that_is_no_number_of_calls_is_refused_with_its_line(wrong: str, tmp_path: Path) -> None:
    file = tmp_path / "voiceflow.yaml"
    file.write_text(f"max_calls: {wrong}\n")
    with pytest.raises(ConfigError, match=r"voiceflow.yaml.*1.*(max_calls|expected)"):
        load_config(file)
    file.write_text(f'dids:\n  "+12025550199":\n    max_calls: {wrong}\n')
    with pytest.raises(DIDConfigError, match=r"voiceflow.yaml.*3.*(max_calls|expected)"):
        Routes(file)
    file.write_text("max_calls: 7\n")
    assert load_config(file).max_calls == 7


def test_where_the_pipeline_cannot_be_built_the_recording_is_heard() -> None:
    def for_one_call(call: Call) -> Element:
        if call.caller_id == "+12025550100":
            raise SystemExit("no more")
        return call.source | call.sink

    async def main() -> None:
        async with serving(for_one_call, Config(max_calls=1)) as served, dialled(served.media) as first:
            await begin(first, carrier(call_sid=sid(1)))
            await until(lambda: bool(served.server.calls.active))
            audio = await heard(served, 2, caller_id="+12025550100")
            assert audio.startswith(recorded("busy", "en").data[:8000])

    run(main())
