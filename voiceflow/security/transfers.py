"""Guards against toll fraud: where a call may be transferred to, and how often.

The address is often written by a language model, which a caller may talk into dialling a number that costs money. A
route's `transfer_to` lists what is allowed: numbers in E.164, the beginnings of numbers (`+4930*`), SIP addresses, and
all SIP addresses at a host (`sip:*@pbx.example.com`). Without it, a call may be transferred to ordinary numbers of the
country in which the called number is, and to no SIP address. Numbers at special rates (premium, shared-cost, personal,
satellite) and emergency numbers are refused unless they are listed in full.
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
_SIP: Final = re.compile(r"(sips?):([^@]+)@([^:;]+).*", re.IGNORECASE)


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
    if sip := _SIP.fullmatch(to):
        if not any(_same_host(entry, sip) for entry in listed):
            raise _refused(to, "only SIP addresses and hosts that are listed may be called", allowed)
        return
    number = _parsed(to)
    if number is None:
        raise _refused(to, "expected a valid number in E.164, such as +15125551234", allowed)
    if phonenumbers.number_type(number) not in ORDINARY or phonenumbers.region_code_for_number(number) == NO_COUNTRY:
        raise _refused(to, "it is a number at a special rate, or of no country", allowed)
    if allowed is not None:
        if not any(entry.endswith("*") and to.startswith(entry[:-1]) for entry in listed):
            raise _refused(to, "it is not listed", allowed)
        return
    here = _parsed(did)
    if here is None or phonenumbers.region_code_for_number(here) != phonenumbers.region_code_for_number(number):
        raise _refused(to, f"it is not in the country of the called number {did!r}", allowed)


def _parsed(number: str) -> PhoneNumber | None:
    """A number in E.164; None if it is something else, or no number that can exist."""
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
        return None
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_valid_number(parsed) else None


def _same_host(entry: str, sip: re.Match[str]) -> bool:
    """Whether `entry` allows all SIP addresses at the host of `sip`."""
    listed = _SIP.fullmatch(entry)
    return listed is not None and listed[2] == "*" and listed[3].lower() == sip[3].lower()


def _refused(to: str, why: str, allowed: Sequence[str] | None) -> CallError:
    listed = "it has no transfer_to" if allowed is None else f"its transfer_to lists {', '.join(allowed) or 'nothing'}"
    return CallError(
        f"cannot transfer to {to!r}: {why}. What a call may be transferred to is set by its route: {listed}"
    )
