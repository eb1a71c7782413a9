"""What is refused: strangers learn nothing from it, and cannot fill the log with it."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest
from server.serving import FROM, TO, TUNNEL, Served, carrier, closing, dialled, run, serving
from websockets.exceptions import InvalidStatus

from voiceflow.config.settings import Config
from voiceflow.server.refusals import PEERS, RefusalLog
from voiceflow.testing.virtualloop import VirtualLoop
from voiceflow.transports.carriers import names
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

PUBLIC = "wss://calls.example.com/sip/media-stream"
CONFIGS = {
    "nothing configured": Config(public_ws_url=PUBLIC),
    "keys configured": Config(
        public_ws_url=PUBLIC,
        provider="telnyx",
        provider_config=(TwilioSettings(auth_token="12345"), TelnyxSettings(stream_auth_token="54321")),
    ),
}
FORM = {"CallSid": "CA1", "From": FROM, "To": TO}


async def told(served: Served) -> list[str]:
    """All that strangers are told where they are refused."""
    said = []
    async with httpx.AsyncClient(base_url=served.http, headers=TUNNEL) as client:
        for provider in names():
            for body in (FORM, {}, {**FORM, "Body": "x" * 100_000}):
                answer = await client.post(f"/sip/{provider}/answer", data=body)
                assert answer.status_code == 403
                said.append(answer.text.strip())
            signed = {"X-Twilio-Signature": "wrong", "Telnyx-Signature-Ed25519": "wrong", "Telnyx-Timestamp": "1"}
            said.append((await client.post(f"/sip/{provider}/answer", data=FORM, headers=signed)).text.strip())
        for method, path in (("POST", "/api/offer"), ("POST", "/whip"), ("PATCH", "/whip/x"), ("DELETE", "/whip/x")):
            answer = await client.request(method, path, json={"sdp": "v=0"})
            assert answer.status_code == 403
            said.append(answer.json()["error"])
    for first in (
        carrier().hello(),
        carrier("telnyx").hello(),
        carrier(token="x.y").hello(),
        ["nothing"],
        ['{"x": 1}'],
    ):
        async with dialled(served.media, additional_headers=TUNNEL) as websocket:
            for message in first:
                await websocket.send(message)
            code, reason = await closing(websocket)
            assert code == 1008
            said.append(reason)
    async with dialled(f"ws://127.0.0.1:{served.port}/ws", additional_headers=TUNNEL) as websocket:
        said.append((await closing(websocket))[1])
    with pytest.raises(InvalidStatus) as refused:
        async with dialled(f"ws://127.0.0.1:{served.port}/wrong", additional_headers=TUNNEL):
            pass
    said.append(refused.value.response.body.decode().strip())
    return said


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_strangers_are_told_that_they_are_refused_and_nothing_else(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving(config=config) as served:
            assert set(await told(served)) == {"refused"}

    run(main())
    assert "auth_token" in caplog.text or "Signature" in caplog.text


def test_whoever_runs_the_server_is_told_why() -> None:
    async def main() -> None:
        async with (
            serving(config=CONFIGS["keys configured"]) as served,
            httpx.AsyncClient(base_url=served.http, headers=served.operator) as client,
        ):
            assert "CallSid" in (await client.post("/sip/twilio/answer", data={})).text
            async with dialled(served.media, additional_headers=served.operator) as websocket:
                for message in carrier().hello():
                    await websocket.send(message)
                assert "set up for telnyx" in (await closing(websocket))[1]

    run(main())


def test_a_flood_of_refusals_is_a_few_lines_that_say_how_many(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with serving(config=CONFIGS["nothing configured"]) as served:
            async with httpx.AsyncClient(base_url=served.http, headers=TUNNEL) as client:
                for _ in range(30):
                    await client.post("/sip/twilio/answer", data=FORM)
                    await client.post("/elsewhere", data=FORM)
                    await client.post("/api/offer", json={})
            for _ in range(30):
                reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
                writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
                await reader.read()
                writer.close()
                async with dialled(served.media, additional_headers=TUNNEL):
                    pass
            await served.at_rest()

    run(main())
    told = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "asyncio"))]
    assert len(told) <= 12
    for kind in ("a webhook of twilio", "a POST elsewhere", "a browser", "a media stream that did not begin"):
        assert any(line.startswith(f"{kind}: 29 more from 127.0.0.1") for line in told), kind


def test_each_peer_is_named_once_in_a_while_and_the_others_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        refusals = RefusalLog()
        for again in range(3):
            for peer in range(1000):
                refusals.tell("a webhook", str(peer), f"a webhook from {peer} was refused, {again}")
        assert len(caplog.messages) == PEERS
        await asyncio.sleep(11)
        assert caplog.messages[PEERS:] == [
            "a webhook: "
            + " and ".join(
                [*(f"2 more from {peer}" for peer in range(PEERS)), f"{3 * (1000 - PEERS)} more from others"]
            )
            + " refused within 10 s"
        ]
        refusals.tell("a webhook", "1", "a webhook from 1 was refused again")
        assert caplog.messages[-1] == "a webhook from 1 was refused again"
        await asyncio.sleep(11)
        assert caplog.messages[-1] == "a webhook from 1 was refused again"

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_a_line_is_as_long_as_we_let_it(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        RefusalLog().tell("a webhook", "x", "x" * 100_000)

    asyncio.run(main())
    assert len(caplog.messages[0]) < 1000


@pytest.mark.parametrize(
    ("config", "headers", "reason"),
    [
        (Config(public_ws_url=PUBLIC), TUNNEL, "open the link that was printed at start, or start with --insecure"),
        (
            Config(),
            TUNNEL,
            "this server is for this machine alone, and the request is from elsewhere: start with --ws-url",
        ),
        (
            Config(),
            {"Origin": "https://other.com"},
            "its page is of 'https://other.com', which is neither this server nor in",
        ),
        (Config(), {"Origin": "https://" + "x" * 9_000}, f"its page is of 'https://{'x' * 92}', which is neither"),
    ],
    ids=["without the link", "from elsewhere", "from another page", "from a page with a long name"],
)
def test_the_log_says_why_a_browser_may_not_call_and_what_to_do(
    config: Config, headers: dict[str, str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving(config=config) as served, httpx.AsyncClient(base_url=served.http, headers=headers) as client:
            assert (await client.post("/api/offer", json={"sdp": "v=0"})).status_code == 403

    run(main())
    assert f"a browser from 127.0.0.1 was refused: {reason}" in caplog.text
