"""Callers and called numbers: one form, whatever carriers write."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from voiceflow.config import numbers
from voiceflow.config.numbers import e164


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+15125551234", "+15125551234"),
        ("+1 (512) 555-1234", "+15125551234"),
        ("15125551234", "+15125551234"),
        ("1.512.555.1234", "+15125551234"),
        ("+1 512/555\u20111234 ", "+15125551234"),
        ("+1\u00a0512\u2009555 \u2013 1234", "+15125551234"),
        ("\uff0b\uff11 512 555 1234", "+15125551234"),
        ("0015125551234", "+15125551234"),
        ("tel:+1-512-555-1234;ext=", "+15125551234"),
        ("sip:+15125551234@sip.example.com;transport=tls", "+15125551234"),
        ("+44 (0)20 7946 0018", "+442079460018"),
        ("0044 ( 0 ) 20 7946 0018", "+442079460018"),
        ("+39 (0)6 69 82", "+39066982"),
        ("+4533121212", "+4533121212"),
        ("0049 30 123456", "+4930123456"),
        ("+6834001", "+6834001"),
    ],
)
def test_a_number_in_any_writing_is_normalised(written: str, number: str) -> None:
    assert e164(written) == number


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "is not a telephone number with its country code"),
        ("+", "is not a telephone number"),
        ("front desk", "is not a telephone number"),
        ("1-800-FLOWERS", "is not a telephone number"),
        ("030 123456", "is not a telephone number with its country code"),
        ("+030123456", "is not a telephone number"),
        ("1 512+5551234", "is not a telephone number"),
        ("++15125551234", "is not a telephone number"),
        ("1001", "is not a telephone number"),
        ("+1234567890123456", "is not a telephone number"),
        ("1.5125551234e10", "is not a telephone number"),
        ("+1512555123", "has 10 digits: numbers in +1 (North America) have 11"),
        ("+151255512345", "has 12 digits"),
        ("(512) 555-1234", "can be read in two ways: write +15125551234 (North America) or +5125551234"),
        ("4533121212", "can be read in two ways"),
        ("+\u0661\u0665\u0661\u0662\u0665\u0665\u0665", "is not a telephone number"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(written: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(written)) + ".*" + re.escape(reason)):
        e164(written)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """A number in E.164 and in another notation."""
    digits = draw(
        st.one_of(st.from_regex(r"1[0-9]{10}", fullmatch=True), st.from_regex(r"[2-9][0-9]{6,14}", fullmatch=True))
    )
    country = draw(st.integers(1, 3))
    prefix = draw(st.sampled_from(["+", "00", "0 0 ", "", "tel:+", "sip:+", "TEL:"]))
    assume("+" in prefix or "0" in prefix or len(digits) != 10)  # see "can be read in two ways"
    gap = st.sampled_from(["", " ", "-", ".", "/", "\u00a0", "\u2011", " - "])
    area = draw(st.integers(2, 4))
    groups = [digits[:country], digits[country : country + area], *digits[country + area :]]
    if draw(st.booleans()):
        groups[1] = f"({groups[1]})"
    if draw(st.booleans()) and digits[:country] != "39":
        groups.insert(1, "(0)")
    written = prefix + "".join(part + draw(gap) for part in groups)
    assume("@" not in written)
    return f"+{digits}", written


@given(spellings())
def test_all_spellings_of_a_number_are_the_same_number(spelling: tuple[str, str]) -> None:
    number, written = spelling
    assert e164(written) == number
    assert e164(number) == number


@given(st.text())
def test_any_text_is_a_number_or_a_value_error(text: str) -> None:
    try:
        number = e164(text)
    except ValueError:
        return
    assert e164(number) == number == numbers.normal(number)


@pytest.mark.parametrize(
    ("country", "written", "number"),
    [
        ("US", "2025550199", "+12025550199"),
        ("US", "(202) 555-0199", "+12025550199"),
        ("US", "12025550199", "+12025550199"),
        ("US", "011 44 20 7946 0018", "+442079460018"),
        ("US", "442079460018", "+442079460018"),
        ("US", "4533121212", "+4533121212"),
        ("US", "+12025550199", "+12025550199"),
        ("GB", "020 7946 0018", "+442079460018"),
        ("GB", "00 1 202 555 0199", "+12025550199"),
        ("DE", "030/12 34 56", "+4930123456"),
        ("DE", "4930123456", "+4930123456"),
        ("DE", "15125551234", "+15125551234"),  # without the 0 of a German mobile number
        ("DE", "0151 25551234", "+4915125551234"),
        ("FR", "01 42 68 53 00", "+33142685300"),
        ("ES", "912 34 56 78", "+34912345678"),
        ("IT", "06 6982", "+39066982"),
        ("PT", "21 123 4567", "+351211234567"),
        ("NL", "020 123 4567", "+31201234567"),
        ("LU", "27 12 34", "+352271234"),
    ],
)
def test_a_number_as_its_country_writes_it_is_normalised(country: str, written: str, number: str) -> None:
    assert e164(written, country) == number
    assert numbers.normal(f"sip:{written.replace(' ', '')}@carrier.example", country) == number


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("sip:Support@PBX.example", "sip:support@pbx.example"),
        ("sips:support:secret@pbx.example:5061;transport=tls?a=b", "sip:support@pbx.example"),
        ('"Ann, at home" <sip:ann@pbx.example>;tag=76341', "sip:ann@pbx.example"),
        ("sip:%2B15125551234@pbx.example", "+15125551234"),
        ("<tel:+1-512-555-1234>", "+15125551234"),
        ("sip:1001@10.0.0.1", "sip:1001@10.0.0.1"),
        ("sip:1001@[2001:db8::1]:5060", "sip:1001@[2001:db8::1]"),
        ("sip:20000010@pbx.example", "sip:20000010@pbx.example"),  # a user that no telephone number can be
        ("ann@pbx.example", "sip:ann@pbx.example"),
        ("1001", "1001"),
        ("*98", "*98"),
        ("Support", "support"),
        (" ", ""),
    ],
)
def test_what_is_no_telephone_number_has_one_form_too(written: str, form: str) -> None:
    assert numbers.normal(written) == form
    assert numbers.normal(form) == form


@pytest.mark.parametrize(
    "written",
    ["", "Anonymous", "sip:anonymous@anonymous.invalid", '"Anonymous" <sip:anonymous@anonymous.invalid>', "+266696687"],
)
def test_a_caller_who_is_not_known_is_none(written: str) -> None:
    assert numbers.caller(written, "US") is None


@given(st.text(), st.sampled_from([None, "US", "DE", "IT"]))
def test_any_text_has_one_form(text: str, country: str | None) -> None:
    form = numbers.normal(text, country)
    assert form == form.lower()
    numbers.fitting(text, ["+12025550199", "sip:a@b.c", "desk"])
    numbers.caller(text, country)


@pytest.mark.parametrize(
    "text", ["front desk", "1-800-FLOWERS", "sip:@host", "a b@c", "+1512555123", "12345678", "@", ""]
)
def test_what_no_route_can_be_for_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"telephone number|digits"):
        numbers.key(text)
