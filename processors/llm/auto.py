"""Chooses a language model: the one that the environment names or has a key for, else one that runs here."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Unpack

import msgspec

from voiceflow.errors import ConfigError, MissingExtraError
from voiceflow.logs import get_logger
from voiceflow.processors.llm.claude import ClaudeLLM
from voiceflow.processors.llm.interface import LLM, LLMOptions
from voiceflow.processors.llm.messages import Message
from voiceflow.processors.llm.ollama import OllamaLLM, address, default_model, installed_models
from voiceflow.processors.llm.openai import OpenAILLM
from voiceflow.processors.llm.pieces import Piece, pieces
from voiceflow.processors.llm.providers import public
from voiceflow.processors.llm.responder import Responder
from voiceflow.variables import variable

logger = get_logger(__name__)

PROVIDERS = ("claude", "openai", "ollama")
KEYS = {"claude": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
"""The providers that are chosen if their key is set, in this order, and the variables of their keys."""


class ChosenLLM(msgspec.Struct, frozen=True):
    """The provider that is asked, and why."""

    name: str
    """claude, openai or ollama."""
    named: bool
    """Whether $LLM_PROVIDER names it: then nothing replaces it where it is missing."""
    reason: str
    """Why it was chosen, as the end of a sentence."""
    model: str
    """The model that it is asked for, unless the pipeline names one of its models."""
    key: str | None
    """The environment variable that holds its key, if it needs one."""


class Choice(msgspec.Struct, frozen=True):
    """The language model that answers in this process."""

    make: Callable[..., LLM]
    """Makes the processor for one call, from `LLMOptions`."""
    client: Any
    """What its `load` returned."""


class AutoLLM(LLM):
    """Claude, OpenAI or Ollama, as $LLM_PROVIDER says (claude, openai, ollama); else Claude if there is
    $ANTHROPIC_API_KEY, else OpenAI if there is $OPENAI_API_KEY, else Ollama, or a built-in responder if Ollama has no
    model.

    `model` is the model's name. A route that names none has Ollama's default model; Claude and OpenAI use their own
    defaults instead. Raises `ConfigError` if $LLM_PROVIDER names another provider.
    """

    def __init__(self, model: str | None = None, **options: Unpack[LLMOptions]) -> None:
        super().__init__(**options)
        self._wanted = model
        self._options = options
        self._provider = choose()
        self._llm: LLM

    @property
    def by_rules(self) -> bool:
        """Whether no language model was found, so that a few built-in rules answer. Known once it is loaded."""
        choice: Choice = self.model
        return choice.make is Responder

    def load(self) -> Choice:
        """Choose the model that answers in this process. The log says which one that is, and why."""
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
        self._llm.call = call

    @property
    def thinks_first(self) -> bool | None:
        return self._llm.thinks_first

    @thinks_first.setter
    def thinks_first(self, thinks: bool | None) -> None:
        self._llm.thinks_first = thinks

    async def chat(self, messages: list[Message]) -> AsyncIterator[Piece]:
        async with aclosing(pieces(self._llm.chat, messages)) as answer:
            async for piece in answer:
                yield piece

    def _model_of(self, default: str) -> str:
        """The name of the model to ask Claude or OpenAI for: the wanted one if it is theirs, else `default`."""
        wanted = self._wanted
        if not wanted or wanted == default_model():
            return default
        if (self._provider.name == "claude") != wanted.startswith("claude"):
            _say(logging.WARNING, f"{wanted!r} is not a model of {self._provider.name}: {default} is asked instead")
            return default
        return wanted

    def _local(self) -> Choice:
        """Ollama, if it is there and has a model or $LLM_PROVIDER names it; else the built-in responder."""
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
                model = installed[0]  # the missing one is only the default: nobody chose it
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
    """The provider to ask with the settings in `environment`, which is the process's own by default. Raises
    `ConfigError` if $LLM_PROVIDER names an unknown one."""
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
            model = ClaudeLLM.default_model(environment)
        case "openai":
            model = OpenAILLM.default_model(environment)
        case _:
            model = default_model(environment)
    return ChosenLLM(name, named, reason, model, KEYS.get(name))


@functools.cache
def _say(level: int, message: str) -> None:
    """Log `message` once per process, however many routes ask for the same model."""
    logger.log(level, "%s", message)
