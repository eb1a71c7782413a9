"""Calls that begin with a webhook, against the real server and against webhooks that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec
import pytest
from launching import free_port
from madeup import CARRIER, MadeupSettings
from server.serving import FROM, TO, Served, run, serving
from simulator import servers as streams
from starlette.responses import RedirectResponse, Response
from telnyx.lib.webhook_verification import verify_webhook_signature
from twilio.request_validator import RequestValidator
from websockets.asyncio.server import ServerConnection

from voiceflow import Call
from voiceflow.audio import AudioFormat
from voiceflow.config.settings import Config
from voiceflow.errors import ProviderConnectionError
from voiceflow.processors import TTS, Dialog
from voiceflow.security.secret_file import published
from voiceflow.security.trust import secret_of
from voiceflow.simulator import announced, webhooks
from voiceflow.simulator.announced import AnnouncedLoad, Party
from voiceflow.simulator.load import CallOutcome
from voiceflow.simulator.report import report
from voiceflow.simulator.script import Script, write
from voiceflow.transports.answer import refuse, reject
from voiceflow.transports.carriers import Carrier, carrier_named, register, unregister
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

KEY = b"key of this run"
PUBLIC = "https://voice.example.com"
MULAW = AudioFormat("mulaw", 8_000)
ACCOUNT = "AC" + "1" * 32
PERSON = "+12025550155"
XML = "application/xml"


@pytest.fixture(autouse=True)
def _marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that were used are noted here, and secrets of runs published here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(announced, "COMMAND", 10.0)  # it comes


@pytest.fixture
def no_more_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a transfer none may come, and the time for it passes."""
    monkeypatch.setattr(announced, "COMMAND", 0.4)


@pytest.fixture
def madeup() -> Iterator[None]:
    register(CARRIER)
    yield
    unregister("madeup")


async def talk(call: Call) -> None:
    """Does what the caller presses: 1 transfers, 2 sends digits, 3 hangs up; 4 transfers, and hangs up at once."""
    match await call.digits():
        case "1":
            await call.transfer(PERSON)
            await call.digits()
        case "2":
            await call.send_digits("12#")
            await call.digits()
        case "4":
            await call.transfer(PERSON)


class Mute(TTS):
    rate = 8_000

    async def synthesize(self, text: str, voice: str) -> bytes:
        return bytes(320)


def desk(call: Call) -> Any:
    return call.source | Dialog(talk) | Mute() | call.sink


PAIR = carrier_named("telnyx").make_signing_key()


def settings(name: str, *, port: int = 0, key: str = "s3cret") -> Any:
    if name == "twilio":
        rest = f"http://127.0.0.1:{port}" if port else None
        return TwilioSettings(account_sid=ACCOUNT, auth_token=key, base_url=rest)
    public = carrier_named("telnyx").public_key(PAIR)
    if not port:
        return TelnyxSettings(public_key=public)
    return TelnyxSettings(public_key=public, api_key=key, base_url=f"http://127.0.0.1:{port}/v2", codec="L16")


def config(*carriers: Any) -> Config:
    return Config(public_ws_url="wss://voice.example.com/sip/media-stream", provider_config=carriers)


def load(
    carrier: Carrier[Any], of: Any, url: str, script: Script, *, count: int = 1, public: str | None = PUBLIC
) -> AnnouncedLoad:
    pair = PAIR if carrier.name == "telnyx" else None
    party = Party(FROM, TO, carrier.usual_format)
    return AnnouncedLoad(carrier, carrier.double(of, pair), url, public, party, count, script)


def pressing(digits: str, seconds: float = 15.0) -> Script:
    return write(None, MULAW, digits=digits, barge_in_at=0.1, seconds=seconds)


async def called(server: Served, name: str, of: Any, script: Script, **options: Any) -> AnnouncedLoad:
    made = load(carrier_named(name), of, f"{server.http}/sip/{name}/answer", script, **options)
    await made.run()
    await server.at_rest()
    return made


CARRIERS = pytest.mark.parametrize("name", ["twilio", "telnyx"])


@CARRIERS
@pytest.mark.parametrize("keys", ["1", "4"], ids=["and waits", "and ends"])
@pytest.mark.usefixtures("no_more_commands")
def test_a_call_that_the_agent_transfers_is_followed(name: str, keys: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        of = settings(name, port=free_port())
        async with serving(desk, config(of), key=KEY) as server:
            made = await called(server, name, of, pressing(keys))
        assert made.callers[0].ended == CallOutcome(f"transferred to {PERSON}")
        assert list(made.tally.commands) == [f"transferred to {PERSON}"]
        assert made.tally.webhook.quantiles() is not None

    run(main())
    assert not warnings(caplog)


@CARRIERS
def test_an_agent_who_hangs_up_ends_the_call(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        of = settings(name, port=free_port())
        async with serving(desk, config(of), key=KEY) as server:
            made = await called(server, name, of, pressing("3"))
        assert made.callers[0].ended == CallOutcome("the agent hung up")
        assert not made.tally.commands

    run(main())
    assert not warnings(caplog)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the server had to complain of."""
    return [each.getMessage() for each in caplog.records if each.name in ("voiceflow.call", "voiceflow.server")]


@CARRIERS
@pytest.mark.usefixtures("no_more_commands")
def test_what_stays_on_this_machine_goes_through_no_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would see the credentials, which http does not hide."""
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")

    async def main() -> None:
        of = settings(name, port=free_port())
        async with serving(desk, config(of), key=KEY) as server:
            made = load(carrier_named(name), of, f"{server.http}/sip/{name}/answer", pressing("4"))
            await made.run()
        assert made.callers[0].ended == CallOutcome(f"transferred to {PERSON}")

    run(main())


def test_digits_by_the_carrier_are_told_and_the_call_goes_on() -> None:
    async def main() -> None:
        of = settings("telnyx", port=free_port())
        async with serving(desk, config(of), key=KEY) as server:
            made = await called(server, "telnyx", of, pressing("2", 1.0))
        assert made.callers[0].ended == CallOutcome("hung up")
        assert list(made.tally.commands) == ["the digits 12# were played"]

    run(main())


@CARRIERS
def test_without_a_rest_interface_the_agent_hangs_up_by_the_end_of_the_stream(name: str) -> None:
    async def main() -> None:
        of = settings(name)
        async with serving(desk, config(TwilioSettings(auth_token="s3cret") if name == "twilio" else of)) as server:
            made = await called(server, name, of, pressing("3"))
        assert made.callers[0].ended == CallOutcome("the agent hung up")

    run(main())


@pytest.mark.usefixtures("no_more_commands")
def test_calls_have_webhooks_and_tokens_of_their_own_and_are_counted_together() -> None:
    async def main() -> None:
        of = settings("twilio", port=free_port())
        async with serving(desk, config(of), key=KEY) as server:
            made = await called(server, "twilio", of, pressing("1"), count=5)
        told = report(made, url="", provider="twilio", codec="", heard=None, recorded=None)
        assert [(ending.reason, ending.count, ending.failed) for ending in told.ended] == [
            (f"transferred to {PERSON}", 5, False)
        ]
        assert [(command.what, command.count) for command in told.commands] == [(f"transferred to {PERSON}", 5)]
        assert told.webhook_ms is not None
        assert told.webhook_ms.count == 5

    run(main())


@CARRIERS
def test_the_agents_audio_has_the_format_that_the_answer_names(name: str) -> None:
    def echo(call: Call) -> Any:
        return call.source | call.sink

    async def main() -> None:
        of = settings(name, port=free_port())
        async with serving(echo, config(of)) as server:
            script = write(None, MULAW, seconds=0.3)
            made = await called(server, name, of, script)
        player = made.callers[0].player
        assert player.format == (AudioFormat("pcm16", 16_000) if name == "telnyx" else MULAW)
        assert player.recording

    run(main())


# Who may call


@CARRIERS
def test_a_webhook_with_another_key_is_refused_and_the_error_says_what_to_compare(name: str) -> None:
    async def main() -> None:
        other = carrier_named("telnyx").public_key(carrier_named("telnyx").make_signing_key())
        theirs = TwilioSettings(auth_token="other") if name == "twilio" else TelnyxSettings(public_key=other)
        async with serving(desk, config(theirs)) as server:
            with pytest.raises(ProviderConnectionError) as refused:
                await called(server, name, settings(name), pressing("3"))
        assert "answered with status 403: " in str(refused.value)
        assert f"was signed for https://voice.example.com/sip/{name}/answer" in str(refused.value)
        assert "same keys and address (-c, .env)" in str(refused.value)

    run(main())


@CARRIERS
def test_without_keys_the_webhook_shows_the_secret_of_the_run(name: str) -> None:
    carrier = carrier_named(name)

    async def main() -> None:
        async with serving(desk, config(), key=KEY) as server:
            url = f"{server.http}/sip/{name}/answer"
            party = Party(FROM, TO, MULAW)
            unsigned = carrier.double(carrier.settings())

            async def call() -> CallOutcome | None:
                made = AnnouncedLoad(carrier, unsigned, url, PUBLIC, party, 1, pressing("3"))
                await made.run()
                return made.callers[0].ended

            with published(secret_of(KEY), server.port):
                assert await call() == CallOutcome("the agent hung up")
            with pytest.raises(ProviderConnectionError, match="The webhook was not signed"):
                await call()

    run(main())


@pytest.mark.parametrize("kept", [True, False])
def test_below_a_prefix_the_public_address_is_signed_whether_a_proxy_strips_it_or_not(kept: bool) -> None:
    async def main() -> None:
        of = settings("twilio")
        public = Config(public_ws_url="wss://voice.example.com/voice/sip/media-stream", provider_config=(of,))
        async with serving(desk, public) as server:
            url = f"{server.http}{'/voice' if kept else ''}/sip/twilio/answer"
            made = load(carrier_named("twilio"), of, url, pressing("3"), public="https://voice.example.com/voice")
            await made.run()
        assert made.callers[0].ended == CallOutcome("the agent hung up")

    run(main())


@pytest.mark.usefixtures("madeup")
def test_a_carrier_of_another_package_announces_calls_by_its_own_double() -> None:
    async def main() -> None:
        of = MadeupSettings(key="secret")
        async with serving(desk, config(of)) as server:
            made = load(CARRIER, of, f"{server.http}/sip/madeup/answer", write(None, CARRIER.usual_format, digits="3"))
            await made.run()
        assert made.callers[0].ended == CallOutcome("the agent hung up")

    run(main())


# Webhooks that misbehave


@pytest.mark.parametrize(("code", "events"), [(1000, ["started", "stopped"]), (1011, ["started", "error"])])
@CARRIERS
def test_the_status_callback_is_told_of_the_streams_beginning_and_end(name: str, code: int, events: list[str]) -> None:
    told: list[dict[str, str]] = []
    sdk = RequestValidator("s3cret")

    class Webhook(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            body = (await receive())["body"].decode()
            form, headers = dict(parse_qsl(body)), {key.decode(): value.decode() for key, value in scope["headers"]}
            if scope["path"].endswith("/answer"):
                mode = "bidirectionalMode='rtp' statusCallback='../status?a=b'"
                answer = stream(url).replace("<Stream", f"<Stream {mode}")
                await Response(answer, media_type=XML)(scope, receive, send)
                return
            assert (scope["path"], scope["query_string"]) == ("/sip/status", b"a=b")
            if name == "twilio":
                assert sdk.validate(f"{PUBLIC}/sip/status?a=b", form, headers["x-twilio-signature"])
            else:
                verify_webhook_signature(body, headers, carrier_named("telnyx").public_key(PAIR))
            told.append(form)
            await Response(status_code=500)(scope, receive, send)  # which changes nothing for the call

    async def hang_up(line: ServerConnection) -> None:
        await line.recv()
        await line.close(code)

    url = ""

    async def main() -> None:
        nonlocal url
        async with streams.serving(hang_up) as url, answering(Webhook) as webhook:
            made = load(carrier_named(name), settings(name), webhook, pressing("3"))
            await made.run()
        assert made.callers[0].ended is not None
        assert made.callers[0].ended.failed is (code == 1011)

    run(main())
    assert [form["StreamEvent"] for form in told] == [f"stream-{event}" for event in events]
    assert all({"AccountSid", "CallSid", "StreamSid", "Timestamp"} <= form.keys() for form in told)
    assert ("StreamError" in told[1]) is (code == 1011)


@contextlib.asynccontextmanager
async def answering(answer: Callable[[], Any]) -> AsyncIterator[str]:
    """A webhook at which every request gets `answer()`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer()(scope, receive, send)

    async with streams.served(app) as address:
        yield f"{address}/sip/twilio/answer"


class Slow(Response):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass


class Dripping(Slow):
    """Sends a little now and then, for longer than anybody waits."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(20):
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.05)


def stream(url: str, after: str = "") -> str:
    return f"<Response><Connect><Stream url='{url}'/></Connect>{after}</Response>"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response(reject("busy"), media_type=XML), r"^busy: the server takes no further call$"),
        (Response(reject(), media_type=XML), r"^rejected: the server does not take this call$"),
        (
            Response(refuse("Closed."), media_type=XML),
            r"refused the call: the caller hears 'Closed.' and is hung up on",
        ),
        (Response("<Response/>", media_type=XML), r"the answer to the webhook is empty, so the carrier hangs up"),
        (Response("<Response><Gather/></Response>", media_type=XML), r"<Gather>, which the simulated carrier does not"),
        (Response("<Response><Dial>+1</Dial></Response>", media_type=XML), r"no media stream: transferred to \+1"),
        (Response("hello", media_type="text/plain"), r"expected an answer of type .* got 'text/plain': 'hello'"),
        (Response("", media_type=XML), r"got an empty answer"),
        (Response("x" * 70_000, media_type=XML), r"answered with more than 65536 bytes"),
        (Response("no", 401), r"answered with status 401: no. The webhook was signed for https://voice.example"),
        (Response("", 404), r"status 404: Not Found. Expected a webhook that takes POST"),
        (Response("oh", 500), r"status 500: oh. The log of the server says why"),
        (Response("", 502), r"status 502: Bad Gateway"),
        (Response("", 204), r"status 204"),
        (RedirectResponse("https://b.example/x"), r"redirects to https://b.example/x: give that address"),
        (Dripping(), r"has not answered the webhook for 0.2 s"),
        (Slow(), r"has not answered the webhook for 0.2 s, and Twilio waits no longer"),
        (Response(stream("wss://voice.example.com/nowhere"), media_type=XML), r"ws://127.0.0.1:\d+/nowhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_that_opens_no_stream_is_an_error_that_says_what_came(
    answer: Response, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE", 0.2 if isinstance(answer, Slow) else 15.0)

    async def main() -> None:
        async with answering(lambda: answer) as url:
            with pytest.raises(ProviderConnectionError, match=said):
                await load(carrier_named("twilio"), settings("twilio"), url, pressing("1")).run()

    run(main())


@pytest.mark.parametrize("url", ["ws://127.0.0.1:8000/x", "http://", "127.0.0.1:8000", "http://127.0.0.1:port/x", ""])
def test_what_is_no_url_of_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(ProviderConnectionError, match="is not the URL of a webhook: expected one such as http://"):
        load(carrier_named("twilio"), settings("twilio"), url, pressing("1"))


def test_where_nothing_listens_the_error_says_what_to_start() -> None:
    async def main() -> None:
        url = f"http://127.0.0.1:{free_port()}/sip/twilio/answer"
        with pytest.raises(ProviderConnectionError, match=r"nothing answers on 127\.0\.0\.1 port .*voiceflow run"):
            await load(carrier_named("twilio"), settings("twilio"), url, pressing("1")).run()

    run(main())


def test_the_port_of_the_rest_interface_may_be_in_use() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            of = settings("twilio", port=taken.getsockname()[1])
            with pytest.raises(ProviderConnectionError, match="cannot stand in for Twilio's REST interface at http://"):
                await load(carrier_named("twilio"), of, "http://127.0.0.1:1/x", pressing("1")).run()

    run(main())


@CARRIERS
def test_a_server_that_is_full_is_busy(name: str) -> None:
    async def main() -> None:
        of = settings(name)
        full = msgspec.structs.replace(config(of), max_calls=1)
        async with serving(desk, full) as server:
            made = await called(server, name, of, write(None, MULAW, seconds=1.5), count=3)
        assert [caller.ended for caller in made.callers] == [CallOutcome("hung up")]
        assert made.refused == [CallOutcome("busy: the server takes no further call", failed=True)] * 2

    run(main())


async def outcome(after: str, of: Any, serve: streams.Serve) -> CallOutcome | None:
    """How a call ends whose answer says `after` after the stream, which `serve` serves."""
    async with streams.serving(serve) as url:
        answer = Response(stream(url, after), media_type=XML)
        async with answering(lambda: answer) as webhook:
            made = load(carrier_named("twilio"), of, webhook, pressing("3"))
            await made.run()
    return made.callers[0].ended


@pytest.mark.parametrize(
    ("after", "ended"),
    [
        (f"<Dial>{PERSON}</Dial>", CallOutcome(f"transferred to {PERSON}")),
        ("<Say>Goodbye.</Say>", CallOutcome("the carrier said 'Goodbye.'")),
        ("<Play digits='1'/><Hangup/>", CallOutcome("the digits 1 were played, then the agent hung up")),
        (
            "<Connect><Stream url='wss://a.example/b'/></Connect>",
            CallOutcome(
                "another media stream, to wss://a.example/b, which the simulated carrier does not open", failed=True
            ),
        ),
    ],
)
def test_what_the_answer_says_after_the_stream_is_followed(after: str, ended: CallOutcome) -> None:
    async def hang_up(line: ServerConnection) -> None:
        await line.recv()

    async def main() -> None:
        assert await outcome(after, settings("twilio"), hang_up) == ended

    run(main())


def test_a_server_that_fails_the_stream_has_failed_the_call() -> None:
    async def fail(line: ServerConnection) -> None:
        await line.recv()
        await line.close(1011, "out of order")

    async def main() -> None:
        ended = await outcome("<Say>Oh.</Say>", settings("twilio"), fail)
        assert ended == CallOutcome("the server closed the connection: 1011 out of order", failed=True)

    run(main())


def test_a_caller_who_was_transferred_and_then_hung_up_on_is_a_failure() -> None:
    async def transfer_and_hang_up(line: ServerConnection) -> None:
        await line.recv()
        call = json.loads(await line.recv())["start"]["callSid"]
        async with httpx.AsyncClient(auth=(ACCOUNT, "s3cret")) as client:
            at = f"{of.base_url}/2010-04-01/Accounts/{ACCOUNT}/Calls/{call}.json"
            for form in ({"Twiml": f"<Response><Dial>{PERSON}</Dial></Response>"}, {"Status": "completed"}):
                (await client.post(at, data=form)).raise_for_status()
            late = await client.post(at, data={"Status": "completed"})
            assert (late.status_code, late.json()["code"]) == (400, 21220)
        await line.wait_closed()

    of = settings("twilio", port=free_port())

    async def main() -> None:
        ended = await outcome("", of, transfer_and_hang_up)
        assert ended == CallOutcome(f"transferred to {PERSON}, then the agent hung up", failed=True)

    run(main())
