"""Guards against toll fraud: where a call may be transferred to, and how often.

The address is often written by a language model, which a caller may talk into dialling a number that costs money. A
route's `transfer_to` lists what is allowed: numbers in E.164, the beginnings of numbers (`+4930*`), SIP addresses, and
all SIP addresses at a host (`sip:*@pbx.example.com`). Without it, a call may be transferred to ordinary numbers of the
country in which the called number is, and to no SIP address. Numbers at special rates (premium, shared-cost, personal,
satellite) and emergency numbers are refused unless they are listed in full, as users of a SIP host, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

from voiceflow.call_control import CallControl
from voiceflow.errors import CallError

ORDINARY: Final = (
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.VOIP,
)
"""Kinds of numbers whose calls cost what calls usually cost."""
NO_COUNTRY: Final = "001"
"""The region of numbers that belong to no country, satellite telephones among them."""
TRANSFERS: Final = 3
"""How many transfers a call may ask its carrier for: one that failed may be tried again, or elsewhere."""
DIGITS: Final = 200
"""How many digits a call may have its carrier send: a card's number and its code, in several attempts."""
EMERGENCY_IN: Final = ("US", "GB")
"""Countries whose emergency numbers many telephone systems take anywhere: 911, 112, 999."""
_SIP: Final = re.compile(
    r"sips?:([\w.!~*'()&=+$#-]+)@([\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:;transport=(?:udp|tcp|tls)|;user=(?:phone|ip))*",
    re.IGNORECASE | re.ASCII,
)
"""A SIP address that leads to its host. Others may not: a parameter (`maddr`) or a header (`Route`) may name another
host, and what stands for a user or a port may be read as a second address."""
_DEARER: Final = re.compile(r"\+1[2-9][0-9]{2}(?:976[0-9]{4}|5551212)")
"""Numbers in North America at special rates that are like others: services behind 976, and directory assistance."""


class GuardedControl:
    """The call control of a call to the number `did`, which does no more than its route allows."""

    def __init__(self, control: CallControl, did: str, transfer_to: Sequence[str] | None) -> None:
        """`transfer_to` is that of the route."""
        self._control = control
        self._did = did
        self._transfer_to = transfer_to
        self._transfers = TRANSFERS
        self._digits = DIGITS
        self._transferred = False

    @property
    def digits_end_stream(self) -> bool:
        return self._control.digits_end_stream

    async def hangup(self) -> bool:
        """End the call, unless it was transferred: the caller would be cut off from whom they talk to by now."""
        return not self._transferred and await self._control.hangup()

    async def transfer(self, to: str) -> bool:
        check_transfer(to, self._did, self._transfer_to)
        if not self._transfers:
            raise CallError(
                f"cannot transfer to {to!r}: this call has asked for {TRANSFERS} transfers, the most it may"
            )
        self._transfers -= 1
        transferred = await self._control.transfer(to)
        self._transferred |= transferred
        return transferred

    async def send_digits(self, digits: str) -> bool:
        if len(digits) > self._digits:
            raise CallError(
                f"cannot send {len(digits)} digits: a call may send {DIGITS}, and this one has {self._digits} left"
            )
        self._digits -= len(digits)
        return await self._control.send_digits(digits)


def check_transfer(to: str, did: str, allowed: Sequence[str] | None) -> None:
    """Raise `CallError` if a call to the number `did` may not be transferred to `to`; `allowed` is the route's
    `transfer_to`."""
    listed = allowed or ()
    if to in listed:
        return
    if to.lower().startswith(("sip:", "sips:")):
        _check_sip(to, did, allowed)
        return
    number = _ordinary(to, allowed)
    if allowed is not None:
        if not any(entry.endswith("*") and to.startswith(entry[:-1]) for entry in listed):
            raise _refused(to, "it is not listed", allowed)
        return
    here = _parsed(did)
    if here is None or phonenumbers.region_code_for_number(here) != phonenumbers.region_code_for_number(number):
        raise _refused(to, f"it is not in the country of the called number {did!r}", allowed)


def _check_sip(to: str, did: str, allowed: Sequence[str] | None) -> None:
    """Raise `CallError` if `to` is at no host that is listed with all of its addresses, or if the telephone system
    there would pass the call on to a number that is not ordinary."""
    sip = _SIP.fullmatch(to)
    if sip is None:
        raise _refused(to, "expected a SIP address such as sip:name@example.com, without anything behind it", allowed)
    user, host = sip[1], sip[2].lower()
    if not any(entry.lower() in (f"sip:*@{host}", f"sips:*@{host}") for entry in allowed or ()):
        raise _refused(to, "only SIP addresses and hosts that are listed may be called", allowed)
    here = _parsed(did)
    country = phonenumbers.region_code_for_number(here) if here else None
    if any(phonenumbers.is_emergency_number(user, region) for region in (*EMERGENCY_IN, country) if region):
        raise _refused(to, "it is an emergency number", allowed)
    if user.startswith(("+", "00")):
        _ordinary(f"+{user.lstrip('+0')}", allowed)
    elif any(number and not _is_ordinary(number) for number in (_read(user, country), _read(f"+{user}"))):
        raise _refused(to, "it is a number at a special rate, or of no country", allowed)


def _ordinary(to: str, allowed: Sequence[str] | None) -> PhoneNumber:
    """A number in E.164 whose calls cost what calls usually cost. Raises `CallError`."""
    number = _parsed(to)
    if number is None:
        raise _refused(to, "expected a valid number in E.164, such as +15125551234", allowed)
    if not _is_ordinary(number):
        raise _refused(to, "it is a number at a special rate, or of no country", allowed)
    return number


def _is_ordinary(number: PhoneNumber) -> bool:
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return (
        phonenumbers.number_type(number) in ORDINARY
        and phonenumbers.region_code_for_number(number) != NO_COUNTRY
        and _DEARER.fullmatch(written) is None
    )


def _parsed(number: str) -> PhoneNumber | None:
    """A number in E.164; None if it is something else, or no number that can exist."""
    return _read(number) if re.fullmatch(r"\+[1-9][0-9]{6,14}", number) else None


def _read(number: str, country: str | None = None) -> PhoneNumber | None:
    """A number, as it is written in a country or everywhere; None if it is no number that can exist."""
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_valid_number(parsed) else None


def _refused(to: str, why: str, allowed: Sequence[str] | None) -> CallError:
    listed = "it has no transfer_to" if allowed is None else f"its transfer_to lists {', '.join(allowed) or 'nothing'}"
    return CallError(
        f"cannot transfer to {to!r}: {why}. What a call may be transferred to is set by its route: {listed}"
    )
