"""What a server's refusal means: whether it lies in the request, whether another attempt may soon succeed. No I/O in
here."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping

from voiceflow.errors import ProviderConnectionError

ANOTHER_ATTEMPT = 0.5
"""Seconds before the second attempt where the server does not say when."""
LONGEST_WAIT = 2.0
"""Seconds that a second attempt may be away: a caller waits for it."""


class RequestRefusedError(ProviderConnectionError):
    """A model refuses a request for what it contains, and would refuse the same request again."""


class ContextFullError(RequestRefusedError):
    """A request is longer than the model's context."""


_CONTEXT_FULL = re.compile(
    r"context[ _](?:length|size|window|limit)|context the overflows|maximum (?:prompt|context|input) length"
    r"|(?:prompt|input|request|message|inputs?) (?:is |are |was )?(?:too (?:long|large)|exceeds? the)"
    r"|exceeds? the (?:maximum number of tokens|max(?:imum)? (?:context|length|model))"
    r"|too many (?:input )?tokens|too large for model|token count .{0,40}exceeds|tokens_limit_reached"
    r"|range of input length|reduce (?:the length of|your) (?:the |your )?(?:messages?|prompt|input)"
    r"|(?:inputs|`inputs`) tokens \+|max_model_len|longer than the model|request_too_large|current length is \d+ while"
    r"|exceed_context|exceeded max context",
    re.IGNORECASE,
)
"""How servers say that a request is too long: llama.cpp, vLLM, SGLang, TGI, LM Studio, Ollama, OpenAI, Azure,
Anthropic, Mistral, Gemini, DeepSeek, Qwen, Groq, OpenRouter, Together, Fireworks, xAI, Cerebras, Cohere, Bedrock."""
_NO_CREDIT = re.compile(
    r"insufficient[ _](?:quota|balance|credits?|funds)|exceeded your current quota|billing|credit balance"
    r"|(?:daily|monthly|weekly|per day|usage) (?:quota|limit)|limit.{0,40}per day|out of credits|payment required",
    re.IGNORECASE,
)
"""How servers say that there is no credit, or none until tomorrow."""
_WAIT = re.compile(
    r"(?:try again in|retry after|retry in|please wait|retrydelay\W+)\s*(?:(?P<h>\d+)h)?\s*(?:(?P<m>\d+)m(?!s))?\s*"
    r"(?:(?P<s>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|$|\W))?",
    re.IGNORECASE,
)
"""How servers say when to try again: `in 7m12.5s`, `in 350ms`, `after 20 seconds`, `"retryDelay": "34s"`."""
_BUSY = (408, 409, 425, 429)
_ACCOUNT = (401, 402, 403, 404, 405, 407)


def words(error: object) -> str:
    """What an error object says, in the server's own words."""
    if isinstance(error, dict):
        said = error.get("message") or error.get("error") or error.get("detail") or error
        return words(said) if said is not error else json.dumps(error)
    if isinstance(error, list) and error:
        return words(error[0])
    return str(error)


def refusal(status: int | None, said: str) -> type[ProviderConnectionError]:
    """The class of the error for a refusal with this HTTP status, None in the middle of a stream, and these words."""
    if (status is None or status >= 400) and status not in (*_ACCOUNT, *_BUSY) and _CONTEXT_FULL.search(said):
        return ContextFullError
    if status is not None and 400 <= status < 500 and status not in (*_ACCOUNT, *_BUSY) and not _NO_CREDIT.search(said):
        return RequestRefusedError
    return ProviderConnectionError


def wait_before_retry(status: int | None, headers: Mapping[str, str], said: str) -> float | None:
    """How many seconds from now the same request may succeed that was refused with this HTTP status, None where there
    was no answer, with these headers and words. None where it will not within a time for which a caller waits."""
    if headers.get("x-should-retry") == "false" or _NO_CREDIT.search(said):
        return None
    if status is not None and status < 500 and status not in _BUSY:
        return None
    if refusal(status, said) is ContextFullError:
        return None
    wait = _told(headers)
    if wait is None:
        wait = _said(said)
    if wait is None:
        wait = ANOTHER_ATTEMPT
    return max(0.0, wait) if wait <= LONGEST_WAIT else None


def _told(headers: Mapping[str, str]) -> float | None:
    """The seconds that the headers tell to wait."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return float(headers.get(name, "")) * unit
        except ValueError:
            continue
    try:
        return email.utils.parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time()
    except (ValueError, TypeError):
        return None


def _said(said: str) -> float | None:
    """The seconds that the words tell to wait."""
    for found in _WAIT.finditer(said):
        if found["h"] or found["m"] or found["s"]:
            seconds = float(found["s"] or 0) * (0.001 if (found["unit"] or "").lower() == "ms" else 1)
            return int(found["h"] or 0) * 3600 + int(found["m"] or 0) * 60 + seconds
    return None
