"""Ids that a carrier would not send are refused, whoever sends them, and before they get anywhere."""

from __future__ import annotations

import contextlib
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import httpx
import msgspec
from hypothesis import given
from hypothesis import strategies as st
from server.serving import FROM, MULAW, TO, Served, begin, call_id, carrier, closing, dialled, run, serving

from voiceflow.config.settings import Config
from voiceflow.errors import CallRejectedError
from voiceflow.transports.carriers import carrier_named
from voiceflow.transports.carriers.ids import check_ids

TRICKS: Final = (
    "../../Accounts",
    "..",
    "CA/../CB",
    "CA?x=1",
    "CA#x",
    "%2e%2e%2f",
    "v3:../../calls/v3:other",
    "v3:%2e%2e",
    "v3:a/actions/hangup?",
    "\x1b[2J",
    "CA\r\nX-Other: 1",
    "CA\u202e1",
    "x" * 100_000,
)
REAL: Final[dict[str, tuple[str, ...]]] = {
    "twilio": ("CA" + "0123456789abcdef" * 2, "CA" + "0123456789ABCDEF" * 2),
    "telnyx": (
        "v2:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ",
        "v3:2EC-70CTEjlUq3tDM0CxKXIt5-5N4iP4wo7_-PfH-qub97Sk4EqO5w",
        "v3:550e8400-e29b-41d4-a716-446655440000_gRU1OGRkYQ",
        "428c31b6-7af4-4bcb-b7f5-5013ef9657c1",
    ),
}
"""As in the carriers' documentation."""
FOREIGN: Final = {
    "twilio": ("CA1", "CA" + "0" * 31, "CA" + "0" * 33, "ca" + "0" * 32, "MZ" + "0" * 32, "CA" + "\u0660" * 32)
    + REAL["telnyx"],
    "telnyx": ("v3:", "v3", "x3:abc", "v3:abc\n", " v3:abc", "v3:\u0430bc", "428c31b6", *REAL["twilio"]),
}
"""Ids that look like the carrier's, and those of another."""
CASES: Final = [(name, odd) for name in REAL for odd in (*TRICKS, *FOREIGN[name])]


def test_ids_as_the_carriers_document_them_are_taken() -> None:
    for name, ids in REAL.items():
        for each in ids:
            check_ids(carrier_named(name).id_shapes, {"call_sid": each})


@given(st.uuids(), st.sampled_from(["twilio", "telnyx"]))
def test_ids_of_simulated_calls_are_taken(unique: UUID, name: str) -> None:
    stream_id, call = carrier_named(name).ids(unique)
    check_ids(carrier_named(name).id_shapes, {"stream_id": stream_id, "call_sid": call})


@given(st.text(min_size=1), st.sampled_from(["twilio", "telnyx"]))
def test_no_id_that_is_taken_can_leave_its_place_in_an_address_or_a_log(text: str, name: str) -> None:
    for shape in carrier_named(name).id_shapes:
        with contextlib.suppress(CallRejectedError):
            check_ids(carrier_named(name).id_shapes, {shape: text})
            assert set(text).isdisjoint("/?#%\\&@ \n\r\t\"'<>")
            assert text.strip(".")
            assert text.isascii()
            assert text.isprintable()


async def ended(served: Served, name: str, field: str, odd: str) -> tuple[int | None, str]:
    """How a stream is ended in whose start an id is `odd`."""
    caller = carrier(name, inbound=MULAW)
    sent: Any = {"stream_id": odd} if field == "stream_id" else {"metadata": {field: odd}}
    if field == "call_sid":
        sent = {"call_sid": odd}
    caller = carrier_named(name).mirror(msgspec.structs.replace(caller.start, **sent))
    async with dialled(served.media) as websocket:
        await begin(websocket, caller)
        return await closing(websocket)


def test_a_stream_with_an_odd_id_is_refused_also_where_everybody_may_call() -> None:
    async def main() -> None:
        async with serving(open=True) as served:
            for name, odd in CASES:
                code, reason = await ended(served, name, "call_sid", odd[:2_000])
                assert (code, reason[:9]) == (1008, "expected "), (name, odd[:80])
            for name, fields in (
                ("twilio", ("stream_id", "account_sid")),
                ("telnyx", ("stream_id", "account_sid", "call_session_id")),
            ):
                for field in fields:
                    code, reason = await ended(served, name, field, "../../x")
                    assert (code, reason[:9]) == (1008, "expected "), (name, field)
            assert not served.server.calls.active

    run(main())


def test_a_webhook_with_an_odd_id_gets_no_token_also_where_everybody_may_call() -> None:
    config = Config(public_ws_url="wss://calls.example.com/sip/media-stream")

    async def main() -> None:
        async with serving(config=config, open=True) as served, httpx.AsyncClient() as client:
            for name, odd in [*CASES, ("twilio", ""), ("telnyx", "")]:
                form = urlencode({"CallSid": odd[:2_000], "From": FROM, "To": TO})
                answer = await client.post(f"{served.http}/sip/{name}/answer", content=form)
                assert answer.status_code == 403, (name, odd[:80])
                assert "<" not in answer.text.replace("'<", "")
                assert len(answer.text) < 1_000
            for name in REAL:
                form = urlencode({"CallSid": call_id(name), "From": FROM, "To": TO})
                assert (await client.post(f"{served.http}/sip/{name}/answer", content=form)).status_code == 200

    run(main())


def test_a_stream_without_a_calls_id_is_a_call_without_call_control() -> None:
    async def main() -> None:
        async with serving() as served, dialled(served.media) as websocket:
            caller = carrier(call_sid="")
            await begin(websocket, caller)
            assert caller.receive(await websocket.recv())

    run(main())
