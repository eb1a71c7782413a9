"""A route: for whom a call is answered, and with which model, prompt and voice."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from .variables import variable
from .words import ENGLISH

MOST_CALLS: Final = "a whole number from 1 on"
"""What is expected of `max_calls`."""


def _default_model() -> str:
    return variable("OLLAMA_MODEL") or "llama3.2"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a call is answered, and with which model, prompt and voice. Pipelines find it as `call.route`."""

    user_id: str = "unknown"
    display_name: str = ""
    llm_model: str = msgspec.field(default_factory=_default_model)
    system_prompt: str = ENGLISH.system_prompt
    tts_voice: str = "en_US-lessac-medium"
    language: str = ""
    """The language of its calls, a code such as `de`. "": the one that recognition tells, else the voice's. `auto`: the
    same, and the assistant has recognition find out."""
    words: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    """Sentences in place of ours (voiceflow/words.py), by language and name; "" stands for all languages."""
    transfer_to: tuple[str, ...] | None = None
    """Where `call.transfer` may go: numbers in E.164, beginnings of numbers (`+4930*`), SIP addresses, all at a host
    (`sip:*@pbx.example.com`). None: ordinary numbers of the country of the called number."""
    max_calls: int | None = None
    """How many calls a number may have at once, in one process. None: as many as the server."""
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    """Further keys of the route in the configuration, with their values as parsed from YAML."""
