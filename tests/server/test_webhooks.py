"""What carriers are answered, over HTTP. Signatures are those of the carriers' own SDKs, or checked by them."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from server.serving import FROM, TO, TUNNEL, call_id, echo, parameters, run, serving
from telnyx.lib.webhook_verification import verify_webhook_signature
from twilio.request_validator import RequestValidator

from voiceflow.config import watched
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.security.tokens import StreamTokens
from voiceflow.server.server import Server
from voiceflow.transports.carriers.telnyx import RATES
from voiceflow.transports.carriers.telnyx.settings import TelnyxCodec, TelnyxSettings
from voiceflow.transports.carriers.telnyx.signature import TOLERANCE
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

KEY = b"the key of this run"
AUTH_TOKEN = "12345"
TELNYX_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = base64.b64encode(TELNYX_KEY.public_key().public_bytes_raw()).decode()
PUBLIC_URL = "wss://calls.example.com/sip/media-stream"
FORM = {"CallSid": call_id(), "From": FROM, "To": TO, "CallStatus": "ringing"}
FORMS = {"twilio": FORM, "telnyx": FORM | {"CallSid": call_id("telnyx")}}
CONFIG = Config(
    public_ws_url=PUBLIC_URL,
    provider_config=(TelnyxSettings(public_key=PUBLIC_KEY), TwilioSettings(auth_token=AUTH_TOKEN)),
)

UNEXPOSED = Config(provider_config=CONFIG.provider_config)
"""Of a server that is for this machine alone."""

Headers = Mapping[str, str]


@pytest.fixture(autouse=True)
def _marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that were used are noted here, and not in the system's folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def twilio_signature(form: Mapping[str, str], url: str = "https://calls.example.com/sip/twilio/answer") -> Headers:
    return {"X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(url, form)}


def telnyx_signature(
    form: Mapping[str, str] = FORMS["telnyx"], age: float = 0.0, key: Ed25519PrivateKey = TELNYX_KEY
) -> Headers:
    timestamp = str(int(time.time() - age))
    signature = base64.b64encode(key.sign(f"{timestamp}|{urlencode(form)}".encode())).decode()
    headers = {"Telnyx-Signature-Ed25519": signature, "Telnyx-Timestamp": timestamp}
    if abs(age) < TOLERANCE and key is TELNYX_KEY:
        verify_webhook_signature(urlencode(form), headers, PUBLIC_KEY)  # so Telnyx's SDK takes it
    return headers


def signature(carrier: str, form: Mapping[str, str] | None = None) -> Headers:
    form = FORMS[carrier] if form is None else form
    return twilio_signature(form) if carrier == "twilio" else telnyx_signature(form)


def answered(
    carrier: str,
    headers: Headers,
    form: Mapping[str, str] | None = None,
    config: Config = CONFIG,
    *,
    routes: Routes | None = None,
    open: bool = False,
) -> httpx.Response:
    """What a server answers, asked without a socket between."""

    async def asked() -> httpx.Response:
        server = Server(echo, config, routes or Routes(), KEY, open=open)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server)) as client:
            url = f"http://testserver/sip/{carrier}/answer"
            return await client.post(
                url, data=dict(FORMS[carrier] if form is None else form), headers={**TUNNEL, **headers}
            )

    return asyncio.run(asked())


def stream(response: httpx.Response) -> tuple[dict[str, str], dict[str, str]]:
    """The attributes and the parameters of the stream that an answer asks for."""
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/xml")
    root = ElementTree.fromstring(response.text)
    assert [child.tag for child in root] == ["Connect"]
    (element,) = root[0]
    assert element.tag == "Stream"
    return dict(element.attrib), parameters(response)


def test_twilio_is_answered_with_a_stream_that_brings_back_a_token() -> None:
    attributes, sent_along = stream(answered("twilio", twilio_signature(FORM)))
    assert attributes == {"url": PUBLIC_URL}
    claims = StreamTokens(KEY).redeem(sent_along.pop("token"))
    assert sent_along == {"from": FROM, "to": TO}
    assert (claims.provider, claims.call_id, claims.caller_id, claims.did) == ("twilio", call_id(), FROM, TO)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722", "L16"])
def test_telnyx_is_answered_with_a_stream_in_the_configured_codec(codec: TelnyxCodec) -> None:
    config = Config(public_ws_url=PUBLIC_URL, provider_config=(TelnyxSettings(public_key=PUBLIC_KEY, codec=codec),))
    attributes, sent_along = stream(answered("telnyx", telnyx_signature(), config=config))
    assert attributes == {
        "url": PUBLIC_URL,
        "bidirectionalMode": "rtp",
        "bidirectionalCodec": codec,
        "bidirectionalSamplingRate": str(RATES[codec]),
    }
    claims = StreamTokens(KEY).redeem(sent_along["token"])
    assert (claims.provider, claims.call_id, claims.codec) == ("telnyx", call_id("telnyx"), codec)


def test_what_callers_can_choose_is_escaped() -> None:
    form = {**FORM, "From": 'sip:<Hangup/>&"@example.com'}
    _, sent_along = stream(answered("twilio", twilio_signature(form), form))
    assert sent_along["from"] == form["From"]


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
def test_two_signing_keys_are_valid_while_they_are_changed(carrier: str) -> None:
    other = base64.b64encode(Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()).decode()
    for twilio, telnyx in (
        (TwilioSettings(auth_token="new", signing_keys=(AUTH_TOKEN,)),
         TelnyxSettings(public_key=other, signing_keys=(PUBLIC_KEY,))),
        (TwilioSettings(auth_token=AUTH_TOKEN, signing_keys=("new",)),
         TelnyxSettings(public_key=PUBLIC_KEY, signing_keys=(other,))),
        (TwilioSettings(signing_keys=(AUTH_TOKEN,)), TelnyxSettings(signing_keys=(PUBLIC_KEY,))),
    ):  # fmt: skip
        config = Config(public_ws_url=PUBLIC_URL, provider_config=(twilio, telnyx))
        assert stream(answered(carrier, signature(carrier), config=config))
    without = Config(
        public_ws_url=PUBLIC_URL,
        provider_config=(TwilioSettings(auth_token="new", signing_keys=("x",)), TelnyxSettings(public_key=other)),
    )
    assert answered(carrier, signature(carrier), config=without).status_code == 403


# Who is not answered


@pytest.mark.parametrize(
    ("carrier", "sign", "reason"),
    [
        pytest.param("twilio", dict, "no X-Twilio-Signature", id="twilio, unsigned"),
        pytest.param("telnyx", dict, "no Telnyx-Signature-Ed25519", id="telnyx, unsigned"),
        pytest.param(
            "twilio",
            lambda: {"X-Twilio-Signature": "0oGUgt+sqwJ5xiuHZt7SJ2eeIP8="},
            "does not fit",
            id="twilio, of another request",
        ),
        pytest.param(
            "twilio", lambda: twilio_signature({**FORM, "To": "+1"}), "does not fit", id="twilio, of another form"
        ),
        pytest.param(
            "twilio",
            lambda: twilio_signature(FORM, "https://evil.example.com/sip/twilio/answer"),
            "does not fit",
            id="twilio, for another host",
        ),
        pytest.param(
            "telnyx",
            lambda: telnyx_signature({**FORMS["telnyx"], "To": "+1"}),
            "does not fit",
            id="telnyx, of another form",
        ),
        pytest.param(
            "telnyx",
            lambda: telnyx_signature(key=Ed25519PrivateKey.from_private_bytes(bytes(32))),
            "does not fit",
            id="telnyx, by another key",
        ),
        pytest.param("telnyx", lambda: telnyx_signature(age=TOLERANCE + 60), "is replayed", id="telnyx, replayed"),
        pytest.param(
            "telnyx", lambda: telnyx_signature(age=-TOLERANCE - 60), "clock is wrong", id="telnyx, of the future"
        ),
        pytest.param(
            "telnyx", lambda: twilio_signature(FORM), "no Telnyx-Signature-Ed25519", id="telnyx, signed as twilio"
        ),
    ],
)
def test_a_webhook_that_its_carrier_has_not_signed_is_refused(
    carrier: str, sign: Callable[[], Headers], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = answered(carrier, sign())  # now: Telnyx's signatures have a time
    assert response.status_code == 403
    assert response.text == "refused\n"
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"a webhook of {carrier} from " in record.message
    assert reason in record.message
    assert "token" not in record.message.replace("auth_token", "")
    assert AUTH_TOKEN not in caplog.text


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
def test_a_webhook_whose_key_is_not_configured_is_closed(carrier: str, caplog: pytest.LogCaptureFixture) -> None:
    response = answered(carrier, signature(carrier), config=Config(public_ws_url=PUBLIC_URL))
    assert (response.status_code, response.text) == (403, "refused\n")
    assert "closed until provider_config" in caplog.text


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
def test_insecure_answers_everybody(carrier: str) -> None:
    assert stream(answered(carrier, {}, config=Config(public_ws_url=PUBLIC_URL), open=True))


LOCAL: list[dict[str, str]] = [{}, {"Host": "localhost"}, {"Host": "[::1]:8000"}]
PASSED_ON: list[dict[str, str]] = [
    {"Host": "calls.example.com"},
    {"Host": "localhost.example.com"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Proto": "https"},
    {"Forwarded": "for=127.0.0.1"},
    {"CF-Connecting-IP": "127.0.0.1"},
    {"Origin": "https://evil.example.com"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "null"},
]


def test_only_local_requests_need_no_signature() -> None:
    async def main() -> None:
        async with serving(config=UNEXPOSED) as served, httpx.AsyncClient() as client:
            for headers in LOCAL + PASSED_ON:
                response = await client.post(f"{served.http}/sip/twilio/answer", data=FORM, headers=headers)
                assert response.status_code == (200 if headers in LOCAL else 403), headers

    run(main())


def test_with_a_public_address_no_request_is_local() -> None:
    """A proxy that adds nothing, such as a TCP forwarder, may pass on whatever a client writes."""

    async def main() -> None:
        async with serving(config=CONFIG) as served, httpx.AsyncClient() as client:
            for headers in LOCAL + PASSED_ON:
                response = await client.post(f"{served.http}/sip/twilio/answer", data=FORM, headers=headers)
                assert response.status_code == 403, headers
            response = await client.post(f"{served.http}/sip/twilio/answer", data=FORM, headers=served.operator)
            assert response.status_code == 200

    run(main())


def test_a_webhook_with_a_huge_body_is_not_read_to_its_end() -> None:
    assert answered("twilio", {}, {**FORM, "Body": "x" * 1_000_000}).status_code == 403


def got(
    carrier: str, headers: Headers, query: Mapping[str, str] | None = None, *, method: str = "GET", content: bytes = b""
) -> httpx.Response:
    """What a server answers to a request that says everything in its query."""

    async def asked() -> httpx.Response:
        server = Server(echo, CONFIG, Routes(), KEY)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(server)) as client:
            url = f"http://testserver/sip/{carrier}/answer?{urlencode(FORMS[carrier] if query is None else query)}"
            return await client.request(method, url, headers={**TUNNEL, **headers}, content=content)

    return asyncio.run(asked())


def query_signature(carrier: str) -> Headers:
    query = FORMS[carrier]
    if carrier == "telnyx":
        return telnyx_signature(query)
    return twilio_signature({}, f"https://calls.example.com/sip/twilio/answer?{urlencode(query)}")


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
def test_a_webhook_may_be_a_get_whose_query_is_signed(carrier: str) -> None:
    attributes, sent_along = stream(got(carrier, query_signature(carrier)))
    assert attributes["url"] == PUBLIC_URL
    claims = StreamTokens(KEY).redeem(sent_along["token"])
    assert (claims.provider, claims.call_id, claims.caller_id, claims.did) == (carrier, call_id(carrier), FROM, TO)


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
@pytest.mark.parametrize("changed", [{"To": "+1"}, {"From": "+1"}, {"CallSid": "CA2"}, {"more": "x"}], ids=str)
def test_a_get_with_another_query_than_was_signed_is_refused(
    carrier: str, changed: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    refused = got(carrier, query_signature(carrier), FORMS[carrier] | changed)
    assert refused.status_code == 403
    assert "does not fit" in caplog.text


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
def test_a_get_without_a_signature_is_refused(carrier: str) -> None:
    assert got(carrier, {}).status_code == 403


def test_what_is_posted_counts_more_than_what_stands_in_the_address() -> None:
    """Twilio keeps the query of the address that it was given, and signs it together with the form."""
    query = {"To": "+15125550000", "x": "1"}
    url = f"https://calls.example.com/sip/twilio/answer?{urlencode(query)}"
    headers = {**twilio_signature(FORM, url), "Content-Type": "application/x-www-form-urlencoded"}
    _, sent_along = stream(got("twilio", headers, query, method="POST", content=urlencode(FORM).encode()))
    assert sent_along["to"] == TO


# Requests that are not about a call that came in


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
@pytest.mark.parametrize("direction", ["outbound-api", "outbound-dial", "outbound", "Outbound-API"])
def test_a_call_that_was_made_for_us_is_routed_by_the_number_of_ours(
    carrier: str, direction: str, tmp_path: Path
) -> None:
    file = tmp_path / "voiceflow.yaml"
    file.write_text(f"dids:\n  '{FROM}':\n")
    form = {**FORMS[carrier], "Direction": direction}

    _, sent_along = stream(answered(carrier, signature(carrier, form), form, routes=Routes(file)))
    claims = StreamTokens(KEY).redeem(sent_along["token"])
    assert (claims.did, claims.caller_id) == (FROM, TO)
    assert (sent_along["to"], sent_along["from"]) == (FROM, TO)


@pytest.mark.parametrize("event", ["call.initiated", "call.answered", "x" * 1_000])
def test_telnyxs_voice_api_is_refused_with_what_to_do(event: str, caplog: pytest.LogCaptureFixture) -> None:
    payload = {"call_control_id": "v3:1", "from": FROM, "to": TO, "direction": "incoming", "state": "parked"}
    body = json.dumps({"data": {"event_type": event, "record_type": "event", "payload": payload}}).encode()
    timestamp = str(int(time.time()))
    signed = base64.b64encode(TELNYX_KEY.sign(f"{timestamp}|".encode() + body)).decode()
    headers = {"Telnyx-Signature-Ed25519": signed, "Telnyx-Timestamp": timestamp, "Content-Type": "application/json"}
    refused = got("telnyx", headers, {}, method="POST", content=body)
    assert refused.status_code == 403
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    for said in (refused.text, record.message):
        assert event[:80] in said
        assert "give the number a TeXML application with this address" in said
        assert "token" not in said
        assert len(said) < 500


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
@pytest.mark.parametrize(
    "form", [{"MessageSid": "SM1", "From": FROM, "To": TO, "Body": "hi"}, {"CallSid": "", "To": TO}], ids=str
)
def test_what_is_no_call_is_refused_with_what_to_do(carrier: str, form: dict[str, str]) -> None:
    refused = answered(carrier, signature(carrier, form), form)
    assert refused.status_code == 403
    assert "expected the CallSid of a call" in refused.text
    assert "voice URL" in refused.text


# Which numbers are served


async def ask(http: str, carrier: str, headers: Headers, form: Mapping[str, str] | None = None) -> httpx.Response:
    form = FORMS[carrier] if form is None else form
    async with httpx.AsyncClient() as client:
        return await client.post(f"{http}/sip/{carrier}/answer", data=dict(form), headers={**TUNNEL, **headers})


def spoken(response: httpx.Response) -> str:
    """What the caller of a refused call hears before the line is hung up."""
    assert response.status_code == 200
    root = ElementTree.fromstring(response.text)
    assert [child.tag for child in root] == ["Say", "Hangup"]
    return str(root[0].text)


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
def test_a_number_without_a_route_is_refused_with_a_spoken_message(carrier: str, tmp_path: Path) -> None:
    file = tmp_path / "voiceflow.yaml"
    file.write_text("dids:\n  '+15125551234':\n")

    async def main() -> None:
        async with serving(config=CONFIG, routes=Routes(file)) as served:
            assert spoken(await ask(served.http, carrier, signature(carrier))) == "This number is not in service."
            known = {**FORMS[carrier], "To": "+15125551234"}
            assert stream(await ask(served.http, carrier, signature(carrier, known), known))

    run(main())


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
def test_a_refusal_is_spoken_in_the_language_of_the_configuration_or_of_the_route(carrier: str, tmp_path: Path) -> None:
    file = tmp_path / "voiceflow.yaml"
    file.write_text("language: de\nwords: {fr: {not_set_up: Pas encore.}}\ndids:\n  '+15125551234': {language: fr}\n")
    known = {**FORMS[carrier], "To": "+15125551234"}

    async def main() -> None:
        async with serving(routes=Routes(file), open=True) as served:
            unknown = await ask(served.http, carrier, {})
            assert spoken(unknown) == "Diese Nummer ist nicht vergeben."
            assert 'language="de-DE"' in unknown.text
            not_set_up = await ask(served.http, carrier, {}, known)
            assert spoken(not_set_up) == "Pas encore."
            assert 'language="fr-FR"' in not_set_up.text

    run(main())


def test_without_a_public_address_a_caller_is_told_that_the_number_is_not_set_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert spoken(answered("telnyx", {}, config=Config(), open=True)) == "This number is not set up yet."
    assert "set public_ws_url" in caplog.text


def test_routes_that_change_count_from_the_next_call_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "CHECK_EVERY", 0.0)
    file = tmp_path / "voiceflow.yaml"
    file.write_text("dids:\n  '+15125551234':\n")

    async def main() -> None:
        async with serving(config=CONFIG, routes=Routes(file)) as served:
            assert spoken(await ask(served.http, "twilio", signature("twilio")))
            file.write_text(f"dids:\n  '{TO}':\n    user_id: ann\n")
            assert stream(await ask(served.http, "twilio", signature("twilio")))
            file.write_text("dids: [")  # broken: the routes stay
            assert stream(await ask(served.http, "twilio", signature("twilio")))

    run(main())


def test_the_state_names_numbers_to_local_requests_only(tmp_path: Path) -> None:
    file = tmp_path / "voiceflow.yaml"
    file.write_text(f"dids:\n  '{TO}':\n")

    async def main() -> None:
        async with serving(config=UNEXPOSED, routes=Routes(file)) as served, httpx.AsyncClient() as client:
            local = (await client.get(f"{served.http}/health")).json()
            assert local["status"] == "ok"
            assert local["dids"] == [TO]
            assert local["active_calls"] == 0
            assert (await client.get(f"{served.http}/health", headers=TUNNEL)).json()["dids"] == 1

    run(main())
