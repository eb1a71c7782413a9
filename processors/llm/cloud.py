"""What the models of companies have in common: a key, an address, and fields of requests that we do not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from voiceflow.processors.llm.interface import LLM, LLMOptions
from voiceflow.processors.llm.providers import ApiKey
from voiceflow.variables import variable


class CloudLLM(LLM):
    """A model behind a company's API. A subclass names the environment variables, and the default model."""

    key_variable: ClassVar[str]
    """The environment variable that holds the API key."""
    url_variable: ClassVar[str]
    """The environment variable that holds another address of the API."""

    def __init__(
        self,
        model: str | None = None,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **options: Unpack[LLMOptions],
    ) -> None:
        super().__init__(**options)
        self._key = ApiKey(api_key, self.key_variable)
        self._model = model or self.default_model()
        self._base_url = base_url or variable(self.url_variable)
        self._extra = dict(extra_body or {})

    @classmethod
    def default_model(cls, environment: Mapping[str, str] | None = None) -> str:
        """The model that is asked where none is named."""
        raise NotImplementedError

    @property
    def model_key(self) -> Any:
        """One client serves all models at one address with one key."""
        return self._base_url, self._key.value

    def __repr__(self) -> str:
        return self._key.hidden(super().__repr__())
