"""A carrier that another package adds: it is served, called, configured and examined like ours."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from madeup import CARRIER, MadeupSettings
from server.serving import FROM, TO, TUNNEL, carrier, closing, dialled, run, serving

from voiceflow import DTMF, AudioRaw, Call, Clear, End, Mark, Processor, VoiceflowError
from voiceflow.cli.graph import graph
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config, load_config
from voiceflow.doctor import Setting, checks, examine
from voiceflow.security.tokens import Claims, StreamTokens
from voiceflow.server.server import Server
from voiceflow.transports.carriers import Carrier, register, unregister
from voiceflow.transports.dialect import ClearRequest

KEY = b"the key of this run"
PUBLIC_URL = "wss://calls.example.com/sip/media-stream"
CONFIG = Config(public_ws_url=PUBLIC_URL, provider_config=(MadeupSettings(key="secret"),))
WEBHOOK = {"call": "c1", "from": FROM, "to": TO}
SIGNED = TUNNEL | {"X-Madeup-Key": "secret"}
PIECE = bytes(range(256)) * 2 + bytes(128)
"""20 ms of audio."""


@pytest.fixture(autouse=True)
def _marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that were used are noted here, and not in the system's folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def madeup() -> Iterator[None]:
    register(CARRIER)
    yield
    unregister("madeup")


class HangUp(Processor):
    """Ends the call when a key is pressed."""

    def process(self, frame: DTMF) -> End:
        return End("the caller pressed a key")


def echo_until_a_key(call: Call) -> Processor:
    return call.source | HangUp() | call.sink


def told(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/json"
    decoded: dict[str, Any] = answer.json()
    return decoded


class Plain(type(CARRIER)):  # type: ignore[misc]
    """A carrier that nobody has written a double for."""

    double, make_signing_key, public_key = Carrier.double, Carrier.make_signing_key, Carrier.public_key


def test_a_carrier_without_a_double_says_what_is_missing_and_how_to_call_all_the_same() -> None:
    with pytest.raises(VoiceflowError, match=r"Madeup has no double .*Plain\.double.*: call the media stream itself"):
        Plain().double(MadeupSettings())


# A real server


@pytest.mark.usefixtures("madeup")
@pytest.mark.parametrize("ending", ["the caller hangs up", "the agent hangs up"])
def test_a_call_goes_from_the_webhook_to_its_end(ending: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def main() -> None:
        async with serving(echo_until_a_key, CONFIG, key=KEY) as served, httpx.AsyncClient() as client:
            answer = told(await client.post(f"{served.http}/sip/madeup/answer", json=WEBHOOK, headers=SIGNED))
            assert (answer["do"], answer["url"]) == ("connect", PUBLIC_URL)
            caller = carrier("madeup", call_sid="c1", inbound=CARRIER.usual_format, **answer["parameters"])
            async with dialled(served.media, additional_headers=TUNNEL) as websocket:
                for message in [*caller.hello(), caller.media(PIECE)]:
                    await websocket.send(message)
                heard = await websocket.recv()
                assert heard == PIECE  # binary, as it was sent
                assert caller.receive(heard) == [AudioRaw(PIECE, CARRIER.usual_format)]
                if ending == "the caller hangs up":
                    await websocket.send(caller.stop())
                    assert await closing(websocket) == (1000, "Madeup says goodbye")
                else:
                    await websocket.send(caller.dtmf("#"))
                    assert await closing(websocket) == (1000, "hung up")
            await served.at_rest()

    run(main())
    assert "from +1...0123 to +1...0199 by madeup" in caplog.text


class Announcement(Processor):
    """Says something for two seconds at the first key, is interrupted by the second."""

    produces = CARRIER.usual_format

    def process(self, frame: DTMF) -> Iterator[AudioRaw | Mark | Clear]:
        if frame.digit == "1":
            yield Mark("welcome")
            yield AudioRaw(bytes(CARRIER.usual_format.bytes_for(2.0)), CARRIER.usual_format)
            yield Mark()
        else:
            yield Clear()


@pytest.mark.usefixtures("madeup")
def test_binary_audio_and_text_keep_their_order_and_a_clear_reaches_the_carrier() -> None:
    async def main() -> None:
        async with serving(lambda call: call.source | Announcement() | call.sink) as served:
            caller = carrier("madeup", inbound=CARRIER.usual_format)
            async with dialled(served.media) as websocket:
                for message in [*caller.hello(), caller.dtmf("1")]:
                    await websocket.send(message)
                heard: list[type] = []
                while ClearRequest not in heard:
                    heard += [type(request) for request in caller.receive(await websocket.recv())]
                    if heard == [AudioRaw] * 5:
                        await websocket.send(caller.dtmf("2"))
                assert set(heard[:-1]) == {AudioRaw}
                await websocket.send(caller.stop())
                assert (await closing(websocket))[0] == 1000
            await served.at_rest()

    run(main())


@pytest.mark.usefixtures("madeup")
def test_a_webhook_is_refused_unless_the_carrier_sent_it(caplog: pytest.LogCaptureFixture) -> None:
    async def ask(config: Config, webhook: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(Server(echo_until_a_key, config, Routes(), KEY))
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.post("http://testserver/sip/madeup/answer", json=webhook, headers=headers)

    async def main() -> None:
        assert (await ask(CONFIG, WEBHOOK, SIGNED)).status_code == 200
        assert (await ask(CONFIG, WEBHOOK, TUNNEL)).status_code == 403
        assert "X-Madeup-Key is not" in caplog.messages[-1]
        assert "not one of madeup" in (await ask(CONFIG, {}, SIGNED)).text
        closed = await ask(Config(), WEBHOOK, SIGNED)
        assert closed.status_code == 403
        assert "closed until provider_config.madeup" in caplog.messages[-1]

    run(main())


@pytest.mark.usefixtures("madeup")
@pytest.mark.parametrize("provider", ["madeup", "twilio", None])
def test_a_stream_needs_a_token_of_its_own_carrier(provider: str | None) -> None:
    async def main() -> None:
        async with serving(echo_until_a_key, CONFIG, key=KEY) as served:
            given: Any = {}
            if provider is not None:
                given["token"] = StreamTokens(KEY).issue(Claims(provider, "c1", FROM, TO, "WIDE"))
            caller = carrier("madeup", call_sid="c1", inbound=CARRIER.usual_format, **given)
            async with dialled(served.media, additional_headers=TUNNEL) as websocket:
                for message in [*caller.hello(), caller.media(PIECE)]:
                    await websocket.send(message)
                if provider == "madeup":
                    assert await websocket.recv() == PIECE
                else:
                    assert (await closing(websocket))[0] == 1008

    run(main())


@pytest.mark.usefixtures("madeup")
@pytest.mark.parametrize("message", [b"\0", "{", '{"kind":"hello"}', '{"kind":"key"}'])
def test_what_its_dialect_does_not_allow_ends_the_call(message: str | bytes) -> None:
    async def main() -> None:
        async with serving(echo_until_a_key, CONFIG) as served, dialled(served.media) as websocket:
            for each in carrier("madeup", inbound=CARRIER.usual_format).hello():
                await websocket.send(each)
            await websocket.send(message)
            assert (await closing(websocket))[0] == 1008
            await served.at_rest()

    run(main())


def test_a_carrier_that_is_not_there_has_no_webhook() -> None:
    async def main() -> None:
        async with serving(config=CONFIG) as served, httpx.AsyncClient() as client:
            assert (await client.post(f"{served.http}/sip/madeup/answer", json=WEBHOOK)).status_code == 404

    run(main())


# Everything else asks the carriers, too


@pytest.mark.usefixtures("madeup")
def test_its_settings_are_read_from_file_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "voiceflow.yaml"
    file.write_text("provider: madeup\nprovider_config:\n  madeup: {key: of the file}\n")
    assert load_config(file).of(MadeupSettings).key == "of the file"
    monkeypatch.setenv("MADEUP_KEY", "of the environment")
    assert load_config(file).of(MadeupSettings).key == "of the environment"


@pytest.mark.usefixtures("madeup")
def test_settings_that_cannot_be_right_keep_the_server_from_starting() -> None:
    with pytest.raises(VoiceflowError, match=r"madeup\.key is too short"):
        Server(echo_until_a_key, Config(provider_config=(MadeupSettings(key="x"),)), Routes(), KEY)


@pytest.mark.usefixtures("madeup")
@pytest.mark.parametrize(
    ("key", "status", "said"),
    [(None, "ok", "not configured"), ("secret", "ok", "MADEUP_KEY are set"), ("x", "fail", "too short")],
)
def test_doctor_examines_its_credentials(key: str | None, status: str, said: str) -> None:
    setting = Setting({}, Config(provider_config=(MadeupSettings(key=key),)))

    async def main() -> None:
        found = await examine("madeup", checks(setting)["madeup"], setting)
        assert found.status == status
        assert said in found.said

    run(main())


@pytest.mark.usefixtures("madeup")
def test_pipelines_are_drawn_as_its_calls_run_them() -> None:
    drawn = CliRunner().invoke(graph, ["echo", "--as", "madeup"])
    assert drawn.exit_code == 0, drawn.output
    assert "MadeupSource" in drawn.output
    assert "pcm16 16000 Hz" in drawn.output
