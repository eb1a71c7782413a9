"""What the page learns of the pipeline before a call."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from server.serving import TO, TUNNEL, echo, run, serving
from talking import Build, Parrot, Voice

from voiceflow import DTMF, Call, Processor, Transcript
from voiceflow.config.routes import Routes
from voiceflow.pipeline import Element
from voiceflow.processors import AutoLLM


class Ears(Processor):
    """In the place of a VAD and speech recognition."""

    def process(self, frame: DTMF) -> Transcript:
        return Transcript(frame.digit)


def with_an_agent(call: Call) -> Element:
    return call.source | Ears() | Parrot() | Voice() | call.sink


def with_the_model_there_is(call: Call) -> Element:
    return call.source | Ears() | AutoLLM() | Voice() | call.sink


def for_its_numbers_alone(call: Call) -> Element:
    if call.route.user_id != "ann":
        raise SystemExit("this pipeline is for its numbers")
    return echo(call)


@pytest.fixture
def without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLM_PROVIDER", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_URL", "http://127.0.0.1:9")


@pytest.mark.usefixtures("without_a_model")
@pytest.mark.parametrize(
    ("build", "answers"), [(echo, "echo"), (with_an_agent, "agent"), (with_the_model_there_is, "rules")]
)
def test_the_page_is_told_who_answers(build: Build, answers: str) -> None:
    async def main() -> None:
        async with serving(build) as served, httpx.AsyncClient(base_url=served.http) as client:
            told = await client.get("/api/about", headers=TUNNEL)
            assert told.json() == {"answers": answers}

    run(main())


def test_a_pipeline_that_is_not_for_the_page_is_served_all_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        file = tmp_path / "voiceflow.yaml"
        file.write_text(f'dids:\n  "{TO}": {{user_id: ann}}\n')
        routes = Routes(file)
        async with (
            serving(for_its_numbers_alone, routes=routes) as served,
            httpx.AsyncClient(base_url=served.http) as client,
        ):
            assert (await client.get("/api/about")).json() == {"answers": "agent"}

    run(main())
