"""The doubles of carriers: what they sign, what they read, what their REST interfaces answer.

The oracles are the carriers' own SDKs: they check the doubles' signatures, and their clients talk to the doubles.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import telnyx
from doubles import virtual
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from telnyx.lib.webhook_verification import verify_webhook_signature
from twilio.base.exceptions import TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response as SdkResponse
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from voiceflow.audio import AudioFormat
from voiceflow.errors import CallError, ProviderConnectionError, VoiceflowError
from voiceflow.transports.answer import LONGEST_PARAMETER, connect, refuse, reject
from voiceflow.transports.carriers import IncomingCall, Webhook, carrier_named
from voiceflow.transports.carriers.instructions import (
    DialNumber,
    HangUpCall,
    Instruction,
    OpenStream,
    PlayDigits,
    RejectCall,
    SpeakText,
)
from voiceflow.transports.carriers.telnyx import Telnyx
from voiceflow.transports.carriers.telnyx.control import TelnyxControl
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.twilio import Twilio
from voiceflow.transports.carriers.twilio.control import TwilioControl
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

FROM, TO = "+12025550123", "+12025550199"
URL = "https://voice.example.com/sip/answer"
STREAM = "wss://voice.example.com/sip/media-stream"
ACCOUNT, TOKEN, CALL = "AC" + "1" * 32, "t0ken", "CA" + "2" * 32
TWILIO = TwilioSettings(account_sid=ACCOUNT, auth_token=TOKEN, base_url="http://127.0.0.1:8090/twilio/")
PAIR = Telnyx().make_signing_key()
TELNYX = TelnyxSettings(
    api_key="KEY1", public_key=Telnyx().public_key(PAIR), base_url="http://127.0.0.1:8090/v2", codec="L16"
)
XML = "application/xml; charset=utf-8"
CARRIERS = pytest.mark.parametrize("name", ["twilio", "telnyx"])


def double(name: str) -> Any:
    return Twilio().double(TWILIO) if name == "twilio" else Telnyx().double(TELNYX, PAIR)


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(key.encode(), value.encode()) for key, value in headers.items()]


# Signatures


def test_twilios_sdk_finds_the_doubles_signatures_good() -> None:
    sent, sdk = double("twilio").webhook(CALL, FROM, TO, URL), RequestValidator(TOKEN)
    assert sdk.validate(URL, dict(parse_qsl(sent.body.decode())), sent.headers["X-Twilio-Signature"])
    assert sdk.validate(STREAM, {}, double("twilio").upgrade_headers(STREAM)["X-Twilio-Signature"])


def test_telnyxs_sdk_finds_the_doubles_signature_good() -> None:
    sent = double("telnyx").webhook("v3:1", FROM, TO, URL)
    verify_webhook_signature(sent.body.decode(), sent.headers, TELNYX.public_key or "")


@CARRIERS
def test_our_end_admits_and_understands_what_the_double_sends(name: str) -> None:
    carrier, settings = carrier_named(name), TWILIO if name == "twilio" else TELNYX
    sent = double(name).webhook(CALL, FROM, TO, URL)
    webhook = Webhook(URL, raw(sent.headers), sent.body)
    carrier.verify_webhook(settings, webhook)
    assert carrier.incoming(webhook) == IncomingCall(CALL, FROM, TO)
    carrier.verify_upgrade(settings, STREAM, raw(double(name).upgrade_headers(STREAM)))


def test_without_keys_nothing_is_signed() -> None:
    for carrier in (Twilio().double(TwilioSettings()), Telnyx().double(TelnyxSettings(public_key=TELNYX.public_key))):
        assert not carrier.signs
        assert carrier.rest_address is None
        assert not any("ignature" in name for name in carrier.webhook(CALL, FROM, TO, URL).headers)
        assert carrier.upgrade_headers(STREAM) == {}


def test_telnyxs_stream_brings_the_configured_token() -> None:
    settings = TelnyxSettings(stream_auth_token="s3cret")
    Telnyx().verify_stream(settings, raw(Telnyx().double(settings).upgrade_headers(STREAM)))


def test_a_signing_key_must_be_that_of_the_public_key() -> None:
    with pytest.raises(VoiceflowError, match=r"TELNYX_PUBLIC_KEY\) is not that of --signing-key"):
        Telnyx().double(TELNYX, Telnyx().make_signing_key())
    assert Telnyx().double(TelnyxSettings(), PAIR).signs
    other = Telnyx().public_key(Telnyx().make_signing_key())
    assert Telnyx().double(TelnyxSettings(public_key=other, signing_keys=(TELNYX.public_key or "",)), PAIR).signs


@pytest.mark.parametrize("wrong", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\xff"])
def test_what_is_no_key_is_refused(wrong: bytes) -> None:
    with pytest.raises(VoiceflowError, match="expected a private Ed25519 key in PEM"):
        Telnyx().double(TELNYX, wrong)


def test_twilio_has_no_key_pair() -> None:
    with pytest.raises(VoiceflowError, match="leave out --signing-key"):
        Twilio().double(TWILIO, PAIR)
    for refused in (Twilio().make_signing_key, lambda: Twilio().public_key(PAIR)):
        with pytest.raises(VoiceflowError, match="signs webhooks with no key pair"):
            refused()


# Answers

xml_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
small = xml_text.filter(lambda text: len(text) < LONGEST_PARAMETER // 2)


@given(parameters=st.dictionaries(small.filter(bool), small, max_size=4))
def test_what_our_answer_gives_a_stream_is_what_the_carrier_reads(parameters: dict[str, str]) -> None:
    for name in ("twilio", "telnyx"):
        attributes = {"bidirectionalMode": "rtp"} if name == "telnyx" else {}
        (opened,) = double(name).read(XML, connect(STREAM, attributes, parameters).encode())
        assert (opened.url, opened.parameters) == (STREAM, parameters)


@pytest.mark.parametrize(
    ("codec", "format"),
    [
        ("PCMU", AudioFormat("mulaw", 8_000)),
        ("PCMA", AudioFormat("alaw", 8_000)),
        ("G722", AudioFormat("g722", 16_000)),
        ("L16", AudioFormat("pcm16", 16_000)),
    ],
)
def test_telnyx_has_the_format_that_our_answer_asks_for(codec: Any, format: AudioFormat) -> None:
    answer = Telnyx().connect(TelnyxSettings(codec=codec), STREAM, IncomingCall("v3:1", FROM, TO), "a.b")
    assert double("telnyx").read(XML, answer.encode()) == [
        OpenStream(STREAM, {"token": "a.b", "from": FROM, "to": TO}, format)
    ]


@CARRIERS
@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (refuse("Closed & gone.", "de"), [SpeakText("Closed & gone."), HangUpCall()]),
        (reject("busy"), [RejectCall("busy")]),
        (reject(), [RejectCall("rejected")]),
        ("<Response/>", []),
        ("<Response><Dial>+12025550155</Dial></Response>", [DialNumber("+12025550155")]),
        ("<Response><Dial><Sip>sip:a@b.example</Sip></Dial></Response>", [DialNumber("sip:a@b.example")]),
        (
            "<Response><Play digits='12#'/><Pause length='2'/><Hangup/><Say>?</Say></Response>",
            [PlayDigits("12#"), HangUpCall()],
        ),
    ],
)
def test_every_verb_that_is_known_is_read(name: str, answer: str, read: list[Instruction]) -> None:
    assert double(name).read(XML, answer.encode()) == read


@CARRIERS
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("", "expected XML with a <Response>; got an empty answer"),
        ("Not Found", "expected XML with a <Response>; got 'Not Found'"),
        ("<html><body>Hello</body></html>", "expected <Response> around the answer; got <html>"),
        ("<Response><Gather/></Response>", "<Gather>, which the simulated carrier does not do: it knows Connect"),
        ("<Response><Redirect>/x</Redirect></Response>", "<Redirect>, which"),
        ("<Response><Start><Stream url='wss://a'/></Start></Response>", "<Start>, which"),
        ("<Response><Play>http://a/b.mp3</Play></Response>", "<Play>, which"),
        ("<Response><Connect><ConversationRelay url='wss://a'/></Connect></Response>", "got <ConversationRelay>"),
        ("<Response><Connect action='/x'><Stream url='wss://a'/></Connect></Response>", "without an action; got '/x'"),
        ("<Response><Connect/></Response>", "expected one <Stream> in <Connect>; got nothing"),
        ("<Response><Connect><Stream/></Connect></Response>", "a url that begins with wss://; got ''"),
        ("<Response><Connect><Stream url='ws://a.example/b'/></Connect></Response>", "begins with wss://"),
        ("<Response><Connect><Stream url='wss://a/b?c=d'/></Connect></Response>", "has no query"),
        ("<Response><Dial/></Response>", "expected a number in <Dial>"),
        ("<Response><Dial><Queue>a</Queue></Dial></Response>", "got <Queue>"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><Response><Say>&b;</Say></Response>", "without a DOCTYPE"),
        ("<Response>" + " " * 70_000 + "</Response>", "at most 65536 bytes"),
    ],
)
def test_an_answer_that_the_carrier_cannot_follow_is_an_error_that_names_what_came(
    name: str, answer: str, said: str
) -> None:
    with pytest.raises(ProviderConnectionError) as error:
        double(name).read(XML, answer.encode())
    assert said in str(error.value)


@CARRIERS
@pytest.mark.parametrize("kind", ["", "text/html", "application/json"])
def test_an_answer_of_another_type_is_refused(name: str, kind: str) -> None:
    with pytest.raises(ProviderConnectionError, match=r"expected an answer of type application/xml or text/xml; got"):
        double(name).read(kind, reject().encode())


@given(st.binary(max_size=200), st.sampled_from(["", XML, "text/xml"]))
def test_any_answer_is_read_or_refused(answer: bytes, kind: str) -> None:
    for name in ("twilio", "telnyx"):
        with contextlib.suppress(ProviderConnectionError):
            double(name).read(kind, answer)


@pytest.mark.parametrize("mode", ["", "bidirectionalMode='mp3'", "bidirectionalMode='rtp' bidirectionalCodec='OPUS'"])
def test_telnyx_refuses_a_stream_on_which_nothing_of_ours_would_be_heard(mode: str) -> None:
    with pytest.raises(ProviderConnectionError, match=r"expected (bidirectionalMode|a bidirectionalCodec)"):
        double("telnyx").read(XML, f"<Response><Connect><Stream url='{STREAM}' {mode}/></Connect></Response>".encode())


# REST interfaces


class Simulated:
    """A call that notes what is done to it."""

    def __init__(self) -> None:
        self.is_live = True
        self.done: list[Any] = []

    def take_command(self) -> bool:
        return self.is_live

    def redirect(self, instructions: Sequence[Instruction]) -> None:
        self.done.append(instructions)
        self.is_live = instructions != [HangUpCall()]

    def play_digits(self, digits: str) -> None:
        self.done.append(digits)


class OfTwilio(HttpClient):
    """Brings what Twilio's SDK sends to the double."""

    def __init__(self, app: Any) -> None:
        super().__init__(logging.getLogger("twilio"), is_async=False)
        self._client = TestClient(app, base_url="http://127.0.0.1:8090")

    def request(self, method: str, url: str, *rest: Any, **options: Any) -> Any:
        auth = options["auth"] if "auth" in options else rest[3]
        data = options.get("data") or rest[1]
        path = url.replace("https://api.twilio.com", "/twilio")
        answer = self._client.request(method, path, data=data, auth=auth)
        return SdkResponse(answer.status_code, answer.text)


def of_twilio(call: Simulated, *, token: str = TOKEN) -> Any:
    app = double("twilio").rest({CALL: call})
    return Client(ACCOUNT, token, http_client=OfTwilio(app), environment={"": ""})


def test_twilios_sdk_commands_the_double() -> None:
    call = Simulated()
    calls = of_twilio(call).calls
    done = calls(CALL).update(twiml="<Response><Dial>+12025550155</Dial></Response>")
    assert (done.sid, done.status, done.account_sid) == (CALL, "in-progress", ACCOUNT)
    assert calls(CALL).update(status="completed").status == "completed"
    assert call.done == [[DialNumber("+12025550155")], [HangUpCall()]]


def refusal_of_twilio(client: Any, sid: str = CALL, **values: str) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as refused:
        client.calls(sid).update(**values)
    return refused.value.status, refused.value.code


def test_twilios_sdk_understands_each_refusal() -> None:
    call = Simulated()
    assert refusal_of_twilio(of_twilio(call, token="wrong"), status="completed") == (401, 20003)
    assert refusal_of_twilio(of_twilio(call), "CA" + "9" * 32, status="completed") == (404, 20404)
    assert refusal_of_twilio(of_twilio(call), twiml="<Response><Gather/></Response>") == (400, 12100)
    assert refusal_of_twilio(of_twilio(call), status="canceled") == (400, 20001)
    assert not call.done
    call.is_live = False
    assert refusal_of_twilio(of_twilio(call), status="completed") == (400, 21220)


def test_what_twilios_double_does_not_have_is_not_found() -> None:
    client = TestClient(double("twilio").rest({}))
    for method, path in (("GET", f"/twilio/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}.json"), ("POST", "/2010-04-01")):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def of_telnyx(call: Simulated, key: str = "KEY1") -> telnyx.AsyncTelnyx:
    transport = httpx.ASGITransport(double("telnyx").rest({"v3:1": call}))
    client = httpx.AsyncClient(transport=transport)
    return telnyx.AsyncTelnyx(api_key=key, base_url=TELNYX.base_url, http_client=client, max_retries=0)


def test_telnyxs_sdk_commands_the_double() -> None:
    call = Simulated()

    async def main() -> None:
        actions = of_telnyx(call).calls.actions
        for done in (
            await actions.send_dtmf("v3:1", digits="12#"),
            await actions.transfer("v3:1", to="+12025550155", command_id="a"),
            await actions.transfer("v3:1", to="+12025550155", command_id="a"),
            await actions.hangup("v3:1"),
        ):
            assert done.data is not None
            assert done.data.result == "ok"

    virtual(main())
    assert call.done == ["12#", [DialNumber("+12025550155")], [HangUpCall()]]


def test_telnyxs_sdk_understands_each_refusal() -> None:
    call = Simulated()

    async def refusal(kind: type[telnyx.APIStatusError], command: Any) -> str:
        with pytest.raises(kind) as refused:
            await command
        return str(refused.value.body["errors"][0]["code"])  # type: ignore[index]

    async def main() -> None:
        actions = of_telnyx(call).calls.actions
        wrong = of_telnyx(call, "KEY2").calls.actions
        assert await refusal(telnyx.AuthenticationError, wrong.hangup("v3:1")) == "10009"
        assert await refusal(telnyx.NotFoundError, actions.hangup("v3:2")) == "10005"
        assert await refusal(telnyx.NotFoundError, actions.answer("v3:1")) == "10005"
        missing = actions.transfer("v3:1", to=telnyx.omit)  # type: ignore[arg-type]
        assert await refusal(telnyx.UnprocessableEntityError, missing) == "10004"
        assert not call.done
        call.is_live = False
        assert await refusal(telnyx.UnprocessableEntityError, actions.hangup("v3:1")) == "90018"

    virtual(main())


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"a"'])
def test_telnyx_refuses_what_is_no_json_object(body: bytes) -> None:
    client = TestClient(double("telnyx").rest({"v3:1": Simulated()}))
    answer = client.post("/v2/calls/v3:1/actions/hangup", content=body, headers={"Authorization": "Bearer KEY1"})
    assert answer.status_code == 400


@CARRIERS
def test_our_own_call_control_understands_the_double(name: str) -> None:
    call = Simulated()

    async def main() -> None:
        app = double(name).rest({CALL: call})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            control: Any
            if name == "twilio":
                control, wrong = TwilioControl(client, TWILIO, CALL), TwilioControl(client, TWILIO, "CA3")
            else:
                control, wrong = TelnyxControl(client, TELNYX, CALL), TelnyxControl(client, TELNYX, "v3:2")
            assert await control.send_digits("12#")
            assert await control.transfer("+12025550155")
            with pytest.raises(CallError):
                await control.transfer("sales")
            assert await control.hangup()
            assert not await control.hangup()
            with pytest.raises(ProviderConnectionError, match="answered 404"):
                await wrong.hangup()

    virtual(main())
    digits: Any = [PlayDigits("12#")] if name == "twilio" else "12#"
    assert call.done == [digits, [DialNumber("+12025550155")], [HangUpCall()]]
