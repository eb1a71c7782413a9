"""A server that is about to stop takes no new calls, and loses none of those that it has."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from server.serving import Served, begin, carrier, dialled, hears_to_the_end, parameters, run, serving, until
from server.test_places import announce, is_busy, ready, sid
from tts.voices import Letters
from webrtc.browser import Browser
from websockets.asyncio.client import connect

from voiceflow import Call
from voiceflow.config.routes import Found
from voiceflow.config.settings import Config, load_config
from voiceflow.errors import ConfigError
from voiceflow.pipeline import Element
from voiceflow.processors import Dialog
from voiceflow.processors.tts import recorded
from voiceflow.route import Route
from voiceflow.security.tokens import LIFETIME
from voiceflow.server.drain import drained
from voiceflow.server.places import AllBusyError, Places
from voiceflow.words import CATALOGUE

PUBLIC = "wss://calls.example.com/sip/media-stream"


def test_announced_calls_come_in_while_all_others_are_refused_and_nobody_on_a_call_notices() -> None:
    async def main() -> None:
        async with (
            serving(config=Config(public_ws_url=PUBLIC)) as served,
            dialled(served.media, additional_headers=served.operator) as first,
        ):
            await begin(first, carrier(call_sid=sid(1)))
            await until(lambda: len(served.server.calls.active) == 1)
            announced = await announce(served, 2)
            drain = asyncio.create_task(served.server.drain())
            await until_draining(served)

            assert is_busy(await announce(served, 3))
            assert not is_busy(await announce(served, 2))  # the carrier asks again
            async with dialled(served.media, additional_headers=served.operator) as unannounced:
                caller = carrier(call_sid=sid(4))
                await begin(unannounced, caller)
                audio, code = await hears_to_the_end(unannounced, caller)
                assert (audio.startswith(recorded("busy", "en").data[:8000]), code) == (True, 1000)

            async with dialled(served.media, additional_headers=served.operator) as second:
                await begin(second, carrier(call_sid=sid(2), **parameters(announced)))
                await until(lambda: len(served.server.calls.active) == 2)
                assert not drain.done()
                await first.close()
                await until(lambda: len(served.server.calls.active) == 1)
                assert not drain.done()
            await drain
            assert await ready(served) == (503, "draining")

    run(main())


async def until_draining(served: Served) -> None:
    while await ready(served) != (503, "draining"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def test_a_browser_is_refused_and_one_that_has_a_call_keeps_it() -> None:
    async def main() -> None:
        async with (
            serving() as served,
            Browser() as browser,
            httpx.AsyncClient(base_url=served.http) as client,
        ):
            offer = await browser.offer()
            begun = await client.post("/api/offer", json={"sdp": offer})
            drain = asyncio.create_task(served.server.drain())
            await until_draining(served)
            again = await client.post("/api/offer", json={"sdp": offer, "pc_id": begun.json()["pc_id"]})
            assert again.status_code == 200  # a further offer of the same call
            refused = await client.post("/api/offer", json={"sdp": offer})
            assert refused.status_code == 503
            assert "the server is stopping" in refused.json()["error"]
            async with connect(f"ws://127.0.0.1:{served.port}/ws") as socket:
                await socket.send(json.dumps({"type": "webrtc_offer", "sdp": offer}))
                assert "the server is stopping" in json.loads(await socket.recv())["message"]
            assert not drain.done()
            assert (await client.delete(f"/whip/{begun.json()['pc_id']}")).status_code == 200
            await drain

    run(main())


def with_a_voice(call: Call) -> Element:
    return call.source | Dialog(_waits) | Letters() | call.sink


async def _waits(call: Call) -> None:
    await asyncio.Event().wait()


def without_a_voice(call: Call) -> Element:
    return call.source | Dialog(_waits) | call.sink


async def _dismissed(build: object, language: str = "en") -> bytes:
    """What a caller hears who is on a call for too long."""
    config = Config(drain_timeout=0)
    async with serving(build, config=config) as served, dialled(served.media) as socket:  # type: ignore[arg-type]
        caller = carrier()
        await begin(socket, caller)
        await until(lambda: any(call.session is not None for call in served.server.calls.active))
        drain = asyncio.create_task(served.server.drain())
        audio, code = await hears_to_the_end(socket, caller)
        assert code == 1000
        await drain
        await served.at_rest()
    return audio


def test_who_is_left_at_the_limit_hears_a_sentence_in_the_voice_of_the_pipeline_and_the_call_ends() -> None:
    async def main() -> None:
        audio = await _dismissed(with_a_voice)
        assert len(audio) > len(CATALOGUE["en"].stopping)
        assert recorded("stopping", "en").data[4000:8000] not in audio

    run(main())


@pytest.mark.slow
def test_where_the_pipeline_has_no_voice_the_sentence_is_recorded() -> None:
    async def main() -> None:
        sentence = recorded("stopping", "en").data
        assert sentence in await _dismissed(without_a_voice)

    run(main())


@pytest.mark.slow
def test_an_echo_ends_too() -> None:
    async def main() -> None:
        assert recorded("stopping", "en").data[8000:16_000] in await _dismissed(lambda call: call.source | call.sink)

    run(main())


def test_a_call_that_was_announced_and_never_comes_is_waited_for_as_long_as_its_token_is_good() -> None:
    now = 0.0
    places = Places(None, lambda: now)
    found = Found("", Route())
    places.promise("announced", found)
    places.closed = True
    with pytest.raises(AllBusyError, match="the server is stopping"):
        places.promise("new", found)
    with pytest.raises(AllBusyError, match="the server is stopping"):
        places.take(found)
    places.take(found, "announced elsewhere").free()
    assert places.held == 1
    now = LIFETIME + 1
    assert places.held == 0


def test_a_server_without_calls_is_drained_at_once() -> None:
    run(drained(Places(1), set(), 0))
    run(drained(Places(1), set(), 3600))


def test_the_limit_is_configured(tmp_path: Path) -> None:
    file = tmp_path / "voiceflow.yaml"
    assert load_config(None).drain_timeout == 3600
    file.write_text("drain_timeout: 0\n")
    assert load_config(file).drain_timeout == 0
    file.write_text("drain_timeout: -1\n")
    with pytest.raises(ConfigError, match=r"drain_timeout is .* expected a number of seconds from 0 to 86400"):
        load_config(file)
