"""Callers and called numbers in one form, however a carrier writes them.

- A telephone number is in E.164: +15125551234. National numbers are understood where a country is configured.
- A SIP address without a telephone number in it is `sip:name@host`, in lower case.
- What is left is an extension or a name of a telephone system, in lower case: 1001, *98, support.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import phonenumbers

WITHHELD: Final = frozenset(
    ("anonymous", "unknown", "restricted", "private", "unavailable", "withheld", "blocked", "+266696687", "266696687")
)
"""What carriers write where the caller does not show their number; the digits are ANONYMOUS on a keypad."""

# RFC 3966, RFC 3261: a display name, <, the scheme, the user with a password and parameters, the host with port and
# parameters, >.
_ADDRESS: Final = re.compile(
    r"(?:[^<>]*<)?\s*(?:(?:tel|sips?):)?(?P<user>[^@;<>]*)(?:;[^@<>]*)?(?:@(?P<host>\[[^]<>]*\]|[^:;?<>]*)[^<>]*)?(?:>.*)?",
    re.IGNORECASE,
)
_SEPARATORS: Final = re.compile(r"[\s\-./_\u2010-\u2015\u2212]")
_TRUNK_ZERO: Final = re.compile(r"(?<!^\+39)\(0\)")
_ROUTED: Final = re.compile(r"sip:[^\s@:]+@([\w.-]+|\[[0-9a-f:.]+\])|[0-9*#]{1,6}|[a-z][\w.+-]*", re.ASCII)
"""SIP addresses, extensions and names that a route can be for."""


def e164(number: str, country: str | None = None) -> str:
    """A telephone number in E.164 form, from any usual way of writing it. Raises `ValueError` if it is none.

    >>> e164("1 (512) 555-1234")
    '+15125551234'

    The number must have its country code, but the + may be missing; or it is written as in `country`, two letters.
    ITU-T E.164 allows at most 15 digits.
    """
    text = _SEPARATORS.sub("", _split(number)[0])
    if country is not None and not text.startswith("+") and (found := _valid(text, country)):
        return found
    if text.startswith("00"):  # the prefix of international calls in most countries
        text = f"+{text[2:]}"
    text = _TRUNK_ZERO.sub("", text)  # +44 (0)20 is dialled +4420, but in Italy the zero is dialled
    text = re.sub(r"[()]", "", text)
    digits = text.removeprefix("+")
    if not re.fullmatch(r"[1-9][0-9]{6,14}", digits):
        raise ValueError(
            f"{number!r} is not a telephone number with its country code: write it like +15125551234"
            + (", or configure `country`" if re.fullmatch(r"0[0-9]{4,14}", digits) else "")
        )
    if digits.startswith("1") and len(digits) != 11:
        raise ValueError(f"{number!r} has {len(digits)} digits: numbers in +1 (North America) have 11")
    # Ten digits without a + may be North American without the 1, or begin with a country code (45, 47, 65 ...).
    if text == digits and re.fullmatch(r"([2-9][0-9]{2}){2}[0-9]{4}", digits):
        raise ValueError(
            f"{number!r} can be read in two ways: write +1{digits} (North America) or +{digits}, or configure `country`"
        )
    return f"+{digits}"


def normal(address: str, country: str | None = None) -> str:
    """A caller or a called number in its one form; "" for nothing at all. It never fails."""
    user, host = _split(address)
    sure = not host or user.startswith(("+", "00")) or _valid(user, country)  # a host may number its own users
    try:
        return e164(user, country) if sure else f"sip:{user}@{host}".lower()
    except ValueError:
        return (f"sip:{user}@{host}" if host else user).lower()


def caller(address: str, country: str | None = None) -> str | None:
    """The one form of a caller. None: the carrier does not say, or the caller withholds it."""
    user, _ = _split(address)
    return None if not user or user.lower() in WITHHELD else normal(address, country)


def key(text: str, country: str | None = None) -> str:
    """What a route is for: a number, a SIP address, an extension or a name, in its one form. Raises `ValueError`."""
    form = normal(text, country)
    if _ROUTED.fullmatch(form):
        return form
    return e164(text, country)


def fitting(address: str, keys: Collection[str]) -> str | None:
    """The key that must be meant by an address that is none of them: the part of a SIP address before its host, the
    national form of one number, or the name in one SIP address. None if none fits, or several do."""
    user, host = _split(address)
    if host and (within := normal(user)) in keys:
        return within
    texts = {(user, country) for country in map(country_of, keys) if country} | {(f"+{user}", None)}
    found = {number for text, country in texts if (number := _read(text, country)) in keys}
    if not host:
        found |= {each for each in keys if each.startswith(f"sip:{user.lower()}@")}
    return found.pop() if len(found) == 1 else None


@lru_cache(maxsize=4096)
def country_of(number: str) -> str | None:
    """The country of a number in E.164, as two letters: of those that share its country code, the main one."""
    try:
        code = phonenumbers.parse(number).country_code if number.startswith("+") else None
    except phonenumbers.NumberParseException:
        return None
    country = phonenumbers.region_code_for_country_code(code) if code is not None else None
    return country if country in phonenumbers.SUPPORTED_REGIONS else None


def _split(address: str) -> tuple[str, str]:
    """The user and the host of an address; without a scheme and an @, all of it is the user."""
    text = unicodedata.normalize("NFKC", address).strip()
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return text, ""
    return unquote(match["user"]).partition(":")[0].strip(), (match["host"] or "").strip()


def _read(text: str, country: str | None) -> str | None:
    """What `text` is as a number of `country`, valid or not."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(text, country), phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        return None


def _valid(text: str, country: str | None) -> str | None:
    """The number that `text` is, in national or international form, if there is one that can exist. Where national
    numbers begin with 0, one that does not is rather international."""
    national = _read(text, country) if country is not None else None
    international = _read(f"+{text.removeprefix('+')}", None)
    trunk = phonenumbers.ndd_prefix_for_region(country, True) if country is not None else None
    rather_national = trunk in (None, "", "1") or text.lstrip("(").startswith(trunk)
    readings = (national, international) if rather_national else (international, national)
    return next((each for each in readings if each and phonenumbers.is_valid_number(phonenumbers.parse(each))), None)
