"""With `stream_keys`, processes that were started apart share their tokens, and each token is still good once."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from launching import await_health, free_port, launched
from server.serving import FROM, TO, TUNNEL, begin, call_id, carrier, closing, dialled, parameters, run, serving
from twilio.request_validator import RequestValidator
from websockets.exceptions import ConnectionClosed

from voiceflow.config.settings import Config
from voiceflow.config.stream_keys import StreamKey
from voiceflow.security.tokens import Claims, StreamTokens
from voiceflow.server.refusals import REFUSED

NEW, OLD = (StreamKey(text=text) for text in ("p0/Pp5Sq3FZGh1n3U1yYxzFRbvu5g7F4", "1b9c7a60d2f84e35a1c0f7d94be8236f"))
CLAIMS = Claims("twilio", call_id(), FROM, TO, "")
USED, FOREIGN = "the stream token was used before", "the stream token is not one that this server has issued"
PUBLIC = "wss://calls.example.com/sip/media-stream"


@pytest.fixture(autouse=True)
def _marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


async def shows_page_of(http: str, link: str) -> bool:
    """Whether the link makes its visitor the operator."""
    async with httpx.AsyncClient(headers=TUNNEL) as client:
        return "set-cookie" in (await client.get(f"{http}/?key={link}")).headers


async def refusal(media: str, token: str, operator: Mapping[str, str] = {}) -> str | None:
    """Why a stream with this token is refused, as it is told. None: it becomes a call in which the caller is
    heard."""
    async with dialled(media, additional_headers={**TUNNEL, **operator}) as websocket:
        caller = carrier(token=token)
        await begin(websocket, caller)
        try:
            assert caller.receive(await websocket.recv())
        except ConnectionClosed:
            reason = (await closing(websocket))[1]
            return next(known for known in (USED, FOREIGN, REFUSED, reason) if reason.startswith(known))
        return None


def issued(*keys: StreamKey) -> str:
    return StreamTokens(*(key.text.encode() for key in keys)).issue(CLAIMS)


def test_a_token_is_good_for_one_stream_at_any_process_with_the_keys() -> None:
    async def main() -> None:
        config = Config(public_ws_url=PUBLIC, stream_keys=(NEW, OLD))
        for token in (issued(NEW), issued(OLD), issued(NEW, OLD)):
            async with serving(config=config, key=b"one") as one, serving(config=config, key=b"other") as other:
                assert await refusal(other.media, token, other.operator) is None
                for served in (one, other):
                    assert await refusal(served.media, token, served.operator) == USED
            async with serving(config=config, key=b"after a restart") as again:
                assert await refusal(again.media, token, again.operator) == USED

    run(main())


def test_without_keys_and_with_others_a_token_is_refused() -> None:
    async def main() -> None:
        for config in (Config(public_ws_url=PUBLIC), Config(public_ws_url=PUBLIC, stream_keys=(OLD,))):
            async with serving(config=config, key=b"its own") as served:
                assert await refusal(served.media, issued(NEW), served.operator) == FOREIGN

    run(main())


def test_a_key_of_the_run_signs_nothing_where_there_are_keys() -> None:
    async def main() -> None:
        async with serving(config=Config(public_ws_url=PUBLIC, stream_keys=(NEW,)), key=b"key of this run") as served:
            token = StreamTokens(b"key of this run").issue(CLAIMS)
            assert await refusal(served.media, token, served.operator) == FOREIGN

    run(main())


PROGRAM = "import voiceflow.server\nvoice = voiceflow.server.app('echo', config='voiceflow.yaml')\n"


@contextmanager
def embedded(folder: Path, keys: str) -> Iterator[str]:
    """uvicorn with two workers, which know nothing of each other but the configuration. Yields their address."""
    (folder / "program.py").write_text(PROGRAM)
    (folder / "voiceflow.yaml").write_text(
        f"public_ws_url: {PUBLIC}\nstream_keys: {keys}\nprovider_config: {{twilio: {{auth_token: '12345'}}}}\n"
    )
    port = free_port()
    http = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "--workers", "2", "--port", str(port), "program:voice"]
    with launched(command, folder, folder / "log", {**os.environ, "TMPDIR": str(folder)}) as process:
        await_health(process, lambda: http, folder / "log", seconds=30)
        yield http


def test_workers_of_another_server_share_their_tokens_across_a_restart_with_a_new_key(tmp_path: Path) -> None:
    form = {"CallSid": call_id(), "From": FROM, "To": TO}
    signed = RequestValidator("12345").compute_signature("https://calls.example.com/sip/twilio/answer", form)

    async def token(http: str) -> str:
        async with httpx.AsyncClient(headers=TUNNEL | {"X-Twilio-Signature": signed}) as client:
            return parameters(await client.post(f"{http}/sip/twilio/answer", data=form))["token"]

    async def before(http: str) -> str:
        (once,) = {await token(http) for _ in range(6)}
        return once

    async def after(http: str, once: str) -> None:
        (link,) = set(re.findall(r"/\?key=(\S+)", (tmp_path / "log").read_text()))
        assert {await shows_page_of(http, link) for _ in range(6)} == {True}
        assert await before(http) == once
        media = http.replace("http", "ws", 1) + "/sip/media-stream"
        refusals = await asyncio.gather(*(refusal(media, once) for _ in range(6)))
        assert sorted(map(str, refusals)) == ["None"] + [REFUSED] * 5

    with embedded(tmp_path, f"['{OLD.text}']") as http:
        once = asyncio.run(asyncio.wait_for(before(http), 30))
    with embedded(tmp_path, f"['{NEW.text}', '{OLD.text}']") as http:
        asyncio.run(asyncio.wait_for(after(http, once), 30))
