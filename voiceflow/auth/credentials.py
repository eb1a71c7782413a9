"""Where requests carry tokens: in a header, a cookie, or the query. What is there twice is not there: a proxy before us
may have looked at the other one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl

from .provider import Scope

LONGEST: Final = 8192
"""Characters that a token may have. Identity tokens have one or two thousand."""


def header(scope: Scope, name: bytes) -> str | None:
    """The value of a header. `name` is in lower case."""
    return _only(value.decode("latin-1").strip() for found, value in scope["headers"] if found.lower() == name)


def bearer(scope: Scope) -> str | None:
    """The token of an Authorization header with the scheme Bearer (RFC 6750)."""
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    return _only(iter([token.strip()])) if scheme.lower() == "bearer" else None


def cookie(scope: Scope, name: str) -> str | None:
    """The value of a cookie."""
    pairs = (
        pair.strip().partition("=")
        for found, value in scope["headers"]
        if found.lower() == b"cookie"
        for pair in value.decode("latin-1").split(";")
    )
    return _only(value for found, _, value in pairs if found == name)


def query(scope: Scope, name: str) -> str | None:
    """The value of a parameter in the query."""
    text = scope.get("query_string", b"").decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100)
    except ValueError:  # more of them than that
        return None
    return _only(value for found, value in pairs if found == name)


def _only(values: Iterator[str]) -> str | None:
    """The one value; None if there is none, or several, or it is empty or too long for a token."""
    found = list(values)
    return found[0] if len(found) == 1 and 0 < len(found[0]) <= LONGEST else None
