"""Carriers that were given a wrong path: refused, and named in the log with the path that is right."""

from __future__ import annotations

import httpx
import pytest
from server.serving import dialled, run, serving
from websockets.exceptions import InvalidStatus

from voiceflow.config.address import MEDIA


@pytest.mark.parametrize("path", ["", "/", f"{MEDIA}/", "/media", "/sip/twilio/answer"])
def test_a_stream_to_an_unknown_path_is_refused_and_logged(path: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving() as served:
            with pytest.raises(InvalidStatus, match="403") as refused:
                async with dialled(f"ws://127.0.0.1:{served.port}{path}"):
                    pass
            assert refused.value.response.body == f"media streams are served at {MEDIA}\n".encode()

    run(main())
    (record,) = (record for record in caplog.records if record.name == "voiceflow.server")
    assert record.getMessage() == (
        f"a WebSocket from 127.0.0.1 to {path or '/'!r} was refused: media streams are served at {MEDIA}"
    )


def test_a_webhook_to_an_unknown_path_is_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient() as client:
            assert (await client.post(f"{served.http}/sip/twilio?token=secret")).status_code == 404
            assert (await client.post(f"{served.http}/%0Aforged" + "x" * 500)).status_code == 404
            assert (await client.get(f"{served.http}/favicon.ico")).status_code == 404

    run(main())
    first, second = (record.getMessage() for record in caplog.records if record.name == "voiceflow.server")
    right = "was refused: webhooks are served at /sip/twilio/answer and /sip/telnyx/answer"
    assert first == f"a POST from 127.0.0.1 to '/sip/twilio' {right}"
    assert "\n" not in second
    assert len(second) < 300
