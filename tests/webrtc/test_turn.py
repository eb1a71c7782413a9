"""STUN and TURN servers, against doubles that answer as the providers document."""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from doubles import virtual
from msgspec.json import encode

from voiceflow.transports.webrtc.turn_servers import (
    LIFETIME,
    RETRY,
    STUN,
    CloudflareTURN,
    CoturnTURN,
    IceServer,
    ICEServers,
    StaticICE,
    TwilioTURN,
    coturn_credentials,
    read_servers,
)

TURN = "turn:turn.example.com:3478?transport=udp"


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Provider:
    """Answers each request with the next of `answers`, the last of them for ever."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


TWILIO = {
    "username": "dc2d",
    "ttl": "86400",
    "ice_servers": [
        {"url": "stun:global.stun.twilio.com:3478", "urls": "stun:global.stun.twilio.com:3478"},
        {"url": TURN, "urls": TURN, "username": "dc2d", "credential": "tE2D"},
    ],
}
CLOUDFLARE = {
    "iceServers": [
        {"urls": ["stun:stun.cloudflare.com:3478", "stun:stun.cloudflare.com:53"]},
        {"urls": [TURN, "turns:turn.example.com:5349?transport=tcp"], "username": "bc91", "credential": "ebd7"},
    ]
}


def twilio(client: httpx.AsyncClient, clock: Clock) -> ICEServers:
    return TwilioTURN(client, account_sid="AC1", user=("AC1", "t0ken"), clock=clock)


def cloudflare(client: httpx.AsyncClient, clock: Clock) -> ICEServers:
    return CloudflareTURN(client, key_id="k3y", api_token="t0ken", clock=clock)


Make = Callable[[httpx.AsyncClient, Clock], ICEServers]
PROVIDERS = pytest.mark.parametrize(("make", "good"), [(twilio, TWILIO), (cloudflare, CLOUDFLARE)])


def ask(*sources: ICEServers) -> list[list[IceServer]]:
    async def main() -> list[list[IceServer]]:
        return [await source.ice_servers() for source in sources]

    return virtual(main())


def asking(provider: Provider, work: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with provider.client:
            return await work()

    return virtual(main())


def test_without_anything_set_up_there_is_a_public_stun_server() -> None:
    assert ask(StaticICE()) == [[IceServer(urls=(STUN,))]]


@pytest.mark.parametrize("urls", [TURN, [TURN], [TURN, STUN]])
def test_urls_are_a_string_or_a_list(urls: str | list[str]) -> None:
    [[server]] = ask(StaticICE(urls, username="a", credential="b"))
    assert server == IceServer(urls=(urls,) if isinstance(urls, str) else tuple(urls), username="a", credential="b")


def test_url_is_another_name_for_urls() -> None:
    assert read_servers([{"url": STUN}]) == read_servers([{"urls": [STUN]}]) == [IceServer(urls=(STUN,))]


@pytest.mark.parametrize("entries", [{}, [{}], [{"urls": 5}], [5], [{"urls": []}], None])
def test_a_server_without_an_address_is_an_error(entries: Any) -> None:
    with pytest.raises(ValueError, match=r"[Ee]xpected"):
        read_servers(entries)


def test_for_a_browser_a_server_is_what_its_peer_connection_takes() -> None:
    assert encode(IceServer(urls=(STUN,))) == b'{"urls":["stun:stun.l.google.com:19302"]}'
    assert encode(IceServer(urls=(TURN,), username="a", credential="b")).endswith(b'"username":"a","credential":"b"}')


def test_a_credential_is_not_shown_in_logs() -> None:
    assert "secret" not in repr(IceServer(urls=(TURN,), username="a", credential="secret"))


def test_coturns_password_is_a_signature_of_the_name() -> None:
    assert coturn_credentials("north", "alice", 1_893_456_000) == ("1893456000:alice", "MME/7rvfb/gOjpkB59+7AxlCLvk=")


def test_coturns_credentials_are_good_for_a_day() -> None:
    clock = Clock()
    [[server]] = ask(CoturnTURN(TURN, "north", clock=clock))
    assert server.username == f"{int(clock.now) + LIFETIME}:voiceflow"
    assert server.credential == coturn_credentials("north", "voiceflow", int(clock.now) + LIFETIME)[1]


def test_twilio_is_asked_with_the_accounts_credentials() -> None:
    provider = Provider(httpx.Response(201, json=TWILIO))
    servers = asking(provider, twilio(provider.client, Clock()).ice_servers)
    assert servers == [
        IceServer(urls=("stun:global.stun.twilio.com:3478",)),
        IceServer(urls=(TURN,), username="dc2d", credential="tE2D"),
    ]
    [request] = provider.requests
    assert (request.method, str(request.url)) == (
        "POST",
        "https://api.twilio.com/2010-04-01/Accounts/AC1/Tokens.json",
    )
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"AC1:t0ken").decode()
    assert request.content == b"Ttl=86400"


def test_cloudflare_is_asked_with_the_keys_token() -> None:
    provider = Provider(httpx.Response(201, json=CLOUDFLARE))
    servers = asking(provider, cloudflare(provider.client, Clock()).ice_servers)
    assert [len(server.urls) for server in servers] == [2, 2]
    assert servers[1].credential == "ebd7"
    [request] = provider.requests
    assert (request.method, str(request.url)) == (
        "POST",
        "https://rtc.live.cloudflare.com/v1/turn/keys/k3y/credentials/generate-ice-servers",
    )
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert request.content.replace(b" ", b"") == b'{"ttl":86400}'


@PROVIDERS
def test_credentials_are_kept_until_half_of_their_life_is_over(make: Make, good: dict[str, Any]) -> None:
    clock, provider = Clock(), Provider(httpx.Response(201, json=good))

    async def work() -> list[int]:
        source, asked = make(provider.client, clock), []
        for seconds in (0, 1, LIFETIME / 2 - 2, 1, 1):
            clock.now += seconds
            assert await source.ice_servers()
            asked.append(len(provider.requests))
        return asked

    assert asking(provider, work) == [1, 1, 1, 2, 2]


@PROVIDERS
@pytest.mark.parametrize(
    "fault",
    [
        httpx.Response(401, json={"code": 20003}),
        httpx.Response(500, text="<html>"),
        httpx.Response(201, text="<html>"),
        httpx.Response(201, json=[]),
        httpx.Response(201, json={"ice_servers": 5, "iceServers": [{}]}),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("no answer"),
    ],
    ids=repr,
)
def test_a_provider_that_fails_gives_no_servers_and_a_warning(
    make: Make, good: dict[str, Any], fault: httpx.Response | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    clock, provider = Clock(), Provider(fault, httpx.Response(201, json=good))

    async def work() -> list[int]:
        source, found = make(provider.client, clock), []
        for seconds in (0, 1, RETRY):
            clock.now += seconds
            found.append(len(await source.ice_servers()))
        return found

    with caplog.at_level(logging.WARNING, "voiceflow.webrtc"):
        assert asking(provider, work) == [0, 0, 2]
    [record] = caplog.records
    assert "gave no TURN servers" in record.getMessage()
    assert "t0ken" not in record.getMessage()


@PROVIDERS
def test_what_is_still_good_is_used_while_a_provider_fails(make: Make, good: dict[str, Any]) -> None:
    clock = Clock()
    provider = Provider(httpx.Response(201, json=good), httpx.ConnectError("refused"))

    async def work() -> list[int]:
        source, found = make(provider.client, clock), []
        for seconds in (0, LIFETIME / 2, LIFETIME / 2 - 1, 1):
            clock.now += seconds
            found.append(len(await source.ice_servers()))
        return found

    assert asking(provider, work) == [2, 2, 2, 0]


def test_what_is_not_set_up_gives_no_servers_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[list[IceServer]]:
        async with httpx.AsyncClient() as client:
            return [
                await CoturnTURN(TURN, "").ice_servers(),
                await TwilioTURN(client, account_sid="", user=None).ice_servers(),
                await CloudflareTURN(client, key_id="", api_token="").ice_servers(),
            ]

    with caplog.at_level(logging.WARNING, "voiceflow.webrtc"):
        assert virtual(main()) == [[], [], []]
    assert len(caplog.records) == 3
