"""The one form of callers and called numbers, on its way from a carrier to a pipeline."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from server.serving import call_id, carrier, closing, dialled, run, serving, until

from voiceflow import Call
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.pipeline import Element

CONFIG = "country: US\ndids:\n  202 555 0199: {user_id: ann}\n  support: {user_id: ben}\n"


@pytest.fixture
def routes(tmp_path: Path) -> Routes:
    file = tmp_path / "voiceflow.yaml"
    file.write_text(CONFIG)
    return Routes(file)


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
@pytest.mark.parametrize(
    ("caller_id", "did", "seen"),
    [
        ("2025550111", "2025550199", ("+12025550111", "+12025550199", "ann")),
        ("+1 (202) 555-0111", "sip:12025550199@carrier.example", ("+12025550111", "+12025550199", "ann")),
        ("sip:Ann@PBX.example;x=1", "sip:Support@pbx:5060", ("sip:ann@pbx.example", "sip:support@pbx", "ben")),
        ("anonymous", "support", (None, "support", "ben")),
        ("", "+12025550199", (None, "+12025550199", "ann")),
    ],
)
def test_a_pipeline_sees_one_form_and_the_metadata_what_the_carrier_wrote(
    routes: Routes, provider: str, caller_id: str, did: str, seen: tuple[str | None, str, str]
) -> None:
    calls: list[Call] = []

    def build(call: Call) -> Element:
        if call.provider is not None:  # else it is one to link with
            calls.append(call)
        return call.source | call.sink

    async def main() -> None:
        async with serving(build, routes=routes) as served, dialled(served.media) as websocket:
            for message in carrier(provider, caller_id=caller_id, did=did).hello():
                await websocket.send(message)
            await until(lambda: bool(calls))

    run(main())
    (call,) = calls
    assert (call.caller_id, call.did, call.route.user_id) == seen
    assert (call.metadata["caller_id"], call.metadata["did"]) == (caller_id, did)


@pytest.mark.parametrize(
    ("log_numbers", "told_as"),
    [
        (True, "the number '202-555-0198', looked up as '+12025550198': add it"),
        (False, "the number '...0198', looked up as '+1...0198': add it"),
    ],
)
def test_a_refused_call_is_logged_with_what_was_looked_up(
    log_numbers: bool, told_as: str, routes: Routes, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with (
            serving(routes=routes, config=Config(log_numbers=log_numbers)) as served,
            httpx.AsyncClient() as client,
        ):
            body = urlencode({"CallSid": call_id(), "From": "2025550111", "To": "202-555-0198"})
            await client.post(f"{served.http}/sip/twilio/answer", content=body, headers=served.operator)
            async with dialled(served.media, additional_headers=served.operator) as websocket:
                for message in carrier(did="202-555-0198").hello():
                    await websocket.send(message)
                code, reason = await closing(websocket)
            assert (code, reason.startswith("no route for the number '202-555-0198'")) == (1008, True)

    run(main())
    told = [record.getMessage() for record in caplog.records if record.name == "voiceflow.server"]
    assert len(told) == 2
    for message in told:
        assert f"no route for {told_as}" in message
        assert ("2025550111" in message) == (log_numbers and message.startswith("a call"))
