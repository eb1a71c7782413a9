"""Whichever language model there is: the one that the environment names, or has a key for, or that runs here."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Unpack

import msgspec

from voiceflow.errors import ConfigError, MissingExtraError
from voiceflow.processors.llm.claude import DEFAULT_MODEL as CLAUDE_MODEL
from voiceflow.processors.llm.claude import ClaudeLLM
from voiceflow.processors.llm.interface import LLM, Options
from voiceflow.processors.llm.messages import Message
from voiceflow.processors.llm.ollama import OllamaLLM, default_host, default_model, installed_models
from voiceflow.processors.llm.openai import DEFAULT_MODEL as OPENAI_MODEL
from voiceflow.processors.llm.openai import OpenAILLM
from voiceflow.processors.llm.pieces import Piece, pieces
from voiceflow.processors.llm.responder import Responder

logger = logging.getLogger(__name__)

PROVIDERS = ("claude", "openai", "ollama")


class Choice(msgspec.Struct, frozen=True):
    """What answers."""

    make: Callable[..., LLM]
    """Makes one for a call, of its options."""
    client: Any


class AutoLLM(LLM):
    """Claude, OpenAI or Ollama, as $LLM_PROVIDER says (claude, openai, ollama); else Claude if there is
    $ANTHROPIC_API_KEY, else OpenAI if there is $OPENAI_API_KEY, else Ollama, and where that has no model a built-in
    responder.

    `model` is the model's name. Routes that name none have Ollama's default, which Claude and OpenAI are not asked
    for: they use their own. Raises `ConfigError` for another provider.
    """

    def __init__(self, model: str | None = None, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        self._wanted = model
        self._options = options
        self._provider, self._named, self._reason = _provider()
        self._llm: LLM

    def load(self) -> Choice:
        """What answers in this process. Says on the console which model that is, and why."""
        if self._provider == "ollama":
            return self._local()
        claude = self._provider == "claude"
        company = "Anthropic" if claude else os.environ.get("OPENAI_BASE_URL") or "OpenAI"
        model = self._model_of(CLAUDE_MODEL if claude else os.environ.get("OPENAI_MODEL") or OPENAI_MODEL)
        _say(
            logging.INFO,
            f"The language model is {model} by {company}, because {self._reason}. What callers say is sent to "
            f"{company} as text; to keep it on this machine, set LLM_PROVIDER=ollama",
        )
        make = partial(ClaudeLLM if claude else OpenAILLM, model)
        return Choice(make, make(**self._options).load())

    async def open(self, call: Any) -> None:
        await super().open(call)
        choice: Choice = self.model
        self._llm = choice.make(**self._options)
        self._llm.model = choice.client

    async def chat(self, messages: list[Message]) -> AsyncIterator[Piece]:
        async with aclosing(pieces(self._llm.chat, messages)) as answer:
            async for piece in answer:
                yield piece

    def _model_of(self, default: str) -> str:
        """The model to ask Claude or OpenAI for."""
        wanted = self._wanted
        if not wanted or wanted == default_model():
            return default
        if (self._provider == "claude") != wanted.startswith("claude"):
            _say(logging.WARNING, f"{wanted!r} is not a model of {self._provider}: {default} is asked instead")
            return default
        return wanted

    def _local(self) -> Choice:
        """Ollama, if it is there and has a model."""
        model = self._wanted or default_model()
        try:
            installed = installed_models(default_host())
        except ImportError as error:
            missing = MissingExtraError("OllamaLLM", "ollama")
            if self._named:
                raise missing from error
            return self._nothing(str(missing))
        known = {name for full in installed or () for name in (full, full.removesuffix(":latest"))}
        where = default_host() or "http://localhost:11434"
        if model not in known and not self._named:
            if not installed:
                lacks = f"Ollama at {where} does not answer" if installed is None else f"Ollama at {where} has no model"
                return self._nothing(f"{lacks}: install it from https://ollama.com and run `ollama pull {model}`")
            if model == default_model() and not os.environ.get("OLLAMA_MODEL"):
                model = installed[0]  # nobody chose the one that is missing
        _say(logging.INFO, f"The language model is {model} by Ollama at {where}, because {self._reason}")
        if model not in known:
            _say(logging.WARNING, f"Ollama at {where} does not have {model}: run `ollama pull {model}`")
        make = partial(OllamaLLM, model)
        return Choice(make, make(**self._options).load())

    def _nothing(self, why: str) -> Choice:
        _say(
            logging.WARNING,
            f"No language model was found: a small built-in responder answers. For a real one, set ANTHROPIC_API_KEY "
            f"or OPENAI_API_KEY, or: {why}. Then start again",
        )
        return Choice(Responder, None)


def _provider() -> tuple[str, bool, str]:
    """Which one, whether somebody named it, and why it is this."""
    named = os.environ.get("LLM_PROVIDER", "").strip().lower()
    if named:
        if named not in PROVIDERS:
            raise ConfigError(f"LLM_PROVIDER is {named!r}: expected one of {', '.join(PROVIDERS)}")
        return named, True, f"LLM_PROVIDER is {named}"
    for provider, key in (("claude", "ANTHROPIC_API_KEY"), ("openai", "OPENAI_API_KEY")):
        if os.environ.get(key):
            return provider, False, f"{key} is set"
    return "ollama", False, "no LLM_PROVIDER and no API key is set"


@functools.cache
def _say(level: int, message: str) -> None:
    """Once per process, however many routes ask."""
    logger.log(level, "%s", message)
