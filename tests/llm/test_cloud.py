"""ClaudeLLM and OpenAILLM: the providers' own clients against doubles of the providers."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator

import pytest
from doubles import make_call
from llm.sse import Claude, OpenAI
from ollama_server import Call, Failure, Refusal
from talking import talk

from voiceflow import ConfigError, ProviderConnectionError
from voiceflow.inference import loaded_models as models
from voiceflow.linking.linker import link
from voiceflow.processors.llm import LLM, ClaudeLLM, Message, OpenAILLM, ToolCall, claude, openai

HELLO = [Message("system", "Be brief."), Message("user", "hello")]
TALK = [
    *HELLO,
    Message("assistant", "Let me see.", (ToolCall("call_1", "weather", '{"city": "Oslo"}'),)),
    Message("tool", "sunny", tool_call_id="call_1"),
    Message("user", "go on"),
]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No client and no knowledge of another test's."""
    for name in ("OPENAI_MODEL", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(openai, "_effort", {})
    monkeypatch.setattr(claude, "_thinkers", set())
    models._models.clear()
    yield
    models._models.clear()


@pytest.fixture
def gpt() -> Iterator[OpenAI]:
    server = OpenAI("gpt-6-luna", "none", "low")
    with server.running() as url:
        server.url = f"{url}/v1"  # type: ignore[attr-defined]
        yield server


@pytest.fixture
def haiku(monkeypatch: pytest.MonkeyPatch) -> Iterator[Claude]:
    server = Claude("claude-haiku-5-5")
    with server.running() as url:
        server.url = url  # type: ignore[attr-defined]
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
        yield server


def weather(city: str) -> str:
    """The weather in a city."""
    return "sunny"


def asked(llm: LLM, messages: list[Message] = HELLO) -> list[str | ToolCall]:
    async def main() -> list[str | ToolCall]:
        await models.load([llm])
        try:
            return [piece async for piece in llm.chat(messages)]
        finally:
            await llm.model.get().close()

    return asyncio.run(main())  # the clients use threads of the loop's own, which virtual time has none for


def test_openai_streams_without_reasoning_within_the_limit(gpt, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setenv("OPENAI_BASE_URL", gpt.url)
    assert asked(OpenAILLM()) == ["hello ", "there"]
    (request,) = gpt.requests
    assert request["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    assert request["reasoning_effort"] == "none"
    assert request["max_tokens"] == 300


@pytest.mark.parametrize(("efforts", "tried"), [(("minimal",), ["none", "minimal"]), ((), ["none", "minimal", None])])
def test_a_model_that_does_not_know_an_effort_is_asked_with_the_next_and_then_always(gpt, efforts, tried):
    gpt.efforts = efforts
    llm = OpenAILLM("gpt-6-luna", base_url=gpt.url)
    assert asked(llm) == asked(llm) == ["hello ", "there"]
    assert [request.get("reasoning_effort") for request in gpt.requests] == [*tried, tried[-1]]


def test_openai_tool_calls_come_in_pieces_and_go_back_whole(gpt):
    gpt.script.append(["Well. ", Call("weather", {"city": "Oslo"}), Call("weather", {"city": "Rome"})])
    text, one, two = asked(OpenAILLM("gpt-6-luna", base_url=gpt.url, tools=[weather]))
    assert (text, one.given, two.given) == ("Well. ", {"city": "Oslo"}, {"city": "Rome"})
    assert one.id != two.id
    assert gpt.requests[0]["tools"][0]["function"]["parameters"]["required"] == ["city"]
    assert asked(OpenAILLM("gpt-6-luna", base_url=gpt.url), TALK) == ["hello ", "there"]


def test_arguments_that_are_no_json_are_kept_for_the_tool_to_refuse_and_not_sent_back(gpt):
    gpt.script.append([Call("weather", '{"city": ')])  # type: ignore[arg-type]
    (call,) = asked(OpenAILLM("gpt-6-luna", base_url=gpt.url))
    assert call.arguments == '{"city": '
    conversation = [*HELLO, Message("assistant", "", (call,)), Message("tool", "Error", (), call.id)]
    assert asked(OpenAILLM("gpt-6-luna", base_url=gpt.url), conversation) == ["hello ", "there"]


@pytest.mark.parametrize("name", ["get weather", "", "функция", "x" * 100])
def test_a_name_that_no_tool_can_have_is_not_sent_back_as_it_is(gpt, haiku, name):
    call = ToolCall("call_1", name, "{}")
    conversation = [*HELLO, Message("assistant", "", (call,)), Message("tool", "Error", (), call.id)]
    asked(OpenAILLM("gpt-6-luna", base_url=gpt.url), conversation)
    asked(ClaudeLLM(), conversation)
    sent = gpt.requests[-1]["messages"][2]["tool_calls"][0]["function"]["name"]
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", sent)
    assert haiku.requests[-1]["messages"][1]["content"][0]["name"] == sent


@pytest.mark.parametrize(
    ("model", "key", "steps", "message"),
    [
        ("gpt-9", "key", None, "has no model 'gpt-9'"),
        ("gpt-6-luna", "wrong", None, "refused the key .401.: set OPENAI_API_KEY"),
        ("gpt-6-luna", "key", [Refusal(429, "Rate limit reached")] * 2, "takes no more requests"),
        ("gpt-6-luna", "key", [Refusal(500, "The server had an error")] * 2, "failed .500.: .*server had an error"),
        ("gpt-6-luna", "key", [Refusal(400, "too long")], "refused the request .400.: .*too long"),
        ("gpt-6-luna", "key", [Failure("The server had an error")], "broke off .*server had an error"),
    ],
)
def test_openai_errors_say_what_to_do(gpt, monkeypatch, model, key, steps, message):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    gpt.script.extend([step] for step in steps or ())
    with pytest.raises(ProviderConnectionError, match=message):
        asked(OpenAILLM(model, base_url=gpt.url))


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(ProviderConnectionError, match=r"http://127.0.0.1:9/v1 cannot be reached"):
        asked(OpenAILLM("x", base_url="http://127.0.0.1:9/v1"))


def test_claude_streams_without_thinking_within_the_limit(haiku):
    assert asked(ClaudeLLM()) == ["hello ", "there"]
    (request,) = haiku.requests
    assert request["model"] == "claude-haiku-5-5"
    assert request["system"] == "Be brief."
    assert request["thinking"] == {"type": "disabled"}
    assert request["max_tokens"] == 300
    assert request["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]


def test_a_claude_that_cannot_but_think_gets_room_for_it_and_thinks_little(haiku):
    haiku.always_thinks = True
    llm = ClaudeLLM()
    assert asked(llm) == asked(llm) == ["hello ", "there"]
    _, second, third = haiku.requests
    assert second == third
    assert second["output_config"] == {"effort": "low"}
    assert second["max_tokens"] > 1000


def test_claude_tool_calls_come_in_pieces_and_go_back_whole(haiku):
    haiku.script.append(["Well. ", Call("weather", {"city": "Oslo"}), Call("hang_up", {})])
    text, one, two = asked(ClaudeLLM(tools=[weather]))
    assert (text, one.name, one.given, two.name, two.given) == ("Well. ", "weather", {"city": "Oslo"}, "hang_up", {})
    assert haiku.requests[0]["tools"][0]["input_schema"]["required"] == ["city"]
    assert asked(ClaudeLLM(), TALK) == ["hello ", "there"]


@pytest.mark.parametrize(
    ("model", "key", "steps", "message"),
    [
        ("claude-9", "key", [], "Claude has no model 'claude-9'"),
        (None, "wrong", [], "Claude refused the key .401.: set ANTHROPIC_API_KEY"),
        (None, "key", [Refusal(529, "Overloaded")] * 2, "Claude failed .529."),
        (None, "key", [Failure("Overloaded")], "Claude"),
        (None, "key", [Failure("refusal")], "Claude declined to answer"),
    ],
)
def test_claude_errors_say_what_to_do(haiku, monkeypatch, model, key, steps, message):
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    haiku.script.extend([step] for step in steps)
    with pytest.raises(ProviderConnectionError, match=message):
        asked(ClaudeLLM(model))


def test_models_on_this_machine_are_asked_through_no_proxy(gpt, haiku, monkeypatch):
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    for llm in (OpenAILLM("gpt-6-luna", base_url=gpt.url), ClaudeLLM(api_key=SECRET, base_url=haiku.url)):
        assert asked(llm) == ["hello ", "there"]


SECRET = "sk-this-is-the-key"


def test_a_key_is_given_for_each_model_over_the_environments(gpt, haiku, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "wrong")
    for llm in (
        OpenAILLM(api_key=f" {SECRET}\n", base_url=gpt.url),
        ClaudeLLM(api_key=SECRET, base_url=haiku.url),
    ):
        assert asked(llm) == ["hello ", "there"]
    one, two = OpenAILLM(api_key="one", base_url=gpt.url), OpenAILLM(api_key="two", base_url=gpt.url)
    asyncio.run(models.load([one, two]))
    assert one.model is not two.model
    assert {one.model.spare.api_key, two.model.spare.api_key} == {"one", "two"}


def test_blanks_are_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", " ")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "\n")
    with pytest.raises(ConfigError, match=r"OpenAILLM has no key: set OPENAI_API_KEY, or give it `api_key`"):
        asked(OpenAILLM(api_key=" "))
    with pytest.raises(ConfigError, match=r"ClaudeLLM has no key: set ANTHROPIC_API_KEY, or give it `api_key`"):
        ClaudeLLM().load()
    monkeypatch.setenv("OPENAI_API_KEY", " key\n")
    assert OpenAILLM().load().spare.api_key == "key"


def test_what_the_providers_libraries_read_from_the_environment_is_stripped(gpt, haiku, monkeypatch):
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "from-a-file\n")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    for llm in (OpenAILLM(base_url=gpt.url), ClaudeLLM()):
        assert asked(llm) == ["hello ", "there"]


def test_temperature_and_extra_fields_are_sent_over_what_is_sent_by_itself(gpt, haiku):
    gpt.efforts = ()
    extra = {"seed": 7, "max_tokens": 50, "reasoning_effort": None}
    asked(OpenAILLM("gpt-6-luna", base_url=gpt.url, temperature=0.0, extra_body=extra))
    (request,) = gpt.requests
    assert {name: request[name] for name in (*extra, "temperature")} == {**extra, "temperature": 0.0}
    asked(ClaudeLLM(temperature=0.4, extra_body={"top_k": 3, "thinking": {"type": "adaptive"}}))
    (request,) = haiku.requests
    assert (request["temperature"], request["top_k"], request["thinking"]) == (0.4, 3, {"type": "adaptive"})
    asked(OpenAILLM("gpt-6-luna", base_url=gpt.url))
    assert "temperature" not in gpt.requests[-1]


class Own(OpenAILLM):
    def __init__(self, secret: str, url: str) -> None:
        super().__init__("gpt-6-luna", api_key=secret, base_url=url)


def test_a_key_is_never_shown(gpt, caplog):
    caplog.set_level(logging.INFO, "voiceflow")
    gpt.script.extend([[Refusal(400, f"{SECRET} is not allowed")]] * 2)
    address = gpt.url.replace("//", "//ann:hush@")
    for llm in (OpenAILLM("gpt-6-luna", api_key=SECRET, base_url=address), Own(SECRET, address)):
        with pytest.raises(ProviderConnectionError, match=r"\*\*\* is not allowed") as raised:
            asked(llm)
        plan = link(talk(llm)(make_call()))
        shown = f"{llm!r} {llm} {raised.value} {plan} {plan!r} {caplog.text}"
        assert SECRET not in shown
        assert "hush" not in shown
    assert SECRET not in repr(ClaudeLLM(api_key=f" {SECRET} ")) + repr(ClaudeLLM(api_key=SECRET))


def test_a_key_that_is_refused_is_named_by_where_it_came_from(gpt):
    with pytest.raises(ProviderConnectionError, match=r"refused the key .401.: set `api_key`"):
        asked(OpenAILLM("gpt-6-luna", api_key="wrong", base_url=gpt.url))
