"""Call control, against doubles that speak the carriers' REST interfaces as their documentation shows them."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import fromstring

import httpx
import msgspec
import pytest
import telnyx
from doubles import now, virtual
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from twilio.http import HttpClient
from twilio.http.response import Response as SdkResponse
from twilio.rest import Client

from voiceflow.call_control import CallControl
from voiceflow.config.settings import load_config
from voiceflow.errors import CallError, ConfigError, ProviderConnectionError, VoiceflowError
from voiceflow.transports.carriers import carrier_named
from voiceflow.transports.carriers.telnyx.control import TelnyxControl
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.twilio import Twilio
from voiceflow.transports.carriers.twilio.control import TwilioControl
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

ACCOUNT, TOKEN, CALL = "AC" + "0" * 32, "t0ken-of-twilio", "CA" + "1" * 32
API_KEY, CONTROL_ID = "KEY-of-telnyx", "v3:S_AwERIkXuL9vqBSvluFUDxUdIQRk4R_gz6OPajNQNrlcX2ReJ2nzw"

CREDENTIALS: dict[type, dict[str, str]] = {
    TwilioSettings: {"account_sid": ACCOUNT, "auth_token": TOKEN},
    TelnyxSettings: {"api_key": API_KEY},
}

Fault = Response | Exception
"""What happens to a request on its way: another answer, or none. A command is carried out before the answer to
it is lost."""
LOST = httpx.ReadTimeout("no answer")
UNREACHABLE = httpx.ConnectError("refused")
PAGE = Response("<html>Bad Gateway", 502)


class CarrierDouble:
    """A carrier with one call. `done` is what was carried out, `attempts` when each request came."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = list(faults)
        self.live = True
        self.done: list[tuple[str, str]] = []
        self.attempts: list[float] = []

    async def answer(self, request: Request) -> Response:
        self.attempts.append(now())
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, httpx.ConnectError):
            raise fault
        if isinstance(fault, Response):
            return fault
        response = await self.command(request)
        if fault is not None:
            raise fault
        return response

    async def command(self, request: Request) -> Response:
        raise NotImplementedError

    @property
    def route(self) -> Route:
        raise NotImplementedError

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=[self.route])))


class TwilioDouble(CarrierDouble):
    """POST /2010-04-01/Accounts/{sid}/Calls/{sid}.json, form in, JSON out."""

    @property
    def route(self) -> Route:
        return Route("/2010-04-01/Accounts/{account}/Calls/{call}.json", self.answer, methods=["POST"])

    async def command(self, request: Request) -> Response:
        expected = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return self.problem(401, 20003, "Authenticate")
        path = request.path_params
        if path != {"account": ACCOUNT, "call": CALL}:
            return self.problem(404, 20404, f"The requested resource {request.url.path} was not found")
        if not self.live:
            return self.problem(400, 21220, "Call is not in-progress. Cannot redirect.")
        match parse_qsl((await request.body()).decode(), strict_parsing=True):
            case [("Status", "completed")]:
                self.live = False
                self.done.append(("hangup", ""))
            case [("Twiml", twiml)]:
                (verb,) = fromstring(twiml)
                if verb.tag == "Dial" and verb.get("timeLimit") != "7200":
                    return self.problem(400, 12100, "this test expects a limit on the leg")
                said = verb.get("digits") or "".join(f"{noun.tag} {noun.text}" for noun in verb)
                self.done.append((verb.tag, said))
            case other:
                return self.problem(400, 20001, f"unexpected parameters: {other}")
        return JSONResponse({"sid": CALL, "status": "in-progress" if self.live else "completed"})

    @staticmethod
    def problem(status: int, code: int, message: str) -> Response:
        return JSONResponse(
            {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
            | {"status": status},
            status,
        )

    def control(self, client: httpx.AsyncClient, token: str = TOKEN) -> TwilioControl:
        return TwilioControl(client, TwilioSettings(account_sid=ACCOUNT, auth_token=token), CALL)


class TelnyxDouble(CarrierDouble):
    """POST /v2/calls/{call_control_id}/actions/{action}, JSON both ways. Ignores a command_id that it knows."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        self.known: set[str] = set()

    @property
    def route(self) -> Route:
        return Route("/v2/calls/{call}/actions/{action}", self.answer, methods=["POST"])

    async def command(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            sent = request.headers.get("authorization", "")
            return self.problem(401, "10009", "Authentication failed", f"The key in {sent} could not be found")
        if request.path_params["call"] != CONTROL_ID:
            return self.problem(404, "10005", "Resource not found", "The call does not exist")
        body = await request.json()
        if body["command_id"] not in self.known:
            if not self.live:
                detail = "This call is no longer active and can't receive commands."
                return self.problem(422, "90018", "Call has already ended", detail)
            self.known.add(body.pop("command_id"))
            action = request.path_params["action"]
            self.live = action != "hangup"
            if action == "transfer" and body.pop("time_limit_secs", None) != 7200:
                return self.problem(422, "10015", "Invalid value", "this test expects a limit on the leg")
            self.done.append((action, "".join(body.values())))
        return JSONResponse({"data": {"result": "ok"}})

    @staticmethod
    def problem(status: int, code: str, title: str, detail: str) -> Response:
        return JSONResponse({"errors": [{"code": code, "title": title, "detail": detail}]}, status)

    def control(self, client: httpx.AsyncClient, key: str = API_KEY) -> TelnyxControl:
        return TelnyxControl(client, TelnyxSettings(api_key=key), CONTROL_ID)


Double = TwilioDouble | TelnyxDouble
Command = Callable[[CallControl], Awaitable[bool]]


def hangup(control: CallControl) -> Awaitable[bool]:
    return control.hangup()


def transfer(control: CallControl) -> Awaitable[bool]:
    return control.transfer("+15550123")


def digits(control: CallControl) -> Awaitable[bool]:
    return control.send_digits("ww12#A")


def run(carrier: Double, command: Command, *credentials: str) -> bool:
    """The result of a command, in virtual time."""

    async def main() -> bool:
        async with carrier.client() as client:
            return await command(carrier.control(client, *credentials))

    return virtual(main())


def failure(carrier: Double, command: Command, *credentials: str) -> str:
    with pytest.raises(ProviderConnectionError) as failed:
        run(carrier, command, *credentials)
    return str(failed.value)


CARRIERS = pytest.mark.parametrize("make", [TwilioDouble, TelnyxDouble])
COMMANDS = pytest.mark.parametrize("command", [hangup, transfer, digits])
BUSY = Response("", 429)


def test_twilio_carries_out_each_command() -> None:
    carrier = TwilioDouble()
    assert [run(carrier, command) for command in (digits, transfer, hangup)] == [True] * 3
    assert carrier.done == [("Play", "ww12#A"), ("Dial", "Number +15550123"), ("hangup", "")]


def test_telnyx_carries_out_each_command() -> None:
    carrier = TelnyxDouble()
    assert [run(carrier, command) for command in (digits, transfer, hangup)] == [True] * 3
    assert carrier.done == [("send_dtmf", "ww12#A"), ("transfer", "+15550123"), ("hangup", "")]


def test_twilio_dials_a_sip_address_as_such() -> None:
    carrier = TwilioDouble()
    assert run(carrier, lambda control: control.transfer("sip:alice@example.com;transport=tls"))
    assert carrier.done == [("Dial", "Sip sip:alice@example.com;transport=tls")]


@CARRIERS
@COMMANDS
def test_a_call_that_is_already_over_is_no_failure(make: type[Double], command: Command) -> None:
    carrier = make()
    carrier.live = False
    assert run(carrier, command) is False
    assert len(carrier.attempts) == 1


@pytest.mark.parametrize(
    ("problem", "hint"),
    [
        (TwilioDouble.problem(404, 20404, "The requested resource was not found"), "provider_config.twilio.region"),
        (TelnyxDouble.problem(404, "10005", "Resource not found", "The call does not exist"), "another account"),
    ],
)
@COMMANDS
def test_a_call_that_its_carrier_does_not_know_is_a_failure_that_says_where_it_was_asked(
    problem: Response, hint: str, command: Command
) -> None:
    make = TwilioDouble if "twilio" in hint else TelnyxDouble
    said = failure(make(problem), command)
    assert "answered 404" in said
    assert hint in said
    assert "api.twilio.com" in said or "https://api.telnyx.com/v2" in said


PLACES = [
    {},
    {"region": "ie1"},
    {"edge": "dublin"},
    {"region": "au1", "edge": "sydney"},
    {"region": "IE1"},
    {"api_key": "SK1", "api_secret": "s3cret"},
    {"api_key": "SK1", "api_secret": "s3cret", "region": "ie1", "edge": "dublin"},
]
ADDRESSES = ["https://api.example.com", "https://api.example.com/", "http://127.0.0.1:8090", "http://[::1]:8090/twilio"]


class Recorded(HttpClient):
    """Takes what Twilio's SDK sends."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("twilio"), is_async=False)

    def request(self, method: str, url: str, *rest: Any, **options: Any) -> Any:
        self.sent = (method, url, options["auth"] if "auth" in options else rest[3], options.get("data") or rest[1])
        return SdkResponse(200, "{}")


@pytest.mark.parametrize("given", PLACES, ids=str)
def test_twilio_is_asked_where_and_as_its_sdk_asks(given: dict[str, str]) -> None:
    settings = TwilioSettings(account_sid=ACCOUNT, auth_token=TOKEN, **given)
    user, password = (given["api_key"], given["api_secret"]) if "api_key" in given else (ACCOUNT, TOKEN)
    recorded = Recorded()
    places = {key: value.lower() for key, value in given.items() if key in ("region", "edge")}
    sdk = Client(user, password, ACCOUNT, http_client=recorded, environment={"": ""}, **places)
    sdk.calls(CALL).update(status="completed")
    asked: list[httpx.Request] = []

    async def main() -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(200, json={})

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            control = Twilio().control(settings, client, CALL)
            assert control is not None
            assert await control.hangup()

    virtual(main())
    (ours,) = asked
    authorization = "Basic " + base64.b64encode(":".join(recorded.sent[2]).encode()).decode()
    assert (ours.method, str(ours.url), ours.headers["authorization"]) == (*recorded.sent[:2], authorization)
    assert dict(parse_qsl(ours.content.decode())) == recorded.sent[3]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("make", [TwilioSettings, TelnyxSettings])
def test_commands_go_to_the_address_that_is_configured(
    address: str, make: type[TwilioSettings | TelnyxSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_BASE_URL" if make is TwilioSettings else "TELNYX_BASE_URL", address)
    settings = msgspec.structs.replace(load_config(None).of(make), **CREDENTIALS[make])
    asked: list[str] = []

    async def main() -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return httpx.Response(200, json={})

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            name = "twilio" if make is TwilioSettings else "telnyx"
            await carrier_named(name).control(settings, client, "C1").hangup()

    virtual(main())
    below = f"/2010-04-01/Accounts/{ACCOUNT}/Calls/C1.json" if make is TwilioSettings else "/calls/C1/actions/hangup"
    assert asked == [address.rstrip("/") + below]


@pytest.mark.parametrize("variable", ["TWILIO_BASE_URL", "TELNYX_BASE_URL"])
@pytest.mark.parametrize(
    "address",
    [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://localhost.example.com/",
        "http://127.0.0.1:80a",
        "https://user:secret@example.com",
        "https://example.com?a=b",
        "ftp://example.com",
        "api.example.com",
        "https://",
    ],
)
def test_an_address_at_which_credentials_would_go_in_the_clear_is_refused(
    variable: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, address)
    with pytest.raises(ConfigError, match=rf"{variable} is .*expected https://HOST, or http:// for localhost only"):
        load_config(None)


@pytest.mark.parametrize("missing", ["account_sid", "auth_token"])
def test_without_credentials_there_is_no_control(missing: str) -> None:
    given = {"account_sid": ACCOUNT, "auth_token": TOKEN}
    del given[missing]
    assert Twilio().control(TwilioSettings(**given), httpx.AsyncClient(), CALL) is None


@pytest.mark.parametrize("half", ["api_key", "api_secret"])
def test_half_an_api_key_keeps_the_server_from_starting(half: str) -> None:
    with pytest.raises(VoiceflowError, match=r"provider_config\.twilio\.api_(key|secret) is missing"):
        TwilioSettings(account_sid=ACCOUNT, auth_token=TOKEN, **{half: "x"}).check()


def test_settings_are_found_under_the_names_of_the_carriers_sdks(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("ACCOUNT_SID", "AUTH_TOKEN", "API_KEY", "API_SECRET", "REGION", "EDGE")
    for name in names:
        monkeypatch.setenv(f"TWILIO_{name}", f"x-{name.lower().replace('_', '-')}")
    monkeypatch.setenv("TELNYX_API_KEY", API_KEY)
    monkeypatch.setenv("TELNYX_BASE_URL", "https://telnyx.example.com/v2")
    config = load_config(None)
    twilio = config.of(TwilioSettings)
    assert (twilio.region, twilio.edge) == (Client().region, Client().edge) == ("x-region", "x-edge")
    assert twilio.user == ("x-api-key", "x-api-secret")
    sdk = telnyx.Telnyx()
    assert (config.of(TelnyxSettings).base_url, config.of(TelnyxSettings).api_key) == (
        str(sdk.base_url).rstrip("/"),
        sdk.api_key,
    )


@pytest.mark.parametrize("region", ["ie1.evil.example.com/", "a b", "ie1@", "\u00fc"])
def test_a_region_that_is_no_name_is_refused(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_REGION", region)
    with pytest.raises(ConfigError, match=r"TWILIO_REGION is .* expected a name such as ie1"):
        load_config(None)


@CARRIERS
@COMMANDS
@pytest.mark.parametrize("fault", [UNREACHABLE, BUSY])
def test_what_was_surely_not_carried_out_is_sent_again(make: type[Double], command: Command, fault: Fault) -> None:
    carrier = make(fault, fault)
    assert run(carrier, command)
    assert len(carrier.done) == 1
    assert carrier.attempts == [0.0, 0.25, 0.75]


@pytest.mark.parametrize("fault", [LOST, PAGE])
@pytest.mark.parametrize(
    ("make", "command"),
    [(TwilioDouble, hangup), (TelnyxDouble, hangup), (TelnyxDouble, transfer), (TelnyxDouble, digits)],
)
def test_what_may_be_repeated_is_sent_again_and_carried_out_once(
    make: type[Double], command: Command, fault: Fault
) -> None:
    carrier = make(fault)
    run(carrier, command)
    assert len(carrier.attempts) == 2
    assert len(carrier.done) == 1


@pytest.mark.parametrize("command", [transfer, digits])
def test_twilio_is_not_told_twice_to_do_what_it_may_be_doing(command: Command) -> None:
    carrier = TwilioDouble(LOST)
    said = failure(carrier, command)
    assert "may have been carried out: ReadTimeout at attempt 1" in said
    assert len(carrier.attempts) == 1
    assert "answered 502: Bad Gateway" in failure(TwilioDouble(PAGE), command)


@CARRIERS
def test_a_carrier_that_stays_away_is_a_failure_that_says_so(make: type[Double]) -> None:
    carrier = make(*[UNREACHABLE] * 3)
    assert "told to hang up, which was not carried out: ConnectError at attempt 3" in failure(carrier, hangup)
    assert len(carrier.attempts) == 3


@CARRIERS
@pytest.mark.parametrize("first", [LOST, PAGE])
def test_one_attempt_that_may_have_worked_leaves_doubt(make: type[Double], first: Fault) -> None:
    assert "which may have been carried out: ConnectError" in failure(make(first, UNREACHABLE, UNREACHABLE), hangup)


@CARRIERS
def test_a_carrier_that_stays_busy_is_a_failure_with_its_answer(make: type[Double]) -> None:
    carrier = make(*[BUSY] * 3)
    assert "did not hang up, and answered 429: Too Many Requests" in failure(carrier, hangup)


@CARRIERS
@pytest.mark.parametrize(("asked", "waits"), [("1", 1.0), ("3600", 2.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.25)])
def test_retry_after_is_heeded_within_reason(make: type[Double], asked: str, waits: float) -> None:
    carrier = make(Response("", 429, {"Retry-After": asked}))
    assert run(carrier, hangup)
    assert carrier.attempts == [0.0, waits]


def test_a_failure_says_what_twilio_answered() -> None:
    refusal = TwilioDouble.problem(400, 21211, "Invalid 'To' Phone Number")
    said = failure(TwilioDouble(refusal), transfer)
    assert said == "Twilio did not transfer to +15550123, and answered 400: 21211 Invalid 'To' Phone Number"


def test_a_failure_says_what_telnyx_answered() -> None:
    refusal = TelnyxDouble.problem(422, "10015", "Invalid value", "to is not a number")
    said = failure(TelnyxDouble(refusal), transfer)
    assert said == "Telnyx did not transfer to +15550123, and answered 422: 10015 Invalid value: to is not a number"


@CARRIERS
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"code": "x"}', b"\xff\xfe{"])
def test_an_answer_that_is_not_the_carriers_is_a_failure_with_its_status(make: type[Double], body: bytes) -> None:
    assert "answered 403: Forbidden" in failure(make(Response(body, 403)), hangup)


@given(st.integers(200, 599).filter(lambda status: status not in (204, 304)), st.binary(max_size=80))
def test_any_answer_is_success_or_a_failure(status: int, body: bytes) -> None:
    for make in (TwilioDouble, TelnyxDouble):
        carrier = make(*[Response(body, status)] * 3)
        if status < 300:
            assert run(carrier, hangup)
        else:
            assert f"answered {status}" in failure(carrier, hangup)


@CARRIERS
@pytest.mark.parametrize("fault", [None, UNREACHABLE, LOST, BUSY, PAGE])
def test_secrets_are_neither_logged_nor_in_messages(
    make: type[Double], fault: Fault | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "s3cret-that-is-wrong"
    said = failure(make(*[fault] * 2) if fault else make(), hangup, secret)
    assert "answered 401" in said
    assert "check provider_config" in said
    assert secret not in said + caplog.text


@CARRIERS
@pytest.mark.parametrize(
    "to", ["", "call my mum", "+1 555 0123", "+15550123,99", "sip:", "sip:a@b\n", "tel:+15550123", "911&more", "٠١٢٣"]
)
def test_a_transfer_to_what_is_no_number_is_not_sent(make: type[Double], to: str) -> None:
    carrier = make()
    with pytest.raises(CallError, match="expected a number such as"):
        run(carrier, lambda control: control.transfer(to))
    assert not carrier.attempts


@CARRIERS
@pytest.mark.parametrize("keys", ["", "12x", "1 2", "1\n", "a"])
def test_digits_that_no_telephone_has_are_not_sent(make: type[Double], keys: str) -> None:
    carrier = make()
    with pytest.raises(CallError, match="no keys of a telephone"):
        run(carrier, lambda control: control.send_digits(keys))
    assert not carrier.attempts


@CARRIERS
def test_an_id_from_a_stranger_stays_in_its_place_of_the_path(make: type[Double]) -> None:
    paths = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        paths.append(scope["raw_path"])
        await JSONResponse({})(scope, receive, send)

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            strange = "../Messages?a=b#c"
            if make is TwilioDouble:
                settings = TwilioSettings(account_sid=ACCOUNT, auth_token=TOKEN)
                await TwilioControl(client, settings, strange).hangup()
            else:
                await TelnyxControl(client, TelnyxSettings(api_key=API_KEY), strange).hangup()

    virtual(main())
    assert b"%2FMessages%3Fa%3Db%23c" in paths[0]


def test_a_cancelled_command_stops_waiting() -> None:
    """A call's teardown has a deadline of its own."""

    async def main() -> float:
        carrier = TwilioDouble(Response("", 429, {"Retry-After": "2"}))
        async with carrier.client() as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await carrier.control(client).hangup()
        return now()

    assert virtual(main()) == 0.5
