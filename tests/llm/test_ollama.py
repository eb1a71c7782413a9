"""OllamaLLM: Ollama's own client against a double that speaks its protocol."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
from doubles import make_call, virtual
from ollama_server import Call, Failure, OllamaServer, Raw, Refusal, Stall, Thought
from talking import Interrupter, Voice, run, talk

from voiceflow import DTMF, ProviderConnectionError, Transcript
from voiceflow.inference import loaded_models as models
from voiceflow.processors.llm import Message, OllamaLLM, ToolCall
from voiceflow.processors.llm.ollama import address, installed_models

HELLO = [Message("system", "Be brief."), Message("user", "hello there")]


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    server = OllamaServer()
    with server.running() as url:
        server.url = url  # type: ignore[attr-defined]
        yield server


def weather(city: str) -> str:
    """The weather in a city."""
    return "sunny"


def asked(llm: OllamaLLM, messages: list[Message] = HELLO, times: int = 1) -> list[str | ToolCall]:
    """What the model answers the last time."""

    async def main() -> list[str | ToolCall]:
        await models.load([llm])
        try:
            for _ in range(times):
                answer = [piece async for piece in llm.chat(messages)]
        finally:
            await llm.model.get().close()
        return answer

    return virtual(main())


def test_an_answer_is_streamed_word_by_word(server):
    assert asked(OllamaLLM(host=server.url)) == ["hello ", "there "]
    (request,) = server.requests
    assert request["model"] == "llama3.2"
    assert request["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello there"},
    ]
    assert request["think"] is False
    assert request["options"]["num_predict"] == 300
    assert request["keep_alive"] == "24h"


def test_loading_brings_the_model_into_memory_with_the_window_it_is_asked_with(server):
    asked(OllamaLLM(host=server.url, history=30_000))
    (loaded,) = server.loaded
    assert loaded["options"]["num_ctx"] == server.requests[0]["options"]["num_ctx"] >= 10_000


def test_one_client_serves_all_calls_and_keeps_its_connection(server):
    one, two = OllamaLLM(host=server.url), OllamaLLM(host=server.url, system="other")
    virtual(models.load([one, two]))
    assert one.model is two.model
    assert asked(one, times=3) == ["hello ", "there "]


def test_a_client_serves_more_loops_than_one(server):
    llm = OllamaLLM(host=server.url)
    assert asked(llm) == asked(llm) == ["hello ", "there "]


def test_thoughts_are_not_asked_for_and_not_part_of_the_answer(server):
    server.models["qwen3:latest"] = {"completion", "thinking"}
    server.script.append([Thought("hmm"), "hi"])
    assert asked(OllamaLLM("qwen3", host=server.url)) == ["hi"]


def test_tools_are_described_called_and_their_results_shown(server):
    server.script.append(["Let me see. ", Call("weather", {"city": "Oslo"})])
    text, call = asked(OllamaLLM(host=server.url, tools=[weather]))
    assert text == "Let me see. "
    assert (call.name, call.given) == ("weather", {"city": "Oslo"})
    (tool,) = server.requests[0]["tools"]
    assert tool["function"]["name"] == "weather"
    assert tool["function"]["parameters"]["properties"] == {"city": {"type": "string"}}
    assert tool["function"]["parameters"]["required"] == ["city"]
    asked(
        OllamaLLM(host=server.url), [*HELLO, Message("assistant", "", (call,)), Message("tool", "sunny", (), call.id)]
    )
    assistant, result = server.requests[1]["messages"][2:]
    assert assistant["tool_calls"][0]["function"] == {"name": "weather", "arguments": {"city": "Oslo"}}
    assert result == {"role": "tool", "content": "sunny", "tool_name": "weather"}


@pytest.mark.parametrize(
    ("model", "step", "message"),
    [
        ("phi9", None, "no model 'phi9': run `ollama pull phi9`"),
        ("llama3.2", Refusal(500, "llama runner process has terminated"), "Ollama failed: llama runner process"),
        ("llama3.2", Refusal(503, "server busy, please try again"), "Ollama failed: server busy"),
        ("llama3.2", Failure("an error was encountered while running the model"), "Ollama failed: an error was"),
    ],
)
def test_an_error_says_what_to_do(server, model, step, message):
    if step is not None:
        server.script.append([step])
    with pytest.raises(ProviderConnectionError, match=message):
        asked(OllamaLLM(model, host=server.url))


def test_a_model_without_tools_is_named(server):
    server.models["gemma:latest"] = {"completion"}
    with pytest.raises(ProviderConnectionError, match="gemma cannot call tools"):
        asked(OllamaLLM("gemma", host=server.url, tools=[weather]))


def test_without_ollama_the_start_goes_on_and_the_reply_says_how_to_start_it(caplog):
    with pytest.raises(ProviderConnectionError, match=r"cannot be reached at http://127.0.0.1:3 .*`ollama serve`"):
        asked(OllamaLLM(host="http://127.0.0.1:3"))
    assert "Ollama has not loaded llama3.2 yet" in caplog.text


def test_a_stream_that_breaks_off_is_an_error(server):
    server.script.append(["one ", Raw(b'{"model": "llama')])
    with pytest.raises(ValueError, match="Unterminated string"):
        asked(OllamaLLM(host=server.url))


def test_a_stream_that_stalls_is_given_up_and_its_connection_closed(server):
    server.script.append(["one ", Stall()])

    async def main() -> list[str | ToolCall]:
        llm = OllamaLLM(host=server.url)
        await models.load([llm])
        got: list[str | ToolCall] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3), contextlib.aclosing(llm.chat(HELLO)) as answer:
                async for piece in answer:
                    got.append(piece)
        await llm.model.get().close()
        return got

    assert virtual(main()) == ["one "]


def test_an_interruption_ends_the_stream_and_the_next_request_holds_what_was_heard(server):
    server.script.append(["one ", "two ", Stall()])
    model, voice = OllamaLLM(host=server.url), Closing()
    call = make_call(Transcript("go"), 0.9, DTMF("1"), 0.1, Transcript("next"), 2.0)
    voice.model_to_close = model
    ended = run(call, talk(model, voice=voice, ears=(Interrupter(),)))
    assert (ended.error, ended.abandoned) == (None, 0)
    assert server.requests[1]["messages"] == [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "one two"},
        {"role": "user", "content": "next"},
    ]
    assert voice.texts == ["one", "two", "next"]


class Closing(Voice):
    """Closes a model's client when the call ends: it would live as long as the process."""

    model_to_close: OllamaLLM

    async def close(self) -> None:
        await self.model_to_close.model.get().close()


def test_the_installed_models_are_listed(server):
    server.models["qwen3:4b"] = {"completion"}
    assert installed_models(server.url) == ["llama3.2:latest", "qwen3:4b"]
    assert installed_models("http://127.0.0.1:9") is None


def test_the_environment_names_host_and_model(server, monkeypatch):
    server.models["qwen3:4b"] = {"completion"}
    monkeypatch.setenv("OLLAMA_URL", server.url)
    monkeypatch.setenv("OLLAMA_MODEL", "qwen3:4b")
    asked(OllamaLLM())
    assert server.requests[0]["model"] == "qwen3:4b"


def test_ollama_on_this_machine_is_asked_through_no_proxy(server, monkeypatch):
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert installed_models(server.url) == ["llama3.2:latest"]
    assert asked(OllamaLLM(host=server.url)) == ["hello ", "there "]
    assert len(server.loaded) == 1


def test_temperature_and_parameters_reach_the_model_over_what_is_sent_by_itself(server):
    llm = OllamaLLM(host=server.url, temperature=0.2, parameters={"top_k": 5, "num_ctx": 2048})
    assert asked(llm) == ["hello ", "there "]
    (loaded,), (request,) = server.loaded, server.requests
    assert request["options"] == {"num_predict": 300, "num_ctx": 2048, "temperature": 0.2, "top_k": 5}
    assert loaded["options"] == {"num_ctx": 2048}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "http://localhost:11434"),
        ({"OLLAMA_URL": " ", "OLLAMA_HOST": "box"}, "http://box:11434"),
        ({"OLLAMA_HOST": "box:80/"}, "http://box:80"),
        ({"OLLAMA_HOST": "[::1]"}, "http://[::1]:11434"),
        ({"OLLAMA_HOST": "box/ollama"}, "http://box:11434/ollama"),
        ({"OLLAMA_URL": "https://box/ ", "OLLAMA_HOST": "other"}, "https://box"),
    ],
)
def test_the_address_is_read_as_ollamas_own_clients_do(variables, expected):
    assert address(variables) == expected


def test_a_password_in_the_address_is_not_shown():
    llm = OllamaLLM(host="http://ann:hush@127.0.0.1:3")
    with pytest.raises(ProviderConnectionError) as raised:
        asked(llm)
    assert "hush" not in f"{llm!r} {raised.value}"
    assert "127.0.0.1:3" in f"{llm!r}"
