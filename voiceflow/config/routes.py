"""Routes: `dids` in the configuration maps each called number to the route of its calls.

    dids:
      "+1 (512) 555-1234":
        user_id: ann
        system_prompt: You answer the phone for Ann's bakery.
        transfer_to: [+1 512 555 1299, "sip:*@pbx.example.com"]

Without `dids` every number gets the default route; with them, calls to other numbers are refused. A file that has
changed, and has then been left alone for a second, is read again at the next lookup. If it cannot be read then, or has
no numbers any more, the routes stay as they were: only a new start opens a server to all numbers.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from pathlib import Path
from typing import Any

import msgspec

from voiceflow.errors import ConfigError, DIDConfigError, DIDNotFoundError
from voiceflow.route import Route

from .unknown_keys import ALIKE, Warn, nearest
from .watched import WatchedFile
from .yamlfile import Value, read_yaml

logger = logging.getLogger("voiceflow.config")

_URI = re.compile(r"(?:tel|sips?):([^@;]*).*", re.IGNORECASE)  # RFC 3966, RFC 3261
_SIP_DESTINATION = re.compile(r"sips?:(\*|[\w.+~%-]+)@[\w.-]+(:\d{1,5})?", re.ASCII)
_NUMBERS = re.compile(r"\+[1-9]\d*\*", re.ASCII)
_SEPARATORS = re.compile(r"[\s\-./_\u2010-\u2015\u2212]")
_TRUNK_ZERO = re.compile(r"(?<!^\+39)\(0\)")


def e164(number: str) -> str:
    """A telephone number in E.164 form, from any usual way of writing it. Raises `ValueError` if it is none.

    >>> e164("1 (512) 555-1234")
    '+15125551234'

    The number must have its country code; the + may be missing. ITU-T E.164 allows at most 15 digits.
    """
    text = unicodedata.normalize("NFKC", number).strip()
    text = _SEPARATORS.sub("", _URI.sub(r"\1", text))
    if text.startswith("00"):  # the prefix of international calls in most countries
        text = f"+{text[2:]}"
    text = _TRUNK_ZERO.sub("", text)  # +44 (0)20 is dialled +4420, but in Italy the zero is dialled
    text = re.sub(r"[()]", "", text)
    digits = text.removeprefix("+")
    if not re.fullmatch(r"[1-9][0-9]{6,14}", digits):
        raise ValueError(f"{number!r} is not a telephone number with its country code: write it like +15125551234")
    if digits.startswith("1") and len(digits) != 11:
        raise ValueError(f"{number!r} has {len(digits)} digits: numbers in +1 (North America) have 11")
    # Ten digits without a + may be North American without the 1, or begin with a country code (45, 47, 65 ...).
    if text == digits and re.fullmatch(r"([2-9][0-9]{2}){2}[0-9]{4}", digits):
        raise ValueError(f"{number!r} can be read in two ways: write +1{digits} (North America) or +{digits}")
    return f"+{digits}"


class Routes:
    """The routes in a configuration file. Without a file, every number gets the default route.

    Raises `DIDConfigError`, which names the line, for a file that cannot be used.
    """

    def __init__(self, file: Path | None = None, warn: Warn = logger.warning) -> None:
        """`warn` is told of keys that look like a mistake. Of those that come with a later change, the log is told."""
        self._told: set[str] = set()
        self._file = WatchedFile(file) if file is not None else None
        self._routes: dict[str, Route] = {}
        self._closed = False
        self._load(warn)

    @property
    def dids(self) -> list[str]:
        """The numbers that have a route, in E.164, in the file's order. Empty: every number gets the default route,
        unless `close` was called."""
        self._refresh()
        return list(self._routes)

    def close(self) -> None:
        """Refuse numbers without a route from now on, even while no number has one. Where some had one, this is so."""
        self._closed = True

    def all(self) -> list[Route]:
        """All routes that calls may get."""
        self._refresh()
        return list(self._routes.values()) or [Route()]

    def lookup(self, did: str) -> Route | None:
        """The route of a called number, however it is written. None: it has no route, and the call is to be refused."""
        self._refresh()
        if not self._closed:
            return Route()
        try:
            return self._routes.get(e164(did))
        except ValueError:
            return None

    def lookup_or_raise(self, did: str) -> Route:
        """The route of a called number. Raises `DIDNotFoundError` if it has none."""
        route = self.lookup(did)
        if route is None:
            raise DIDNotFoundError(did)
        return route

    def reload(self) -> None:
        """Read the file again. Raises `DIDConfigError` and keeps the routes if it cannot be used."""
        self._load(logger.warning)

    def _load(self, warn: Warn) -> None:
        if self._file is not None:
            self._file.begin()
            self._take(self._read(self._file.path, warn))

    def _read(self, file: Path, warn: Warn) -> dict[str, Route]:
        routes, mistakes = _read_routes(file)
        for mistake in mistakes:
            if mistake not in self._told:
                warn(mistake)
        self._told.update(mistakes)
        return routes

    def _take(self, routes: dict[str, Route]) -> None:
        self._routes = routes
        self._closed = self._closed or bool(routes)

    def _refresh(self) -> None:
        file = self._file
        if file is None or not file.is_due():
            return
        try:
            routes = self._read(file.path, logger.warning)
        except DIDConfigError as error:
            logger.error("%s. The routes stay as they were", error)
            return
        if not file.is_unchanged():
            return  # what was read may be half of it; the next check sees the change
        if self._routes and not routes:
            logger.warning(
                "%s has no numbers under `dids` any more: the routes stay as they were. "
                "To connect calls to any number, start again",
                file.path,
            )
            return
        self._take(routes)
        logger.info("%s has changed: %d numbers have a route", file.path, len(routes))


def _read_routes(file: Path) -> tuple[dict[str, Route], list[str]]:
    """The routes in a file, and keys in them that look like a mistake, in sentences."""
    routes: dict[str, Route] = {}
    mistakes: dict[str, None] = {}  # each once, even if several routes share the key
    keys: dict[str, Value] = {}
    try:
        root = read_yaml(file)
        dids = root.get("dids") if root is not None else None
        for key, value in dids.entries() if dids is not None else ():
            number = _number(key)
            first = keys.setdefault(number, key)
            if first is not key:
                raise key.error(f"{key.text()!r} is {number}, as is {first.text()!r} in line {first.line}: keep one")
            routes[number] = Route() if value.missing else _read_route(value, mistakes)
    except ConfigError as error:
        raise DIDConfigError(str(error)) from error
    return routes, list(mistakes)


def _number(key: Value) -> str:
    try:
        return e164(key.text())
    except ValueError as error:
        raise key.error(str(error)) from None


def _read_route(mapping: Value, mistakes: dict[str, None]) -> Route:
    names = [name for name in Route.__struct_fields__ if name != "extra"]
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in mapping.entries():
        name = key.text()
        if name not in names:
            extra[name] = value.natural()
            if near := nearest(name, names, ALIKE):
                mistakes[f"{key.place}: {name} is kept in `extra`, did you mean {near}?"] = None
        elif name == "transfer_to" and not value.missing:
            known[name] = tuple(map(_destination, value.items()))
        elif not value.missing and (text := value.text().strip()):
            known[name] = text
    return msgspec.convert({**known, "extra": extra}, Route)


def _destination(value: Value) -> str:
    """An entry of `transfer_to`, numbers in E.164."""
    text = value.text().strip()
    if _SIP_DESTINATION.fullmatch(text) or _NUMBERS.fullmatch(text):
        return text
    try:
        return e164(text)
    except ValueError:
        raise value.error(
            f"transfer_to is {text!r}: expected a number such as +15125551234, the beginning of numbers such as "
            f"+1512*, sip:name@example.com, or sip:*@example.com"
        ) from None
