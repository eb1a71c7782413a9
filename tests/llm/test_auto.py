"""Which model answers, and what start-up says about it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator

import pytest
from doubles import make_call, virtual
from ollama_server import OllamaServer
from talking import Voice, run, talk

from voiceflow import ConfigError, MissingExtraError, Transcript
from voiceflow.inference import loaded_models as models
from voiceflow.processors.llm import LLM, AutoLLM, ClaudeLLM, Message, OllamaLLM, OpenAILLM, Responder, auto
from voiceflow.processors.llm.auto import ChosenLLM, choose

VARIABLES = (
    "LLM_PROVIDER ANTHROPIC_API_KEY OPENAI_API_KEY OPENAI_MODEL OPENAI_BASE_URL OLLAMA_URL OLLAMA_HOST OLLAMA_MODEL"
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.MonkeyPatch:
    """Nothing is configured, Ollama is not there, and nothing was said yet."""
    for name in VARIABLES.split():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_URL", "http://127.0.0.1:9")
    caplog.set_level(logging.INFO)
    auto._say.cache_clear()
    models._models.clear()
    return monkeypatch


@pytest.fixture
def ollama(environment: pytest.MonkeyPatch) -> Iterator[OllamaServer]:
    server = OllamaServer()
    with server.running() as url:
        environment.setenv("OLLAMA_URL", url)
        yield server


def chosen(llm: AutoLLM) -> LLM:
    """What answers a call."""

    async def main() -> LLM:
        await models.load([llm])
        model = llm.model.make()
        model.model = llm.model.client
        return model

    return virtual(main())


@pytest.mark.parametrize(
    ("variables", "kind", "why"),
    [
        ({"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}, ClaudeLLM, "because ANTHROPIC_API_KEY is set"),
        ({"OPENAI_API_KEY": "k"}, OpenAILLM, "because OPENAI_API_KEY is set"),
        (
            {"LLM_PROVIDER": "OpenAI", "ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"},
            OpenAILLM,
            "because LLM_PROVIDER is openai",
        ),
        ({"LLM_PROVIDER": "claude", "ANTHROPIC_API_KEY": "k"}, ClaudeLLM, "because LLM_PROVIDER is claude"),
    ],
)
def test_the_environment_decides_and_start_up_says_why_and_how_to_stay_local(environment, caplog, variables, kind, why):
    for name, value in variables.items():
        environment.setenv(name, value)
    assert type(chosen(AutoLLM("llama3.2"))) is kind
    assert why in caplog.text
    assert "set LLM_PROVIDER=ollama" in caplog.text


def test_start_up_names_the_server_that_stands_for_openai(environment, caplog):
    environment.setenv("OPENAI_API_KEY", "k")
    environment.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    chosen(AutoLLM())
    assert "is sent to http://127.0.0.1:9/v1 as text" in caplog.text


def test_start_up_says_it_once_however_many_routes_there_are(environment, caplog):
    environment.setenv("ANTHROPIC_API_KEY", "k")
    for prompt in ("one", "two"):
        chosen(AutoLLM("llama3.2", system=prompt))
        models._models.clear()
    assert caplog.text.count("The language model is") == 1


def test_another_provider_is_an_error_that_names_them(environment):
    environment.setenv("LLM_PROVIDER", "bard")
    with pytest.raises(ConfigError, match="LLM_PROVIDER is bard: expected claude, openai or ollama"):
        AutoLLM()


@pytest.mark.parametrize(
    ("key", "wanted", "asked"),
    [
        ("ANTHROPIC_API_KEY", None, "claude-haiku-5-5"),
        ("ANTHROPIC_API_KEY", "llama3.2", "claude-haiku-5-5"),
        ("ANTHROPIC_API_KEY", "mistral", "claude-haiku-5-5"),
        ("ANTHROPIC_API_KEY", "claude-opus-5-5", "claude-opus-5-5"),
        ("OPENAI_API_KEY", "llama3.2", "gpt-6-luna"),
        ("OPENAI_API_KEY", "gpt-6.1-sol", "gpt-6.1-sol"),
        ("OPENAI_API_KEY", "claude-opus-5-5", "gpt-6-luna"),
    ],
)
def test_the_name_of_ollamas_model_is_not_sent_to_others(environment, caplog, key, wanted, asked):
    environment.setenv(key, "k")
    assert chosen(AutoLLM(wanted))._model == asked  # type: ignore[attr-defined]
    assert ("is not a model of" in caplog.text) == (wanted not in (None, "llama3.2", asked))


def test_the_configured_default_of_ollama_is_not_sent_either(environment):
    environment.setenv("OLLAMA_MODEL", "qwen3")
    environment.setenv("OPENAI_API_KEY", "k")
    environment.setenv("OPENAI_MODEL", "gpt-5.6-luna")
    assert chosen(AutoLLM("qwen3"))._model == "gpt-5.6-luna"  # type: ignore[attr-defined]


def test_without_a_key_ollama_answers(ollama, caplog):
    model, voice = AutoLLM("llama3.2", system="Be brief.", tools=[tool]), Voice()

    async def close() -> None:
        await model.model.client.get().close()

    call = make_call(Transcript("hello there"), 3.0)

    class Closing(Voice):
        async def close(self) -> None:
            await close()

    voice = Closing()
    run(call, talk(model, voice=voice))
    assert voice.texts == ["hello", "there"]
    (request,) = ollama.requests
    assert request["messages"][0] == {"role": "system", "content": "Be brief."}
    assert request["tools"][0]["function"]["name"] == "tool"
    assert "The language model is llama3.2 by Ollama" in caplog.text


def tool() -> None:
    """A tool."""


def test_a_model_that_nobody_chose_gives_way_to_one_that_is_there(ollama):
    ollama.models = {"qwen3:4b": {"completion"}}
    assert chosen(AutoLLM("llama3.2"))._model == "qwen3:4b"  # type: ignore[attr-defined]


def test_a_model_that_was_chosen_and_is_missing_is_named(ollama, caplog):
    assert chosen(AutoLLM("mistral"))._model == "mistral"  # type: ignore[attr-defined]
    assert "run `ollama pull mistral`" in caplog.text


@pytest.mark.parametrize("why", ["does not answer", "has no model"])
def test_without_any_model_the_console_says_so_and_a_responder_answers(environment, caplog, why, request):
    if why == "has no model":
        request.getfixturevalue("ollama").models = {}
    voice = Voice()
    run(make_call(Transcript("Hello?"), 20.0), talk(AutoLLM("llama3.2", system="x"), voice=voice))
    assert voice.texts[0].startswith("Hello!")
    assert caplog.text.count("No language model was found") == 1
    assert why in caplog.text
    assert "`ollama pull llama3.2`" in caplog.text


def test_an_ollama_that_was_asked_for_and_is_not_there_is_not_replaced(environment, caplog):
    environment.setenv("LLM_PROVIDER", "ollama")
    assert type(chosen(AutoLLM("llama3.2"))) is OllamaLLM
    assert "does not have llama3.2" in caplog.text


def test_without_the_extra_of_ollama_a_responder_answers_and_the_console_says_what_to_install(environment, caplog):
    environment.setitem(sys.modules, "ollama", None)
    assert type(chosen(AutoLLM())) is Responder
    assert "[ollama]'" in caplog.text


@pytest.mark.parametrize(
    ("model", "package", "extra"),
    [(ClaudeLLM, "anthropic", "claude"), (OpenAILLM, "openai", "openai"), (OllamaLLM, "ollama", "ollama")],
)
def test_a_missing_extra_is_an_error_that_says_what_to_install(environment, model, package, extra):
    environment.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{model.__name__} needs an extra .*\[{extra}\]"):
        model(host="http://127.0.0.1:7").load() if model is OllamaLLM else model().load()


SETTING_UP = re.compile(r"\b(model|llm|ollama|claude|openai|api|key|install|set|restart|rules?)\b", re.IGNORECASE)
"""Words for whoever runs the pipeline, with which callers can do nothing."""


def test_the_responder_knows_the_time_and_tells_callers_nothing_about_setting_up():
    async def main() -> list[str]:
        said = ("What time is it?", "I'm tired", "can you sing?", "Goodbye", "?!", "Who are you?", "Help!", "Hello")
        return [await Responder().chat([Message("user", text)]) for text in said]

    answers = virtual(main())
    time, tired, sing, bye, *_ = answers
    assert time.startswith("It is ")
    assert tired == "How long have you been tired?"
    assert sing == "I am afraid that I cannot sing."
    assert bye == "Goodbye!"
    assert all(answers)
    assert not [answer for answer in answers if SETTING_UP.search(answer)]


def test_the_choice_can_be_asked_for_and_blanks_are_no_key():
    assert choose({}).name == "ollama"
    assert choose({"ANTHROPIC_API_KEY": " \n", "OPENAI_API_KEY": "k", "OPENAI_MODEL": "gpt-9"}) == ChosenLLM(
        "openai", False, "OPENAI_API_KEY is set", "gpt-9", "OPENAI_API_KEY"
    )
    assert choose({"LLM_PROVIDER": " Claude "}) == ChosenLLM(
        "claude", True, "LLM_PROVIDER is claude", "claude-haiku-5-5", "ANTHROPIC_API_KEY"
    )
    assert choose({"LLM_PROVIDER": " ", "OLLAMA_MODEL": "qwen3"}).model == "qwen3"


def test_the_temperature_goes_to_whichever_model_answers(environment):
    environment.setenv("ANTHROPIC_API_KEY", "k")
    llm = AutoLLM(temperature=0.3)
    virtual(models.load([llm]))
    assert llm.model.make(temperature=0.3).temperature == 0.3
