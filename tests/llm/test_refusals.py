"""What is done about a refusal: nothing that a server refused for what it contains is sent to it again unchanged, and
what cannot soon succeed fails at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from llm.replay import Answer, Replay, chunk, stream_of

from voiceflow import ProviderConnectionError
from voiceflow.inference import loaded_models as models
from voiceflow.processors.llm import LLM, ClaudeLLM, ContextFullError, Message, OpenAILLM, RequestRefusedError, openai
from voiceflow.processors.llm.refusals import LONGEST_WAIT, wait_before_retry, words


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One refusal of one server."""

    server: str
    status: int
    what: str = msgspec.field(name="is")
    body: Any = None
    headers: dict[str, str] = {}

    @property
    def answer(self) -> Answer:
        body = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return Answer(body, "application/json", self.status, self.headers)


REFUSALS = msgspec.convert(yaml.safe_load((Path(__file__).parent / "refusals.yaml").read_text()), list[Refusal])
CLASSES = {"full": ContextFullError, "refused": RequestRefusedError}
HELLO = stream_of(chunk({"content": "Hello."}))
CLAUDES = """event: content_block_delta
data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}}

"""


def name(refusal: Refusal) -> str:
    return f"{refusal.server} {refusal.status} {refusal.what}"


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    with Replay().running() as double:
        yield double


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits before second attempts, which take no time here."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("voiceflow.processors.llm.providers.sleep", sleep)
    return waits


@pytest.fixture(autouse=True)
def knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No knowledge of another test's model."""
    monkeypatch.setattr(openai, "_effort", {})
    monkeypatch.setattr(openai, "_limit", {})


def asked(url: str, server: str = "OpenAI") -> list[Any]:
    async def main() -> list[Any]:
        llm: LLM = OpenAILLM("m", base_url=url)
        if server == "Anthropic":
            llm = ClaudeLLM("m", api_key="key", base_url=url.removesuffix("/v1"))
        await models.load([llm])
        try:
            return [piece async for piece in llm.chat([Message("user", "hello")])]
        finally:
            await llm.model.get().close()
            models._models.clear()

    return asyncio.run(main())


@pytest.mark.parametrize("refusal", [r for r in REFUSALS if r.what != "soon"], ids=name)
def test_what_will_not_soon_succeed_is_asked_once_and_told_in_the_servers_words(replay, waited, refusal):
    replay.say(refusal.answer)
    with pytest.raises(ProviderConnectionError) as raised:
        asked(replay.url, refusal.server)
    assert len(replay.requests) == 1
    assert waited == []
    assert words(refusal.body)[:80] in str(raised.value)
    assert type(raised.value) is CLASSES.get(refusal.what, ProviderConnectionError)


@pytest.mark.parametrize("refusal", [r for r in REFUSALS if r.what == "soon"], ids=name)
def test_what_may_soon_succeed_is_asked_once_more(replay, waited, refusal):
    replay.say(refusal.answer, CLAUDES if refusal.server == "Anthropic" else HELLO)
    assert asked(replay.url, refusal.server) == ["Hello."]
    assert len(replay.requests) == 2
    assert 0 < waited[0] <= LONGEST_WAIT
    replay.say(refusal.answer)
    with pytest.raises(ProviderConnectionError):
        asked(replay.url, refusal.server)
    assert len(replay.requests) == 2


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("Please try again in 350ms.", 0.35),
        ("Please try again in 1.5s.", 1.5),
        ("please retry after 1 second", 1.0),
        ("Please retry in 2s", 2.0),
        ("try again in 1m", None),
        ("try again in 1h2m3s", None),
        ("try again later", 0.5),
    ],
)
def test_how_long_to_wait_is_read_from_the_words_where_no_header_tells(said, wait):
    assert wait_before_retry(429, {}, said) == (wait and pytest.approx(wait))
    assert wait_before_retry(429, {"retry-after": "0.25"}, said) == 0.25


MAX_TOKENS = {
    "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
    "param": "max_tokens",
}
EFFORT = {"type": "extra_forbidden", "loc": ["body", "reasoning_effort"], "msg": "Extra inputs are not permitted"}


@pytest.mark.parametrize(("status", "fields"), [(400, {"error": MAX_TOKENS}), (422, {"detail": [EFFORT]})])
def test_a_field_that_a_model_does_not_know_is_not_sent_to_it_again(replay, status, fields):
    replay.say(Answer(json.dumps(fields), "application/json", status), HELLO)
    assert asked(replay.url) == asked(replay.url) == ["Hello."]
    refused, second, third = replay.requests[0], replay.requests[-2], replay.requests[-1]
    assert refused != second == third
