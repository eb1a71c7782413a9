"""Whichever language model there is: the one that the environment names, or has a key for, or that runs here."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Unpack

import msgspec

from voiceflow.errors import ConfigError, MissingExtraError
from voiceflow.processors.llm.claude import DEFAULT_MODEL as CLAUDE_MODEL
from voiceflow.processors.llm.claude import ClaudeLLM
from voiceflow.processors.llm.interface import LLM, LLMOptions
from voiceflow.processors.llm.messages import Message
from voiceflow.processors.llm.ollama import DEFAULT_MODEL as OLLAMA_MODEL
from voiceflow.processors.llm.ollama import OllamaLLM, address, default_model, installed_models
from voiceflow.processors.llm.openai import DEFAULT_MODEL as OPENAI_MODEL
from voiceflow.processors.llm.openai import OpenAILLM
from voiceflow.processors.llm.pieces import Piece, pieces
from voiceflow.processors.llm.providers import public, variable
from voiceflow.processors.llm.responder import Responder

logger = logging.getLogger(__name__)

PROVIDERS = ("claude", "openai", "ollama")
KEYS = {"claude": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
"""The providers that are chosen because there is a key, in this order."""


class ChosenLLM(msgspec.Struct, frozen=True):
    """Who is asked."""

    name: str
    """claude, openai or ollama."""
    named: bool
    """Whether $LLM_PROVIDER says so: then nothing stands in for it."""
    reason: str
    """Why it is this one, as the end of a sentence."""
    model: str
    """What it is asked for where the pipeline names none of its models."""
    key: str | None
    """The environment variable that holds its key, if it needs one."""


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

    def __init__(self, model: str | None = None, **options: Unpack[LLMOptions]) -> None:
        super().__init__(**options)
        self._wanted = model
        self._options = options
        self._provider = choose()
        self._llm: LLM

    def load(self) -> Choice:
        """What answers in this process. Says on the console which model that is, and why."""
        if self._provider.name == "ollama":
            return self._local()
        claude = self._provider.name == "claude"
        company = "Anthropic" if claude else public(variable("OPENAI_BASE_URL") or "OpenAI")
        model = self._model_of(self._provider.model)
        _say(
            logging.INFO,
            f"The language model is {model} by {company}, because {self._provider.reason}. What callers say is sent to "
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
        if (self._provider.name == "claude") != wanted.startswith("claude"):
            _say(logging.WARNING, f"{wanted!r} is not a model of {self._provider.name}: {default} is asked instead")
            return default
        return wanted

    def _local(self) -> Choice:
        """Ollama, if it is there and has a model."""
        model, host = self._wanted or self._provider.model, address()
        try:
            installed = installed_models(host)
        except ImportError as error:
            missing = MissingExtraError("OllamaLLM", "ollama")
            if self._provider.named:
                raise missing from error
            return self._nothing(str(missing))
        known = {name for full in installed or () for name in (full, full.removesuffix(":latest"))}
        where = public(host)
        if model not in known and not self._provider.named:
            if not installed:
                lacks = f"Ollama at {where} does not answer" if installed is None else f"Ollama at {where} has no model"
                return self._nothing(f"{lacks}: install it from https://ollama.com and run `ollama pull {model}`")
            if model == default_model() and not variable("OLLAMA_MODEL"):
                model = installed[0]  # nobody chose the one that is missing
        _say(logging.INFO, f"The language model is {model} by Ollama at {where}, because {self._provider.reason}")
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


def choose(environment: Mapping[str, str] | None = None) -> ChosenLLM:
    """Which provider answers where `environment` (the process's own by default) holds the settings. Raises
    `ConfigError` for a $LLM_PROVIDER that there is not."""
    named = (variable("LLM_PROVIDER", environment) or "").lower()
    if named and named not in PROVIDERS:
        raise ConfigError(f"LLM_PROVIDER is {named}: expected {', '.join(PROVIDERS[:-1])} or {PROVIDERS[-1]}")
    if named:
        return _provider(named, True, f"LLM_PROVIDER is {named}", environment)
    for name, key in KEYS.items():
        if variable(key, environment):
            return _provider(name, False, f"{key} is set", environment)
    return _provider("ollama", False, "neither LLM_PROVIDER nor a key is set", environment)


def _provider(name: str, named: bool, reason: str, environment: Mapping[str, str] | None) -> ChosenLLM:
    match name:
        case "claude":
            model = CLAUDE_MODEL
        case "openai":
            model = variable("OPENAI_MODEL", environment) or OPENAI_MODEL
        case _:
            model = variable("OLLAMA_MODEL", environment) or OLLAMA_MODEL
    return ChosenLLM(name, named, reason, model, KEYS.get(name))


@functools.cache
def _say(level: int, message: str) -> None:
    """Once per process, however many routes ask."""
    logger.log(level, "%s", message)
