"""A responder in the manner of ELIZA, a few rules: answers where no model is found, so that a first run talks.

It speaks to callers, who can neither install a model nor set a key: what is missing is said in the log and on the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from voiceflow.processors.llm.interface import LLM
from voiceflow.processors.llm.messages import Message
from voiceflow.words import ENGLISH, filled


def _time(_: re.Match[str]) -> str:
    return f"It is {datetime.now():%H:%M}."


def _reflected(match: re.Match[str]) -> str:
    """The caller's words with first and second person exchanged."""
    said = match[1].rstrip(" .!?").lower()
    return re.sub(r"\b(i'm|i am|i|my|me|you are|you|your)\b", lambda word: _REFLECTIONS[word[0]], said)


_REFLECTIONS = {
    "i": "you",
    "i'm": "you are",
    "i am": "you are",
    "my": "your",
    "me": "you",
    "you": "I",
    "you are": "I am",
    "your": "my",
}
_RULES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"\b(?:bye|goodbye)\b", lambda _: "Goodbye!"),
    (r"\bwhat(?:'s| is)? (?:the )?time\b|\btime is it\b", _time),
    (r"\b(?:who|what) are you\b|\bhelp\b", lambda _: "I am a machine. I know the time, and simple answers."),
    (r"\b(?:hello|hi|hey|good (?:morning|evening|afternoon))\b", lambda _: "Hello! What would you like to talk about?"),
    (r"\bi (?:need|want) (.+)", lambda m: f"Why do you want {_reflected(m)}?"),
    (r"\bi(?:'m| am) (.+)", lambda m: f"How long have you been {_reflected(m)}?"),
    (r"\b(?:can|could|will|would) you (.+)", lambda m: f"I am afraid that I cannot {_reflected(m)}."),
)


class Responder(LLM):
    """Repeats what it hears, asks back and tells the time; in other languages than English it only repeats."""

    async def chat(self, messages: list[Message]) -> str:
        said = messages[-1].content
        call = getattr(self, "call", None)
        words, english = (call.words, call.language == "en") if call is not None else (ENGLISH, True)
        for pattern, answer in _RULES if english else ():
            if match := re.search(pattern, said, re.IGNORECASE | re.DOTALL):
                return answer(match)
        match = re.fullmatch(r"(.+)", said, re.DOTALL)
        if match is None:
            return words.not_caught
        return filled(words.tell_more, said=_reflected(match) if english else said.strip(" .!?"))
