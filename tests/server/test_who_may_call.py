"""Which media streams become calls: those of this machine, and those that bring a token of ours."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import httpx
import msgspec
import pytest
from server.serving import (
    FROM,
    MULAW,
    SPEECH,
    TO,
    TUNNEL,
    Served,
    begin,
    call_id,
    carrier,
    closing,
    dialled,
    hears,
    parameters,
    run,
    serving,
)
from twilio.request_validator import RequestValidator
from websockets.exceptions import ConnectionClosed, InvalidStatus

from voiceflow import DTMF, Call, CallError, Processor
from voiceflow.audio import AudioFormat
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.security.tokens import LIFETIME, Claims, StreamTokens
from voiceflow.security.trust import secret_of
from voiceflow.server.refusals import REFUSED
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.twilio.settings import TwilioSettings
from voiceflow.transports.dialect import Mirror

KEY = b"the key of this run"
AUTH_TOKEN = "12345"
PUBLIC_URL = "wss://calls.example.com/sip/media-stream"
CONFIG = Config(
    public_ws_url=PUBLIC_URL,
    provider_config=(TwilioSettings(auth_token=AUTH_TOKEN), TelnyxSettings(codec="L16")),
)
CLAIMS = Claims("twilio", call_id(), FROM, TO, "PCMU")

Ended = tuple[int | None, str]


@pytest.fixture(autouse=True)
def _marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that were used are noted here, and not in the system's folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


async def call(served: Served, caller: Mirror, headers: Mapping[str, str] = TUNNEL) -> Ended | None:
    """How a stream is refused; None if it becomes a call. Of strangers' streams the log alone tells why."""
    async with dialled(served.media, additional_headers=headers) as websocket:
        await begin(websocket, caller)
        try:
            await websocket.recv()
        except ConnectionClosed:
            code, reason = await closing(websocket)
            return code, _reasons[-1] if reason == REFUSED else reason
        return None


class _Reasons(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _, refused, reason = record.getMessage().partition(" was refused: ")
        if refused:
            _reasons.append(reason)


_reasons: list[str] = []
"""Why something was refused, as it was logged."""


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    handler = _Reasons()
    logging.getLogger("voiceflow.server").addHandler(handler)
    yield
    logging.getLogger("voiceflow.server").removeHandler(handler)


def attempt(
    caller: Mirror, headers: Mapping[str, str] = TUNNEL, config: Config = CONFIG, open: bool = False
) -> Ended | None:
    results: list[Ended | None] = []

    async def main() -> None:
        async with serving(config=config, key=KEY, open=open) as served:
            results.append(await call(served, caller, headers))
            await served.at_rest()

    run(main())
    return results[0]


def token(claims: Claims = CLAIMS, key: bytes = KEY, age: float = 0.0) -> str:
    return StreamTokens(key, clock=lambda: time.time() - age).issue(claims)


# What a call may do at its carrier

CREDENTIALS = Config(provider_config=(TwilioSettings(account_sid="AC1", auth_token=AUTH_TOKEN),))


class Transfers(Processor):
    """Tries to transfer its call, and then leaves."""

    def __init__(self, results: list[str], to: str) -> None:
        self.results = results
        self.to = to

    async def open(self, call: Call) -> None:
        call.start(self.transfer, "transfer")

    async def transfer(self) -> None:
        try:
            await self.call.transfer(self.to)
        except CallError as error:
            self.results.append(str(error))
        await self.call.hangup()

    def process(self, frame: DTMF) -> DTMF:
        return frame


def transferring(caller: Mirror, to: str = "+19005550123") -> str:
    """What is said to a transfer that `caller` had the pipeline ask for: to a number at a premium rate."""
    results: list[str] = []

    async def main() -> None:
        build = lambda call: call.source | Transfers(results, to) | call.sink  # noqa: E731
        async with serving(build, CREDENTIALS, key=KEY) as served:
            await call(served, caller, {})
            await served.at_rest()

    run(main())
    (result,) = results
    return result


def test_a_call_is_not_transferred_where_its_route_does_not_allow_it() -> None:
    assert "special rate" in transferring(carrier(token=token()))


def test_a_called_number_that_the_caller_has_made_up_allows_no_transfer_to_its_country() -> None:
    """Whoever calls by SIP chooses what stands before the host."""
    claims = msgspec.structs.replace(CLAIMS, did="sip:+263771234567@calls.example.com")
    assert "country of the called number" in transferring(carrier(token=token(claims)), "+263772345678")


def test_the_credentials_do_not_act_on_a_call_that_no_webhook_announced() -> None:
    """Whoever opens a stream chooses the id in its start message: it may be that of somebody else's call."""
    refused = transferring(carrier())
    assert "takes a phone call, and the carrier's credentials" in refused
    assert "to try it, `voiceflow call --via-webhook`" in refused


# Tokens


@pytest.mark.parametrize(
    ("sign", "said"),
    [
        (False, "that takes a phone call, and the carrier's credentials"),
        (True, "it is a number at a special rate"),
    ],
    ids=["unsigned", "signed"],
)
def test_where_everybody_may_call_only_a_signed_webhook_gives_call_control(sign: bool, said: str) -> None:
    """Whoever sends an unsigned one names the call that the operator's credentials would act on."""
    results: list[str] = []
    settings = TwilioSettings(account_sid="AC1", auth_token=AUTH_TOKEN)
    config = Config(public_ws_url=PUBLIC_URL, provider_config=(settings,))

    async def main() -> None:
        build = lambda call: call.source | Transfers(results, "+19005550123") | call.sink  # noqa: E731
        async with serving(build, config, key=KEY, open=True) as served, httpx.AsyncClient() as client:
            form = {"CallSid": call_id(), "From": FROM, "To": TO}
            url = "https://calls.example.com/sip/twilio/answer"
            signed = {"X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(url, form)} if sign else {}
            answer = await client.post(f"{served.http}/sip/twilio/answer", data=form, headers=TUNNEL | signed)
            await call(served, carrier(token=parameters(answer)["token"]), TUNNEL)
            await served.at_rest()

    run(main())
    (result,) = results
    assert said in result


def test_a_stream_with_a_token_of_ours_becomes_a_call() -> None:
    assert attempt(carrier(token=token())) is None


def test_a_stream_without_a_token_is_refused() -> None:
    assert attempt(carrier()) == (
        1008,
        "the stream has no token: it must come from our answer to a carrier's webhook",
    )


def test_a_stream_with_a_token_that_is_too_old_is_refused() -> None:
    assert attempt(carrier(token=token(age=LIFETIME - 10))) is None
    refused = attempt(carrier(token=token(age=LIFETIME + 10)))
    assert refused is not None
    assert refused[0] == 1008
    assert "expired" in refused[1]


@pytest.mark.parametrize("made_up", ["", "x", "x.y", token(key=b"another run"), token()[:-1], "x" * 100_000], ids=len)
def test_a_stream_with_a_token_that_we_have_not_made_is_refused(made_up: str) -> None:
    ended = attempt(carrier(token=made_up))
    assert ended is not None
    assert (ended[0], ended[1][:60]) == (1008, "the stream token is not one that this server has issued (pro")


@pytest.mark.parametrize(
    "claims",
    [
        Claims("twilio", call_id(number=2), FROM, TO, "PCMU"),
        Claims("telnyx", call_id(), FROM, TO, "PCMU"),
    ],
    ids=["call", "carrier"],
)
def test_a_token_is_good_for_its_own_call_only(claims: Claims) -> None:
    assert attempt(carrier(token=token(claims))) == (1008, "the stream's token was made for another call")


def test_the_numbers_are_those_of_the_signed_webhook(caplog: pytest.LogCaptureFixture) -> None:
    """A carrier may write them differently in the stream, and whoever opened the stream could claim any."""
    caplog.set_level("INFO")
    claims = Claims("twilio", call_id(), "+12025550000", TO, "PCMU")
    assert attempt(carrier(token=token(claims))) is None
    assert f"from +1...0000 to +1...{TO[-4:]} by twilio" in caplog.text


@pytest.mark.parametrize(
    ("sent", "refused"),
    [
        ("right", None),
        ("wrong", (1008, "the stream's X-Telnyx-Streaming-Auth-Token is not the one that is configured")),
        (None, (1008, "the stream's X-Telnyx-Streaming-Auth-Token is not the one that is configured")),
    ],
)
def test_telnyx_brings_the_auth_token_that_it_was_told(sent: str | None, refused: Ended | None) -> None:
    config = Config(provider_config=(TelnyxSettings(stream_auth_token="right"),))
    headers = TUNNEL | ({"X-Telnyx-Streaming-Auth-Token": sent} if sent else {})
    claims = Claims("telnyx", call_id("telnyx"), FROM, TO, "PCMU")
    assert attempt(carrier("telnyx", token=token(claims)), headers, config) == refused


def test_a_token_is_good_for_one_stream_also_with_two_workers() -> None:
    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as one, serving(config=CONFIG, key=KEY) as other:
            once = token()
            assert await call(one, carrier(token=once)) is None
            for served in (one, other):
                assert await call(served, carrier(token=once)) == (
                    1008,
                    "the stream token was used before: each is good for one stream",
                )

    run(main())


async def twilios_token(served: Served) -> str:
    """The token in the answer to a webhook that Twilio has signed."""
    form = {"CallSid": call_id(), "From": FROM, "To": TO}
    url = "https://calls.example.com/sip/twilio/answer"
    signed = {"X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(url, form)}
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{served.http}/sip/twilio/answer", data=form, headers=TUNNEL | signed)
    return parameters(answer)["token"]


def test_the_token_in_twilios_answer_lets_its_stream_in() -> None:
    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as served:
            assert await call(served, carrier(token=await twilios_token(served))) is None

    run(main())


def test_telnyx_hears_the_codec_that_our_answer_asked_for() -> None:
    """The caller is coded in another one, and the stream does not tell ours: the token does."""
    wideband = AudioFormat("pcm16", 16_000)

    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as served, httpx.AsyncClient() as client:
            form = {"CallSid": call_id("telnyx"), "From": FROM, "To": TO}
            answer = await client.post(f"{served.http}/sip/telnyx/answer", data=form, headers=served.operator)
            once = parameters(answer)["token"]
            caller = carrier("telnyx", call_sid=call_id("telnyx"), inbound=MULAW, outbound=wideband, token=once)
            async with dialled(served.media, additional_headers=TUNNEL) as websocket:
                assert len(await hears(websocket, caller)) == wideband.bytes_for(0.02)

    run(main())


def test_twilio_hears_the_format_that_its_start_names() -> None:
    wideband = AudioFormat("pcm16", 16_000)

    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as served:
            caller = carrier(inbound=wideband, token=await twilios_token(served))
            async with dialled(served.media, additional_headers=TUNNEL) as websocket:
                assert await hears(websocket, caller) == SPEECH

    run(main())


def test_telnyx_hears_its_own_codec_where_no_token_tells_another() -> None:
    async def main() -> None:
        config = Config(provider_config=CONFIG.provider_config)
        async with serving(config=config) as served, dialled(served.media) as websocket:
            assert await hears(websocket, carrier("telnyx")) == SPEECH

    run(main())


# Local or not


@pytest.mark.parametrize(
    ("headers", "local"),
    [
        ({}, True),
        ({"Origin": "http://localhost:8000"}, False),
        ({"Origin": "https://evil.example.com"}, False),
        ({"Forwarded": "for=127.0.0.1"}, False),
        ({"X-Forwarded-Host": "localhost"}, False),
        ({"CF-Ray": "1"}, False),
    ],
    ids=str,
)
def test_only_local_streams_need_no_token(headers: dict[str, str], local: bool) -> None:
    assert (attempt(carrier(), headers, Config()) is None) == local


def test_a_page_of_the_server_itself_may_open_a_stream() -> None:
    async def main() -> None:
        async with serving() as served:
            assert await call(served, carrier(), {"Origin": served.http}) is None

    run(main())


def test_with_a_public_address_no_stream_is_local() -> None:
    """A proxy that adds nothing, such as a TCP forwarder, may pass on whatever a client writes."""
    for headers in ({}, {"Host": "localhost"}, {"Authorization": "Bearer x"}):
        assert attempt(carrier(), headers) is not None
    assert attempt(carrier(), {"Authorization": f"Bearer {secret_of(KEY)}"}) is None


@contextlib.asynccontextmanager
async def forwarded(port: int) -> AsyncIterator[int]:
    """A TCP forwarder on this machine, which adds nothing and hides who connects, as `ssh -R` and socat do. Yields its
    port."""

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, on = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pour(reader, on), pour(back, writer))

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "calls.example.com"])
def test_what_a_forwarder_on_this_machine_passes_on_is_not_trusted(host: str) -> None:
    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as served, forwarded(served.port) as port:
            url = served.media.replace("127.0.0.1", host)
            async with dialled(url, host="127.0.0.1", port=port) as websocket:
                for message in carrier().hello():
                    await websocket.send(message)
                assert (await closing(websocket))[0] == 1008
            form = {"CallSid": call_id(), "From": FROM, "To": TO}
            async with httpx.AsyncClient() as client:
                url = f"http://127.0.0.1:{port}/sip/twilio/answer"
                assert (await client.post(url, data=form, headers={"Host": host})).status_code == 403

    run(main())


@pytest.mark.parametrize("host", ["evil.example.com", "localhost.example.com", "127.0.0.1.example.com"])
def test_a_page_that_rebinds_its_name_to_this_machine_is_not_local(host: str) -> None:
    async def main() -> None:
        async with serving(config=CONFIG) as served:
            url = served.media.replace("127.0.0.1", host)
            async with dialled(url, host="127.0.0.1", port=served.port) as websocket:
                for message in carrier().hello():
                    await websocket.send(message)
                code, reason = await closing(websocket)
        assert (code, reason) == (1008, REFUSED)
        assert "no token" in _reasons[-1]

    run(main())


def test_insecure_lets_everybody_in() -> None:
    assert attempt(carrier(), open=True) is None


# Twilio signs its upgrades, too


def upgrade(signature: str) -> dict[str, str]:
    return TUNNEL | {"X-Twilio-Signature": signature}


def test_a_stream_that_twilio_signed_still_needs_its_token() -> None:
    signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL, {})
    assert attempt(carrier(token=token()), upgrade(signature)) is None
    refused = attempt(carrier(), upgrade(signature))
    assert refused is not None
    assert "no token" in refused[1]


def test_a_stream_with_a_wrong_signature_is_refused_before_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InvalidStatus) as refused:
        attempt(carrier(token=token()), upgrade("0oGUgt+sqwJ5xiuHZt7SJ2eeIP8="))
    assert refused.value.response.status_code == 403
    assert "X-Twilio-Signature does not fit" in caplog.text


# Numbers


def test_a_stream_for_a_number_without_a_route_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "voiceflow.yaml"
    file.write_text("dids:\n  '+15125551234':\n")

    async def main() -> None:
        async with serving(routes=Routes(file)) as served:
            refused = await call(served, carrier(), {})
            assert refused == (1008, f"no route for the number {TO}: add it under `dids`")
            assert await call(served, carrier(did="+15125551234"), {}) is None

    run(main())
