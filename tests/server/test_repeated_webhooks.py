"""A signed webhook that comes again gets its first answer again, whichever worker it reaches: a carrier that has missed
the answer can go on, and nobody gains by repeating what they have seen."""

from __future__ import annotations

import asyncio
import base64
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from server.serving import (
    FROM,
    MULAW,
    TO,
    TUNNEL,
    Served,
    begin,
    call_id,
    carrier,
    dialled,
    parameters,
    run,
    serving,
)
from twilio.request_validator import RequestValidator
from websockets.exceptions import ConnectionClosed

from voiceflow.config.settings import Config
from voiceflow.security.tokens import StreamTokens
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

AUTH_TOKEN = "12345"
TELNYX_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = base64.b64encode(TELNYX_KEY.public_key().public_bytes_raw()).decode()
CONFIG = Config(
    public_ws_url="wss://calls.example.com/sip/media-stream",
    provider_config=(TelnyxSettings(public_key=PUBLIC_KEY), TwilioSettings(auth_token=AUTH_TOKEN)),
)
KEY = b"the key of this run"
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


class Sent:
    """A signed webhook."""

    def __init__(self, name: str, number: int = 1, **more: str) -> None:
        self.name = name
        self.form = {"CallSid": call_id(name, number), "From": FROM, "To": TO, **more}
        self.body = urlencode(self.form).encode()
        if name == "twilio":
            url = "https://calls.example.com/sip/twilio/answer"
            self.headers = {"X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(url, self.form)}
        else:
            timestamp = str(int(time.time()))
            signature = base64.b64encode(TELNYX_KEY.sign(timestamp.encode() + b"|" + self.body)).decode()
            self.headers = {"Telnyx-Signature-Ed25519": signature, "Telnyx-Timestamp": timestamp}

    async def to(self, served: Served) -> httpx.Response:
        async with httpx.AsyncClient(headers=FORM_TYPE | TUNNEL | self.headers) as client:
            return await client.post(f"{served.http}/sip/{self.name}/answer", content=self.body)

    async def token(self, served: Served) -> str:
        return parameters(await self.to(served))["token"]

    async def streams(self, served: Served, token: str) -> bool:
        """Whether a stream of this call, with this token, becomes a call in which the caller is heard."""
        caller = carrier(self.name, call_sid=self.form["CallSid"], inbound=MULAW, token=token)
        async with dialled(served.media, additional_headers=TUNNEL) as websocket:
            await begin(websocket, caller)
            try:
                return bool(caller.receive(await websocket.recv()))
            except ConnectionClosed:
                return False


@pytest.fixture(autouse=True)
def _marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


carriers = pytest.mark.parametrize("name", ["twilio", "telnyx"])


@carriers
def test_a_repeated_webhook_gets_its_first_answer_again_from_any_worker(name: str) -> None:
    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as one, serving(config=CONFIG, key=KEY) as other:
            sent = Sent(name)
            answers = [await sent.to(served) for served in (one, other, one, other)]
            assert len({answer.text for answer in answers}) == 1
            assert answers[0].status_code == 200

    run(main())


@carriers
def test_webhooks_that_come_at_once_get_one_token(name: str) -> None:
    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as one, serving(config=CONFIG, key=KEY) as other:
            sent = Sent(name)
            tokens = await asyncio.gather(*(sent.token(served) for served in (one, other) * 5))
            assert len(set(tokens)) == 1

    run(main())


@pytest.mark.parametrize(
    "respell",
    [
        pytest.param(lambda form: urlencode(list(form.items())[::-1]), id="reordered"),
        pytest.param(lambda form: urlencode([*form.items(), *form.items()]), id="doubled"),
        pytest.param(lambda form: "&".join(f"{key}={quote(form[key], safe='')}" for key in form), id="quoted"),
        pytest.param(lambda form: "&".join(f"{key}={_all_quoted(form[key])}" for key in form), id="all quoted"),
        pytest.param(lambda form: "&&" + urlencode(form) + "&", id="empty fields"),
    ],
)
def test_twilios_webhook_in_another_spelling_is_the_same(respell: Callable[[dict[str, str]], str]) -> None:
    """What Twilio signs does not depend on the order and the encoding of the form."""

    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as served:
            sent = Sent("twilio")
            first = await sent.token(served)
            sent.body = respell(sent.form).encode()
            assert await sent.token(served) == first

    run(main())


def _all_quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


@pytest.mark.parametrize(
    "split",
    [
        pytest.param(lambda form: {**form, "To": None, "T": f"o{TO}"}, id="without the called number"),
        pytest.param(lambda form: {**form, "From": None, "Fro": f"m{FROM}"}, id="without the caller"),
        pytest.param(lambda form: {**form, "To": None, "From": f"{FROM}To{TO}"}, id="another caller"),
    ],
)
def test_a_form_that_is_cut_elsewhere_gets_the_token_of_the_call_that_was_signed(
    split: Callable[[dict[str, str]], dict[str, str | None]],
) -> None:
    """Twilio signs names and values without anything between them, so they may be cut elsewhere."""

    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as served:
            sent = Sent("twilio")
            first = await sent.token(served)
            sent.body = urlencode({name: value for name, value in split(sent.form).items() if value}).encode()
            again = await sent.to(served)
            assert again.status_code == 200
            assert parameters(again)["token"] == first
        claims = StreamTokens(KEY).redeem(first)
        assert (claims.call_id, claims.caller_id, claims.did) == (call_id("twilio"), FROM, TO)

    run(main())


def test_telnyxs_webhook_with_its_signature_in_another_spelling_is_the_same() -> None:
    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as served:
            sent = Sent("telnyx")
            first = await sent.token(served)
            signature = sent.headers["Telnyx-Signature-Ed25519"]
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            other = signature[:-3] + alphabet[alphabet.index(signature[-3]) + 1] + "=="
            assert base64.b64decode(other) == base64.b64decode(signature)  # its last four bits say nothing
            sent.headers["Telnyx-Signature-Ed25519"] = other
            again = await sent.to(served)
            assert again.status_code == 403 or parameters(again)["token"] == first

    run(main())


@carriers
def test_a_carrier_that_missed_the_answer_may_ask_again_and_one_stream_comes_of_it(name: str) -> None:
    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as one, serving(config=CONFIG, key=KEY) as other:
            sent = Sent(name)
            await sent.token(one)
            again = await sent.token(other)
            assert await sent.streams(one, again)
            assert not await sent.streams(other, await sent.token(other))

    run(main())


@carriers
def test_other_webhooks_of_the_same_call_and_of_others_get_tokens_of_their_own(name: str) -> None:
    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as served:
            sent = [Sent(name), Sent(name, 2), Sent(name, CallStatus="in-progress"), Sent(name, CallStatus="ringing")]
            assert len({await each.token(served) for each in sent}) == 4

    run(main())


@carriers
@pytest.mark.parametrize("open", [True, False], ids=["insecure", "operator"])
def test_what_is_trusted_without_a_signature_gets_a_new_token_each_time(name: str, open: bool) -> None:
    async def main() -> None:
        async with serving(config=CONFIG, key=KEY, open=open) as served:
            sent = Sent(name)
            sent.headers = served.operator
            assert await sent.token(served) != await sent.token(served)

    run(main())


@carriers
def test_a_webhook_whose_signature_is_wrong_gets_no_answer_that_was_given_before(name: str) -> None:
    async def main() -> None:
        async with serving(config=CONFIG, key=KEY) as served:
            sent = Sent(name)
            await sent.token(served)
            for form in ({**sent.form, "To": "+1"}, {**sent.form, "CallSid": call_id(name, 2)}, {}):
                sent.body = urlencode(form).encode()
                refused = await sent.to(served)
                assert refused.status_code == 403
                assert "<Stream" not in refused.text

    run(main())
