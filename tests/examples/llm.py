from collections.abc import AsyncIterator
from typing import Any

from voiceflow import Processor, Transcript
from voiceflow.processors.llm import LLM, AutoLLM, ClaudeLLM, Message, OllamaLLM, OpenAILLM, Responder
from voiceflow.processors.llm.auto import Choice
from voiceflow.processors.llm.cloud import CloudLLM
from voiceflow.processors.llm.providers import PerLoop

from . import Example

NOWHERE = "http://127.0.0.1:1"
"""Where no server is: providers are to say so, each time."""
SAID = (Transcript("hello", final=False), Transcript("hello there"), Transcript("goodbye"))


class Repeating(LLM):
    async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
        for word in messages[-1].content.split():
            yield f"{word} "


class Unreachable(ClaudeLLM):
    """Its real client, far from Anthropic's servers."""

    def load(self) -> PerLoop[Any]:
        import anthropic

        return PerLoop(lambda: anthropic.AsyncAnthropic(api_key="none", base_url=NOWHERE, max_retries=0))


class Chosen(AutoLLM):
    """Whatever keys there are where the tests run."""

    def load(self) -> Choice:
        return Choice(Repeating, None)


EXAMPLES: dict[type[Processor], list[Example]] = {
    LLM: [Example(Repeating, SAID)],
    CloudLLM: [Example(Unreachable, SAID)],
    Responder: [Example(Responder, SAID)],
    AutoLLM: [Example(lambda: Chosen(system="Be brief."), SAID)],
    OllamaLLM: [Example(lambda: OllamaLLM(host=NOWHERE), SAID)],
    OpenAILLM: [Example(lambda: OpenAILLM("gpt", base_url=f"{NOWHERE}/v1"), SAID)],
    ClaudeLLM: [Example(Unreachable, SAID)],
}
