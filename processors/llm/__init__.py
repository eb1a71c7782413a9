"""Language models: what the caller said goes in, what the agent says comes out, word by word.

A model of your own is one method:

    class Oracle(LLM):
        async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
            yield "Yes."
"""

from voiceflow.processors.llm.auto import AutoLLM
from voiceflow.processors.llm.claude import ClaudeLLM
from voiceflow.processors.llm.interface import LLM, LLMOptions
from voiceflow.processors.llm.messages import CutShort, Message, ToolCall
from voiceflow.processors.llm.ollama import OllamaLLM
from voiceflow.processors.llm.openai import OpenAILLM
from voiceflow.processors.llm.refusals import ContextFullError, RequestRefusedError
from voiceflow.processors.llm.responder import Responder
from voiceflow.processors.llm.tools import Tool

__all__ = [
    "LLM",
    "AutoLLM",
    "ClaudeLLM",
    "ContextFullError",
    "CutShort",
    "LLMOptions",
    "Message",
    "OllamaLLM",
    "OpenAILLM",
    "RequestRefusedError",
    "Responder",
    "Tool",
    "ToolCall",
]
