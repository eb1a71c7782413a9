"""The key `allowed_origins` of the configuration file: where pages are from that may call."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from .yamlfile import Value

MEANING: Final = "the origin of a page, such as https://app.example.com, or * for all pages"
Origin: TypeAlias = Annotated[str, Meta(pattern=r"^(https?://[^\s/?#@]+|\*)\Z", description=MEANING)]


def read_origins(value: Value) -> tuple[Origin, ...]:
    """One origin, or a list of them. Raises `ConfigError`."""
    return tuple(_origin(one) for one in value.items() if one.text().strip())


def _origin(value: Value) -> Origin:
    try:
        return msgspec.convert(value.text().strip().rstrip("/").lower(), Origin)
    except msgspec.ValidationError:
        raise value.error(f"allowed_origins has {value.text()!r}: expected {MEANING}") from None
