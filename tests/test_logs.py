"""Telephone numbers in the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat as Format

from voiceflow import CallError, ConfigError
from voiceflow.config.settings import load_config
from voiceflow.logs import get_logger, masked, show_numbers

ROOT = Path(__file__).parent.parent
NUMBER = "+12025550123"
EXAMPLES = [
    number
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (number := phonenumbers.example_number(region)) is not None
]


@pytest.fixture(autouse=True)
def _masked() -> Iterator[None]:
    show_numbers(False)
    yield
    show_numbers(False)


@given(
    st.sampled_from(EXAMPLES),
    st.sampled_from([Format.E164, Format.INTERNATIONAL, Format.RFC3966]),
    st.sampled_from(["from %s to x", "'%s'", "sip:%s@example.com", "(%s)", "no route for %s: add it", "to=%s&x", "%s"]),
)
def test_no_number_of_any_country_is_logged_in_full(number: phonenumbers.PhoneNumber, form: int, text: str) -> None:
    written = phonenumbers.format_number(number, form)
    digits = phonenumbers.format_number(number, Format.E164).removeprefix("+")
    alone = [digits] if len(digits) >= 8 else []
    for each in (written, written.replace("+", "%2B"), *alone):
        told = masked(text % each)
        assert digits[-4:] in told
        assert digits[-5:] not in "".join(char for char in told if char.isdigit() or char == "."), told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NUMBER, "+1...0123"),
        ("from +12025550123 to +49301234567.", "from +1...0123 to +49...4567."),
        ("sip:2025550123@pbx.example.com, tel:5551234", "sip:...0123@pbx.example.com, tel:...1234"),
        ("sips:12345@x", "sips:...2345@x"),
        ("(512) 555-1234 and 512-555-1234, 030 12345678", "...1234 and ...1234, ...5678"),
        ("12025550123", "...0123"),
    ],
)
def test_a_number_is_cut_to_its_last_four_digits(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "turn: 812 ms: stt 312, llm 411 at 12:30:45.123456",
        "127.0.0.1:59698, port 8000, extension 1234, [2001:db8::1]:443",
        "call CA0123456789abcdef0123456789abcdef, v3:12ab-12345678",
        "01234567-89ab-4cde-8f01-123456789abc",
        "expected at most 1048576 bytes, got 104857600 bytes in 0.12345678 s",
        "2026-11-27 08:00:00, 1.9.3, 48000 Hz, 0x7f0000000000",
    ],
)
def test_what_is_no_number_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_every_logger_of_ours_masks_numbers_whoever_formats_its_records(caplog: pytest.LogCaptureFixture) -> None:
    log = get_logger("voiceflow.test")
    log.warning("a call from %s was refused", NUMBER)
    try:
        raise CallError(f"cannot transfer to {NUMBER}")
    except CallError as error:
        log.error("it failed: %s", error, exc_info=error)
    assert "5550123" not in caplog.text
    assert caplog.text.count("+1...0123") == 3


def test_all_of_our_loggers_mask_numbers() -> None:
    """Each is made by `get_logger`; others are those of libraries."""
    made = re.compile(r"getLogger\((?!name\)|\"uvicorn)")
    files = [file for folder in ("voiceflow", "processors", "transports") for file in (ROOT / folder).rglob("*.py")]
    assert not [str(file) for file in files if made.search(file.read_text())]


def test_a_configuration_says_whether_numbers_are_logged(tmp_path: Path) -> None:
    file = tmp_path / "voiceflow.yaml"
    assert not load_config(None).log_numbers
    for text in ("true", "false"):
        file.write_text(f"log_numbers: {text}\n")
        assert load_config(file).log_numbers == (text == "true")
    file.write_text("log_numbers: maybe\n")
    with pytest.raises(ConfigError, match=r"log_numbers is 'maybe': expected true or false"):
        load_config(file)


def test_numbers_are_logged_where_that_was_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    show_numbers(True)
    get_logger("voiceflow.test").warning("a call from %s", NUMBER)
    assert NUMBER in caplog.text
