"""Finds the carriers: those in this folder, those of other packages (entry points), and registered ones.

Nothing is loaded before the first query. It loads every `Carrier` object; these are small and import their larger
modules only when they are used.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from voiceflow.errors import ConfigError, ProviderDetectionError
from voiceflow.transports.carriers.carrier import Carrier
from voiceflow.transports.dialect import UNREADABLE, Message, shorten

AnyCarrier: TypeAlias = Carrier[Any]

GROUP: Final = "voiceflow.carriers"
"""The group of entry points by which other packages add carriers. Each refers to a `Carrier` and has its name."""
TAKEN: Final = ("wav", "webrtc")
"""Names of other transports, which no carrier may have."""

_registered: Final[dict[str, AnyCarrier]] = {}


def carriers() -> tuple[AnyCarrier, ...]:
    """All carriers, in the order of their precedence. Raises `ConfigError` for one that cannot be loaded."""
    known = {carrier.name: carrier for carrier in (*_ours(), *_theirs())} | _registered
    return tuple(sorted(known.values(), key=lambda carrier: (carrier.precedence, carrier.name)))


def names() -> tuple[str, ...]:
    """The names of `carriers()`, in that order."""
    return tuple(carrier.name for carrier in carriers())


def carrier_named(name: str) -> AnyCarrier:
    """The carrier of that name. Raises `ProviderDetectionError` if there is none."""
    for carrier in carriers():
        if carrier.name == name:
            return carrier
    raise ProviderDetectionError(f"unknown provider {name!r}: the known ones are {', '.join(names())}")


def recognised(message: Message) -> AnyCarrier | None:
    """The carrier that recognises a message as its own."""
    read = _read(message)
    return next((carrier for carrier in carriers() if carrier.recognises(read)), None)


def detect(first_message: Message) -> AnyCarrier:
    """The carrier whose stream begins with this message. The carrier's `Stream` must still be given the message.

    Raises `ProviderDetectionError` if no carrier recognises it.
    """
    carrier = recognised(first_message)
    if carrier is None:
        raise ProviderDetectionError(
            f"expected the first message of one of {', '.join(names())}; got {shorten(first_message)}. "
            f"Does a carrier's media stream point here, or something else?"
        )
    return carrier


def register(carrier: AnyCarrier) -> None:
    """Make a carrier known to this process, in place of any other of its name. Raises `ConfigError` for a bad name."""
    _registered[carrier.name] = _checked(carrier, f"{type(carrier).__name__}")


def unregister(name: str) -> None:
    """Forget a registered carrier. Raises `KeyError` if none of that name was registered."""
    del _registered[name]


def _read(message: Message) -> Mapping[str, Any] | Message:
    try:
        return msgspec.json.decode(message, type=dict[str, Any])
    except UNREADABLE:
        return message


@cache
def _ours() -> tuple[AnyCarrier, ...]:
    """The carriers in the folders beside this file."""
    packages = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.ispkg]
    return tuple(import_module(f"{__package__}.{name}").CARRIER for name in packages)


@cache
def _theirs() -> tuple[AnyCarrier, ...]:
    """The carriers of other installed packages."""
    return tuple(_load(entry_point) for entry_point in entry_points(group=GROUP))


def _load(entry_point: EntryPoint) -> AnyCarrier:
    where = f"{entry_point.value} (the entry point {entry_point.name!r}"
    where += f" of {entry_point.dist.name})" if entry_point.dist else ")"
    try:
        loaded = entry_point.load()
    except Exception as error:
        raise ConfigError(
            f"the carrier {where} cannot be loaded: {type(error).__name__}: {error}. Update its package, or remove it"
        ) from error
    carrier = _checked(loaded, where)
    if carrier.name != entry_point.name:
        raise ConfigError(f"expected a carrier called {entry_point.name!r} at {where}; it is called {carrier.name!r}")
    return carrier


def _checked(carrier: object, where: str) -> AnyCarrier:
    if not isinstance(carrier, Carrier):
        raise ConfigError(f"expected a Carrier at {where}; got {carrier!r}")
    if not re.fullmatch("[a-z][a-z0-9_]*", carrier.name) or carrier.name in TAKEN:
        raise ConfigError(
            f"{carrier.name!r} is not a name for a carrier, at {where}: expected a to z, 0 to 9 and _, a letter "
            f"first, and none of {', '.join(TAKEN)}"
        )
    return carrier
