"""Routes: the route of each number, however the number is written, also while the file changes."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voiceflow import DIDConfigError, DIDNotFoundError
from voiceflow.config.routes import Route, Routes
from voiceflow.config.watched import CHECK_EVERY

ANN, BEN = "+15125551234", "+442079460018"
TWO = f"""\
server_port: 1
dids:
  "{ANN}":
    user_id: ann
  "{BEN}":
    user_id: ben
"""

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _no_model_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_MODEL", raising=False)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def write(content: str) -> Path:
        path = Path("voiceflow.yaml")
        path.write_text(content, encoding="utf-8")
        return path

    return write


class Clock:
    """The clocks of the lookups, in seconds, which tests set."""

    now = 100.0
    wall = 0.0
    """The time of day: by this one, no file was changed long ago."""

    def later(self) -> None:
        self.now += CHECK_EVERY

    def settle(self, routes: Routes) -> None:
        """Look for a change twice: a file that has changed is read once it has not changed between two looks."""
        for _ in range(2):
            self.later()
            routes.lookup(ANN)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("voiceflow.config.watched.monotonic", lambda: clock.now)
    monkeypatch.setattr("voiceflow.config.watched.time", lambda: clock.wall)
    return clock


def user(routes: Routes, did: str = ANN) -> str | None:
    route = routes.lookup(did)
    return route.user_id if route is not None else None


def problem(file: Path) -> str:
    with pytest.raises(DIDConfigError) as raised:
        Routes(file)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# -- the file


def test_a_route_has_defaults(write: Write) -> None:
    route = Routes(write(f"dids:\n  '{ANN}':\n")).lookup(ANN)
    assert route == Route()
    assert msgspec.to_builtins(route) == {
        "user_id": "unknown",
        "display_name": "",
        "llm_model": "llama3.2",
        "system_prompt": "You are a helpful voice assistant. Keep responses concise.",
        "tts_voice": "en_US-lessac-medium",
        "language": "",
        "words": {},
        "transfer_to": None,
        "max_calls": None,
        "extra": {},
    }


def test_the_default_model_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    monkeypatch.setenv("OLLAMA_MODEL", "qwen3")
    assert Route().llm_model == "qwen3"
    assert Routes(write(TWO)).lookup_or_raise(ANN).llm_model == "qwen3"
    monkeypatch.setenv("OLLAMA_MODEL", "qwen3\n")
    assert Route().llm_model == "qwen3"
    monkeypatch.setenv("OLLAMA_MODEL", " \n")
    assert Route().llm_model == "llama3.2"


def test_every_key_of_a_route_is_read_and_further_ones_are_extra(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL", "qwen3")
    content = """\
dids:
  +1 (512) 555-1234:
    user_id: 007
    display_name: no
    llm_model: ${MODEL}
    system_prompt: |
      You are ${MODEL}.
      Say $${name}.
    tts_voice: ~
    limit: 5
    hours: {open: 09:00, days: [mo, tu], holidays: no}
    model: ${MODEL}
"""
    assert Routes(write(content)).lookup(ANN) == Route(
        user_id="007",
        display_name="no",
        llm_model="qwen3",
        system_prompt="You are qwen3.\nSay ${name}.",
        extra={"limit": 5, "hours": {"open": "09:00", "days": ["mo", "tu"], "holidays": False}, "model": "qwen3"},
    )


def test_values_are_stripped_and_blank_ones_are_as_if_not_given(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUE", "value\n")
    monkeypatch.setenv("BLANK", "\n")
    keys = "{user_id: ' ann ', llm_model: '${VALUE}', system_prompt: ' ', tts_voice: '${BLANK}', secret: '${VALUE}'}"
    route = Routes(write(f"dids:\n  '{ANN}': {keys}\n")).lookup(ANN)
    assert route == Route(user_id="ann", llm_model="value", extra={"secret": "value"})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("+1 (512) 555-1234", ("+15125551234",)),
        (
            "[15125551234, '+4930*', sip:ann@example.com, 'sip:*@pbx.example.com']",
            ("+15125551234", "+4930*", "sip:ann@example.com", "sip:*@pbx.example.com"),
        ),
        ("[]", ()),
        ("", None),
    ],
)
def test_where_calls_may_be_transferred_to_is_read(write: Write, written: str, read: tuple[str, ...] | None) -> None:
    route = Routes(write(f"dids:\n  '{ANN}':\n    transfer_to: {written}\n")).lookup_or_raise(ANN)
    assert route.transfer_to == read


@pytest.mark.parametrize("key", ["15125551234", "+15125551234", "1_512_555_1234", "'1 512 555 1234'", "${DID}"])
def test_a_number_is_found_however_the_file_has_it(write: Write, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("DID", "+1 512 555 1234")
    routes = Routes(write(f"dids:\n  {key}: {{user_id: ann}}\n"))
    assert routes.dids == [ANN]
    assert user(routes, "+1 (512) 555-1234") == user(routes, "15125551234") == "ann"


def test_routes_may_share_keys(write: Write) -> None:
    content = f"dids:\n  '{ANN}': &ann\n    user_id: ann\n    a: {{b: 1}}\n"
    routes = Routes(
        write(content + f"  '{BEN}':\n    <<: *ann\n    user_id: ben\n    a: {{c: 2}}\n  +33123456789: *ann\n")
    )
    ann, ben = routes.lookup_or_raise(ANN), routes.lookup_or_raise(BEN)
    assert (ann.user_id, ann.extra) == ("ann", {"a": {"b": 1}})
    assert (ben.user_id, ben.extra) == ("ben", {"a": {"c": 2}})
    assert routes.lookup("+33123456789") == ann


@pytest.mark.parametrize("content", ["", "server_port: 1", "dids:", "dids: {}", "dids: ~"])
def test_without_numbers_every_number_gets_the_default_route(write: Write, content: str) -> None:
    for routes in (Routes(write(content)), Routes()):
        assert routes.dids == []
        assert routes.lookup(ANN) == routes.lookup_or_raise("sip:desk@example.com") == Route()


@pytest.mark.parametrize("did", ["+15125559999", "5125559999", "", "sip:desk@example.com", "anonymous"])
def test_with_numbers_all_others_have_no_route(write: Write, did: str) -> None:
    routes = Routes(write(TWO))
    assert routes.dids == [ANN, BEN]
    assert routes.lookup(did) is None
    with pytest.raises(DIDNotFoundError) as raised:
        routes.lookup_or_raise(did)
    assert raised.value.did == did


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "dids:\n  +1 512 555 1234:\n  15125551234:\n",
            "line 3: '15125551234' is +15125551234, as is '+1 512 555 1234' in line 2: keep one",
        ),
        ("dids:\n  15125551234:\n\n  15125551234:\n", "line 4: '15125551234' stands in line 2 already: keep one"),
        ("dids:\n  front desk:\n", "line 2: 'front desk' is not a telephone number with its country code"),
        ("dids:\n  030 123456:\n", "line 2: '030 123456' is not a telephone number with its country code: write it "),
        ("country: USA\n", "line 1: country is 'USA': expected the two letters of ISO 3166, such as US, GB or DE"),
        ("country: de\ndids:\n  030 123456:\n  +4930123456:\n", "line 4: '+4930123456' is +4930123456, as is '030"),
        ("dids:\n  sip:a@b.c:\n  A@B.C:\n", "line 3: 'A@B.C' is sip:a@b.c, as is 'sip:a@b.c' in line 2: keep one"),
        ("dids:\n  512 555 1234:\n", "line 2: '512 555 1234' can be read in two ways"),
        ("dids:\n  +15125551234: ann\n", "line 2: expected `key: value` lines, came text"),
        ("dids:\n- +15125551234\n", "line 2: expected `key: value` lines, came a list"),
        ("dids:\n  +15125551234:\n    user_id: [a]\n", "line 3: expected text, came a list"),
        ("dids:\n  +15125551234:\n    user_id: ${NOWHERE}\n", "line 3: the environment variable NOWHERE is not"),
        ("dids:\n  +15125551234:\n    a:\n    - ${NOWHERE}\n", "line 4: the environment variable NOWHERE is not"),
        ("dids:\n  +15125551234:\n    since: 2024-13-45\n", "line 3: '2024-13-45' is not what its form or tag"),
        ("dids:\n  +15125551234:\n    a: b: c\n", "line 3: mapping values are not allowed"),
        (
            "dids:\n  +15125551234:\n    transfer_to: [desk]\n",
            "line 3: transfer_to is 'desk': expected a number",
        ),
        ("dids:\n  +15125551234:\n    transfer_to: ['*']\n", "line 3: transfer_to is '*': expected a number"),
        ("- a", "line 1: expected `key: value` lines, came a list"),
    ],
)
def test_a_mistake_is_named_with_its_line(write: Write, content: str, expected: str) -> None:
    assert problem(write(content)).startswith(f"voiceflow.yaml, {expected}")


DESKS = """\
dids:
  +12025550199: {user_id: us}
  +442079460018: {user_id: uk}
  +4533121212: {user_id: dk}
  sip:support@pbx.example: {user_id: support}
  desk: {user_id: desk}
  1001: {user_id: ext}
"""


@pytest.mark.parametrize(
    ("written", "user_id", "did"),
    [
        ("2025550199", "us", "+12025550199"),
        ("(202) 555-0199", "us", "+12025550199"),
        ("1 202 555 0199", "us", "+12025550199"),
        ("011 44 20 7946 0018", "uk", "+442079460018"),
        ("sip:2025550199@sip.carrier.example;user=phone", "us", "+12025550199"),
        ("020 7946 0018", "uk", "+442079460018"),
        ("33121212", "dk", "+4533121212"),
        ("4533121212", "dk", "+4533121212"),
        ("sip:support@pbx.example", "support", "sip:support@pbx.example"),
        ("SIP:Support@PBX.example:5060;transport=tls", "support", "sip:support@pbx.example"),
        ('"Help" <sip:support@pbx.example>;tag=1', "support", "sip:support@pbx.example"),
        ("support@pbx.example", "support", "sip:support@pbx.example"),
        ("support", "support", "support"),
        ("sip:desk@any.example", "desk", "sip:desk@any.example"),
        ("Desk", "desk", "desk"),
        ("1001", "ext", "1001"),
        ("sip:1001@pbx.example", "ext", "sip:1001@pbx.example"),
    ],
)
def test_the_one_configured_number_that_fits_is_found(write: Write, written: str, user_id: str, did: str) -> None:
    found = Routes(write(DESKS)).find(written)
    assert (found.route.user_id, found.did) == (user_id, did)


@pytest.mark.parametrize(
    "written",
    ["2025550198", "sip:support@other.example", "sip:12@pbx.example", "1002", "sip:support.desk@x.example", ""],
)
def test_what_fits_no_configured_number_has_no_route(write: Write, written: str) -> None:
    assert Routes(write(DESKS)).lookup(written) is None


def test_what_fits_two_numbers_has_no_route_unless_the_country_tells_them_apart(write: Write) -> None:
    two = "dids:\n  +12124567890: {user_id: us}\n  +4930123456: {user_id: de}\n  +49212456789: {user_id: no}\n"
    both = two + "  +2124567890: {user_id: ma}\n"
    assert Routes(write(both)).lookup("212 456 7890") is None
    assert Routes(write(f"country: US\n{both}")).lookup_or_raise("212 456 7890").user_id == "us"


def test_national_numbers_are_those_of_the_configured_country(write: Write) -> None:
    routes = Routes(write("country: de\ndids:\n  030 123456: {user_id: ann, transfer_to: 030 123457}\n"))
    assert routes.dids == ["+4930123456"]
    assert routes.lookup_or_raise("(030) 12 34 56").transfer_to == ("+4930123457",)
    assert routes.caller("0171 2345678", "+4930123456") == "+491712345678"


def test_without_routes_the_called_number_has_its_one_form_too(write: Write) -> None:
    assert Routes().find("1 (202) 555-0199").did == "+12025550199"
    assert Routes(write("country: US\n")).find("202 555 0199").did == "+12025550199"
    assert Routes().find("").did == ""


def test_a_refusal_says_what_was_looked_up(write: Write) -> None:
    for content, did, expected in (
        (
            "country: US\n" + DESKS,
            "202 555 0198",
            "no route for the number '202 555 0198', looked up as '+12025550198':",
        ),
        (DESKS, "SIP:Sales@PBX.example;x=1", "no route for the number 'SIP:Sales@PBX.example;x=1', looked up as 'sip:"),
        (DESKS, "+12025550198", "no route for the number +12025550198: add it under `dids`"),
    ):
        with pytest.raises(DIDNotFoundError) as raised:
            Routes(write(content)).find(did)
        assert str(raised.value).startswith(expected)


def test_a_file_that_cannot_be_read_is_one_line(write: Write) -> None:
    assert problem(Path("nowhere.yaml")) == "cannot read nowhere.yaml: No such file or directory"


def test_other_parts_of_the_file_do_not_matter(write: Write) -> None:
    assert user(Routes(write("server_port: ${NOWHERE}\nwhatever: [1]\n" + TWO.replace("server_port: 1", "")))) == "ann"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("sytem_prompt", "system_prompt"),
        ("system", "system_prompt"),
        ("prompt", "system_prompt"),
        ("System-Prompt", "system_prompt"),
        ("promt", "system_prompt"),
        ("voice", "tts_voice"),
        ("Voice", "tts_voice"),
        ("tts", "tts_voice"),
        ("model", "llm_model"),
        ("llm", "llm_model"),
        ("name", "display_name"),
        ("user", "user_id"),
        ("userid", "user_id"),
    ],
)
def test_a_key_that_is_almost_one_of_ours_is_reported_with_it(
    write: Write, caplog: pytest.LogCaptureFixture, key: str, meant: str
) -> None:
    routes = Routes(write(f"dids:\n  '{ANN}':\n    {key}: hello\n"))
    assert routes.lookup_or_raise(ANN).extra == {key: "hello"}
    expected = f"voiceflow.yaml, line 3: {key} is kept in `extra`, did you mean {meant}?"
    assert caplog.record_tuples == [("voiceflow.config", logging.WARNING, expected)]


@pytest.mark.parametrize("key", ["limit", "hours", "days", "unlike", "greeting", "timezone", "crm_key", "temperature"])
def test_a_key_of_ones_own_is_not_reported(write: Write, caplog: pytest.LogCaptureFixture, key: str) -> None:
    assert Routes(write(f"dids:\n  '{ANN}': {{{key}: hello}}\n")).lookup_or_raise(ANN).extra == {key: "hello"}
    assert not caplog.records


def test_a_mistake_that_routes_share_is_reported_once_and_not_again_after_a_change(
    write: Write, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    shared = f"dids:\n  '{ANN}': &ann\n    voice: x\n  '{BEN}':\n    <<: *ann\n"
    routes = Routes(write(shared))
    write(f"{shared}    user: ben\n")
    clock.settle(routes)
    assert [record.getMessage().partition(" is kept")[0] for record in caplog.records] == [
        "voiceflow.yaml, line 3: voice",
        "voiceflow.yaml, line 6: user",
    ]


# -- while the file changes


def test_a_change_is_seen_once_the_file_has_not_changed_for_a_second(write: Write, clock: Clock) -> None:
    routes = Routes(write(TWO))
    write(TWO.replace("ann", "anna"))
    clock.now += CHECK_EVERY * 0.99
    assert user(routes) == "ann"
    clock.now += CHECK_EVERY * 0.01
    assert user(routes) == "ann"
    clock.now += CHECK_EVERY * 0.99
    assert user(routes) == "ann"
    clock.now += CHECK_EVERY * 0.01
    assert user(routes) == "anna"
    write(TWO.replace("ann", "annabel"))
    clock.later()
    assert user(routes) == "anna"
    write(TWO.replace("ann", "anabella"))
    clock.later()
    assert user(routes) == "anna"
    clock.later()
    assert user(routes) == "anabella"
    write(TWO)
    clock.settle(routes)
    assert user(routes) == "ann"


def test_a_change_long_before_is_seen_by_the_first_lookup(write: Write, clock: Clock) -> None:
    routes = Routes(file := write(TWO))
    write(TWO.replace("ann", "anna"))
    clock.now, clock.wall = 3700, file.stat().st_ctime + 3600
    assert user(routes) == "anna"
    write(TWO.replace("ann", "annabel"))
    clock.now, clock.wall = 7300, file.stat().st_ctime + CHECK_EVERY / 2
    assert user(routes) == "anna"


def test_a_change_of_the_same_length_is_seen_by_its_time_or_its_new_file(write: Write, clock: Clock) -> None:
    file = write(TWO)
    routes, stat = Routes(file), file.stat()
    write(TWO.replace("ann", "eve"))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    clock.settle(routes)
    assert user(routes) == "eve"
    new = Path("new.yaml")
    new.write_text(TWO.replace("ann", "zoe"))
    os.utime(new, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    new.replace(file)
    clock.settle(routes)
    assert user(routes) == "zoe"


def test_numbers_come_and_go(write: Write, clock: Clock) -> None:
    routes = Routes(write(TWO))
    write("dids:\n  '+33123456789':\n")
    clock.settle(routes)
    assert routes.dids == ["+33123456789"]
    assert routes.lookup(ANN) is None


def test_numbers_may_be_the_first_ones_and_from_then_on_all_others_are_refused(write: Write, clock: Clock) -> None:
    routes = Routes(write(""))
    assert routes.lookup(BEN) == Route()
    write("dids:\n  '+33123456789':\n")
    clock.settle(routes)
    assert routes.lookup(BEN) is None


@pytest.mark.parametrize("content", ["", "server_port: 1\n", "dids:\n", "dids: {}\n", "did:\n  '+33123456789':\n"])
def test_a_reload_that_loses_all_numbers_keeps_the_old_ones_and_warns_once(
    write: Write, clock: Clock, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    routes = Routes(write(TWO))
    write(content)
    for _ in range(4):
        clock.later()
        assert user(routes) == "ann"
        assert routes.lookup("+33123456789") is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "voiceflow.yaml has no numbers under `dids` any more: the routes stay as they were" in record.getMessage()
    write(TWO.replace("ann", "anna"))
    clock.settle(routes)
    assert user(routes) == "anna"


def test_a_file_that_is_truncated_and_then_written_is_never_read_in_between(write: Write, clock: Clock) -> None:
    routes = Routes(write(TWO))
    new = TWO.replace("ann", "anna")
    for end in range(0, len(new), 7):
        write(new[:end])
        clock.later()
        assert (user(routes), user(routes, BEN)) == ("ann", "ben")
        assert routes.lookup("+33123456789") is None
    write(new)
    clock.settle(routes)
    assert (user(routes), user(routes, BEN)) == ("anna", "ben")


def test_a_file_that_changes_while_it_is_read_is_read_again(
    write: Write, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = Routes(write(TWO))
    write(TWO.replace("ann", "anna")[:-20])
    clock.later()
    assert user(routes) == "ann"
    read = Path.read_bytes

    def overtaken(file: Path) -> bytes:
        content = read(file)
        write(TWO.replace("ann", "annabel"))
        return content

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", overtaken)
        clock.later()
        assert (user(routes), user(routes, BEN)) == ("ann", "ben")
    clock.settle(routes)
    assert (user(routes), user(routes, BEN)) == ("annabel", "ben")


def test_routes_that_are_closed_refuse_all_numbers_while_none_has_a_route(write: Write, clock: Clock) -> None:
    routes = Routes(write("server_port: 1\n"))
    routes.close()
    assert routes.lookup(ANN) is None
    write(TWO)
    clock.settle(routes)
    assert (user(routes), routes.lookup("+33123456789")) == ("ann", None)


def test_a_broken_file_keeps_the_routes_and_says_once_which_line_is_wrong(
    write: Write, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    routes = Routes(write(TWO))
    write(TWO.replace("user_id: ben", "user_id: [ben]"))
    for _ in range(4):
        clock.later()
        assert user(routes) == "ann"
        assert user(routes, BEN) == "ben"
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    expected = "voiceflow.yaml, line 6: expected text, came a list. The routes stay as they were"
    assert record.getMessage() == expected
    write(TWO.replace("ann", "anna"))
    clock.settle(routes)
    assert user(routes) == "anna"


def test_a_file_that_vanishes_and_returns_is_read_again(
    write: Write, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    routes = Routes(file := write(TWO))
    file.unlink()
    for _ in range(4):
        clock.later()
        assert user(routes) == "ann"
    (record,) = caplog.records
    assert "cannot read voiceflow.yaml: No such file or directory" in record.getMessage()
    write(TWO.replace("ann", "anna"))
    clock.settle(routes)
    assert user(routes) == "anna"


def test_reload_reads_at_once_and_says_what_is_wrong(write: Write, clock: Clock) -> None:
    routes = Routes(write(TWO))
    write(TWO.replace("ann", "anna"))
    routes.reload()
    assert user(routes) == "anna"
    write("dids: [")
    with pytest.raises(DIDConfigError, match=r"^voiceflow\.yaml, line \d"):
        routes.reload()
    assert user(routes) == "anna"
    Routes().reload()


# -- anything else

PIECES = (
    *("dids", "user_id", "extra", "x", "+15125551234", "1 512 555 1234", "15125551234", "442079460018", "'"),
    *(": ", ":", "\n", "\n  ", "\n    ", "\n      ", "- ", "? ", "{", "}", "[", "]", ", ", "#", '"', "|\n", ">-\n"),
    *("&a ", "*a", "<<: ", "!!int ", "!!bool ", "!!binary ", "!!timestamp ", "!!set ", "!!omap ", "!x ", "!!str "),
    *("${HOME}", "${", "$${", "~", "0", "2024-13-45", "2024-02-01", "1e999", ".nan", "9" * 30, "1:2", "0x", "0b", "no"),
    *("\t", "\0", "\u2028", "\\ud800", "\\", "=", "é", "---\n"),
)
pieces = st.lists(st.sampled_from(PIECES)).map("".join)
contents = st.one_of(
    st.binary(),
    pieces.map(str.encode),
    pieces.map(lambda text: f"dids:\n  {text}".encode()),
    pieces.map(lambda text: f"dids:\n  +15125551234:\n    user_id: u\n    x: {text}".encode()),
)


@settings(max_examples=500, deadline=None)
@given(contents)
@example(b"dids: &a\n  <<: *a")
@example(b"dids:\n  +15125551234: &a\n    x: *a")
@example(b'dids:\n  +15125551234:\n    x: "\\ud800"')
@example(b"dids:\n  +15125551234:\n    x: " + b"9" * 5000)
def test_any_content_gives_routes_or_one_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    told = f"{file}, line 1: "
    try:
        routes = Routes(file)
    except DIDConfigError as error:
        told = str(error)
    else:
        assert isinstance(routes.lookup(ANN), Route | None)
        msgspec.json.encode([routes.lookup(did) for did in routes.dids])
    assert re.match(rf"{re.escape(str(file))}, line [1-9]\d*: ", told)
