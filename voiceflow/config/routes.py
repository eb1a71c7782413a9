"""Routes: `dids` in the configuration maps each called number to the route of its calls.

    dids:
      "+1 (512) 555-1234":
        user_id: ann
        system_prompt: You answer the phone for Ann's bakery.
        transfer_to: [+1 512 555 1299, "sip:*@pbx.example.com"]

A key is a telephone number, a SIP address (`sip:support@pbx.example.com`), an extension (1001), or a name that stands
for SIP addresses of any host (`support`). National numbers are understood where the file says whose they are,
`country: US`. See numbers.py for the one form in which pipelines get callers and called numbers.

Without `dids` every number gets the default route; with them, calls to other numbers are refused. A file that has
changed, and has then been left alone for a second, is read again at the next lookup. If it cannot be read then, or has
no numbers any more, the routes stay as they were: only a new start opens a server to all numbers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import phonenumbers

from voiceflow.errors import ConfigError, DIDConfigError, DIDNotFoundError
from voiceflow.logs import get_logger
from voiceflow.route import MOST_CALLS, Route

from . import numbers
from .unknown_keys import ALIKE, SECURITY, Warn, nearest
from .watched import WatchedFile
from .wording import in_its_language, joined, read_language, read_words
from .yamlfile import Value, read_yaml

logger = get_logger("voiceflow.config")

_SIP_DESTINATION = re.compile(r"sips?:(\*|[\w.+~%-]+)@[\w.-]+(:\d{1,5})?", re.ASCII)
_NUMBERS = re.compile(r"\+[1-9]\d*\*", re.ASCII)


class Found(NamedTuple):
    """A called number that has a route."""

    did: str
    """In its one form, see numbers.py."""
    route: Route
    key: str = ""
    """The number that is configured, in its one form. "": none, the route is the default."""


class _Table(NamedTuple):
    """What the file says."""

    routes: dict[str, Route]
    country: str | None
    """Whose national numbers are understood."""
    default: Route
    """The route of numbers that have none of their own, and of browsers."""


class Routes:
    """The routes in a configuration file. Without a file, every number gets the default route.

    Raises `DIDConfigError`, which names the line, for a file that cannot be used.
    """

    def __init__(self, file: Path | None = None, warn: Warn = logger.warning) -> None:
        """`warn` is told of keys that look like a mistake. Of those that come with a later change, the log is told."""
        self._told: set[str] = set()
        self._file = WatchedFile(file) if file is not None else None
        self._table = _Table({}, None, Route())
        self._closed = False
        self._load(warn)

    @property
    def dids(self) -> list[str]:
        """The numbers that have a route, in their one form, in the file's order. Empty: every number gets the default
        route, unless `close` was called."""
        self._refresh()
        return list(self._table.routes)

    @property
    def default(self) -> Route:
        """The route of numbers that have none of their own, if calls to them are connected, and of browsers."""
        self._refresh()
        return self._table.default

    def close(self) -> None:
        """Refuse numbers without a route from now on, even while no number has one. Where some had one, this is so."""
        self._closed = True

    def all(self) -> list[Route]:
        """All routes that calls may get."""
        self._refresh()
        return list(self._table.routes.values()) or [self._table.default]

    def find(self, did: str) -> Found:
        """A called number, however it is written, and its route. Raises `DIDNotFoundError` if it has none: the call is
        to be refused."""
        self._refresh()
        routes, country, default = self._table
        form = numbers.normal(did, country)
        if form in routes:
            return Found(form, routes[form], form)
        if not self._closed:
            return Found(form, default)
        meant = numbers.fitting(did, routes)
        if meant is None:
            raise DIDNotFoundError(did, form)
        return Found(meant if meant.startswith("+") else form, routes[meant], meant)

    def lookup(self, did: str) -> Route | None:
        """The route of a called number. None: it has none, and the call is to be refused."""
        try:
            return self.find(did).route
        except DIDNotFoundError:
            return None

    def lookup_or_raise(self, did: str) -> Route:
        """The route of a called number. Raises `DIDNotFoundError` if it has none."""
        return self.find(did).route

    def caller(self, address: str, did: str) -> str | None:
        """The one form of a caller who calls `did`, which is in its own. Where no country is configured, a national
        number is one of the country that is called. None: the carrier does not say, or the caller withholds it."""
        return numbers.caller(address, self._table.country or numbers.country_of(did))

    def reload(self) -> None:
        """Read the file again. Raises `DIDConfigError` and keeps the routes if it cannot be used."""
        self._load(logger.warning)

    def _load(self, warn: Warn) -> None:
        if self._file is not None:
            self._file.begin()
            self._take(self._read(self._file.path, warn))

    def _read(self, file: Path, warn: Warn) -> _Table:
        table, mistakes = _read_table(file)
        for mistake in mistakes:
            if mistake not in self._told:
                warn(mistake)
        self._told.update(mistakes)
        return table

    def _take(self, table: _Table) -> None:
        self._table = table
        self._closed = self._closed or bool(table.routes)

    def _refresh(self) -> None:
        file = self._file
        if file is None or not file.is_due():
            return
        try:
            table = self._read(file.path, logger.warning)
        except DIDConfigError as error:
            logger.error("%s. The routes stay as they were", error)
            return
        if not file.is_unchanged():
            return  # what was read may be half of it; the next check sees the change
        if self._table.routes and not table.routes:
            logger.warning(
                "%s has no numbers under `dids` any more: the routes stay as they were. "
                "To connect calls to any number, start again",
                file.path,
            )
            return
        self._take(table)
        logger.info("%s has changed: %d numbers have a route", file.path, len(table.routes))


def _read_table(file: Path) -> tuple[_Table, list[str]]:
    """The country and the routes in a file, and keys in them that look like a mistake, in sentences."""
    routes: dict[str, Route] = {}
    mistakes: dict[str, None] = {}  # each once, even if several routes share the key
    keys: dict[str, Value] = {}
    try:
        root = read_yaml(file)
        dids = root.get("dids") if root is not None else None
        country = _country(root.get("country") if root is not None else None)
        default = _default(root, mistakes)
        for key, value in dids.entries() if dids is not None else ():
            number = _number(key, country)
            first = keys.setdefault(number, key)
            if first is not key:
                raise key.error(f"{key.text()!r} is {number}, as is {first.text()!r} in line {first.line}: keep one")
            routes[number] = default if value.missing else _read_route(value, default, country, mistakes)
    except ConfigError as error:
        raise DIDConfigError(str(error)) from error
    return _Table(routes, country, default), list(mistakes)


def _country(value: Value | None) -> str | None:
    if value is None or not (text := value.text().strip()):
        return None
    if text.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise value.error(f"country is {text!r}: expected the two letters of ISO 3166, such as US, GB or DE")
    return text.upper()


def _number(key: Value, country: str | None) -> str:
    try:
        return numbers.key(key.text(), country)
    except ValueError as error:
        raise key.error(str(error)) from None


def _default(root: Value | None, mistakes: dict[str, None]) -> Route:
    """The route that the file's own `language` and `words` make."""
    language = root.get("language") if root is not None else None
    words = root.get("words") if root is not None else None
    return in_its_language(
        Route(language=read_language(language) if language else "", words=read_words(words, mistakes) if words else {})
    )


def _read_route(mapping: Value, default: Route, country: str | None, mistakes: dict[str, None]) -> Route:
    names = [name for name in Route.__struct_fields__ if name != "extra"]
    known: dict[str, Any] = {"language": default.language, "words": default.words}
    extra: dict[str, Any] = {}
    for key, value in mapping.entries():
        name = key.text()
        if name not in names:
            extra[name] = value.natural()
            if (near := nearest(name, names, ALIKE)) in SECURITY:
                raise key.error(f"{name} is unknown, did you mean {near}?")
            if near:
                mistakes[f"{key.place}: {name} is kept in `extra`, did you mean {near}?"] = None
        elif value.missing:
            continue
        elif name == "transfer_to":
            known[name] = tuple(_destination(each, country) for each in value.items())
        elif name == "words":
            known[name] = joined(default.words, read_words(value, mistakes))
        elif name == "language":
            known[name] = read_language(value)
        elif name == "max_calls":
            known[name] = _most(value)
        elif text := value.text().strip():
            known[name] = text
    route = msgspec.convert({**known, "extra": extra}, Route)
    return route if "system_prompt" in known else in_its_language(route)


def _most(value: Value) -> int | None:
    text = value.text().strip()
    if text and not (text.isascii() and text.isdigit() and int(text) > 0):
        raise value.error(f"max_calls is {text!r}: expected {MOST_CALLS}")
    return int(text) if text else None


def _destination(value: Value, country: str | None) -> str:
    """An entry of `transfer_to`, numbers in E.164."""
    text = value.text().strip()
    if _SIP_DESTINATION.fullmatch(text) or _NUMBERS.fullmatch(text):
        return text
    try:
        return numbers.e164(text, country)
    except ValueError:
        raise value.error(
            f"transfer_to is {text!r}: expected a number such as +15125551234, the beginning of numbers such as "
            f"+1512*, sip:name@example.com, or sip:*@example.com"
        ) from None
