"""Stream tokens: only ours, only in time, only once, on whichever worker."""

from __future__ import annotations

import os
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voiceflow.errors import CallRejectedError, ConfigError
from voiceflow.security.tokens import LIFETIME, LONGEST, TOLERANCE, VARIABLE, Claims, StreamTokens, run_key

CLAIMS = Claims("telnyx", "v3:S_AwERIkXuL9vqBSvluFUDxUdIQRk4R_gz6OPajNQNrlcX2ReJ2nzw", "+15550100", "+15550199", "PCMU")
WORKER = """
import sys
from voiceflow.errors import CallRejectedError
from voiceflow.security.tokens import StreamTokens, run_key

with run_key() as key:
    print("ready", flush=True)
    token = sys.stdin.readline().strip()
    try:
        print(StreamTokens(key).redeem(token).call_id)
    except CallRejectedError as error:
        print(error)
"""


class Clock:
    def __init__(self) -> None:
        self.now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def key() -> Iterator[bytes]:
    with run_key() as key:
        yield key


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(key: bytes, clock: Clock) -> StreamTokens:
    return StreamTokens(key, clock=clock)


numbers = st.text(max_size=40)
claims = st.builds(
    Claims, provider=st.text(max_size=10), call_id=numbers, caller_id=numbers, did=numbers, codec=numbers
)


@given(claims)
def test_a_token_says_what_it_was_issued_for(key: bytes, claims: Claims) -> None:
    tokens = StreamTokens(key)
    try:
        token = tokens.issue(claims)
    except CallRejectedError:
        return  # too long: see below
    assert tokens.redeem(token) == claims


@given(claims)
def test_a_token_needs_no_escaping_and_fits_a_carriers_parameter(key: bytes, claims: Claims) -> None:
    try:
        token = StreamTokens(key).issue(claims)
    except CallRejectedError:
        return
    assert set(token) <= set(string.ascii_letters + string.digits + "-_.")
    assert len(token) <= LONGEST


def test_numbers_that_are_too_long_for_a_token_are_refused(tokens: StreamTokens) -> None:
    with pytest.raises(CallRejectedError, match=r"numbers \(400 and 9\) are too long"):
        tokens.issue(Claims("twilio", "CA1", "sip:" + "a" * 396, "+15550199", "PCMU"))


def test_a_token_is_good_for_its_whole_lifetime(tokens: StreamTokens, clock: Clock) -> None:
    token = tokens.issue(CLAIMS)
    clock.now += LIFETIME
    assert tokens.redeem(token) == CLAIMS


def test_an_expired_token_is_refused(tokens: StreamTokens, clock: Clock) -> None:
    token = tokens.issue(CLAIMS)
    clock.now += LIFETIME + TOLERANCE + 1
    with pytest.raises(CallRejectedError, match="expired 6 s ago"):
        tokens.redeem(token)


@pytest.mark.parametrize("set_by", [-TOLERANCE, 0.5, LIFETIME + TOLERANCE - 1])
def test_a_clock_that_is_set_a_little_between_does_no_harm(tokens: StreamTokens, clock: Clock, set_by: float) -> None:
    token = tokens.issue(CLAIMS)
    clock.now += set_by
    assert tokens.redeem(token) == CLAIMS


def test_a_token_from_the_future_is_refused(tokens: StreamTokens, clock: Clock) -> None:
    token = tokens.issue(CLAIMS)
    clock.now -= TOLERANCE + 1
    with pytest.raises(CallRejectedError, match="6 s from now: this machine's clock was set back"):
        tokens.redeem(token)


def test_a_token_is_used_once(tokens: StreamTokens) -> None:
    token = tokens.issue(CLAIMS)
    tokens.redeem(token)
    with pytest.raises(CallRejectedError, match="used before"):
        tokens.redeem(token)


def test_a_refused_token_is_still_good(tokens: StreamTokens) -> None:
    token = tokens.issue(CLAIMS)
    with pytest.raises(CallRejectedError):
        tokens.redeem(token + "x")
    assert tokens.redeem(token) == CLAIMS


@given(st.integers(min_value=0), st.integers(0, 6))
def test_a_token_with_one_bit_changed_is_refused(key: bytes, place: int, bit: int) -> None:
    tokens = StreamTokens(key)
    changed = bytearray(tokens.issue(CLAIMS).encode())
    changed[place % len(changed)] ^= 1 << bit
    with pytest.raises(CallRejectedError, match="not one that this server"):
        tokens.redeem(changed.decode())


anything = st.text(st.characters(codec=None), max_size=600)


@given(anything | st.tuples(anything, anything).map(".".join) | st.from_regex(r"[\w-]*\.[\w-]{43}", fullmatch=True))
@example("\ud800").via("JSON can spell lone surrogates")
@example("\udfff." + "A" * 43).via("JSON can spell lone surrogates")
def test_any_text_is_refused_and_not_repeated(key: bytes, text: str) -> None:
    with pytest.raises(CallRejectedError) as refusal:
        StreamTokens(key).redeem(text)
    assert len(text) < 10 or text not in str(refusal.value)


def test_refusals_do_not_contain_the_token(tokens: StreamTokens, clock: Clock) -> None:
    token = tokens.issue(CLAIMS)
    tokens.redeem(token)
    for _ in range(2):  # used, then also expired
        with pytest.raises(CallRejectedError) as refusal:
            tokens.redeem(token)
        assert not any(part in str(refusal.value) for part in token.split("."))
        clock.now += LIFETIME + TOLERANCE + 1


def test_a_token_of_another_run_is_refused(tokens: StreamTokens) -> None:
    with pytest.raises(CallRejectedError, match="not one that this server"):
        StreamTokens(b"another key").redeem(tokens.issue(CLAIMS))


def test_of_many_workers_one_may_redeem_a_token(key: bytes) -> None:
    """Real processes that inherit the key and are given the token at the same time."""
    token = StreamTokens(key).issue(CLAIMS)
    command = [sys.executable, "-c", WORKER]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(token + "\n")
        worker.stdin.flush()
    said = sorted(worker.communicate(timeout=60)[0].strip() for worker in workers)
    assert [line for line in said if "used before" not in line] == [CLAIMS.call_id]
    assert len(said) == 4


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, empty."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def test_where_uses_cannot_be_noted_no_token_is_issued_or_redeemed(temporary: Path) -> None:
    token = StreamTokens(b"key").issue(CLAIMS)
    (folder,) = temporary.iterdir()
    folder.chmod(0o755)
    with pytest.raises(CallRejectedError, match=r"no stream token can be issued: .* is open to others"):
        StreamTokens(b"key").issue(CLAIMS)
    with pytest.raises(CallRejectedError, match=r"cannot be marked as used: .* is open to others"):
        StreamTokens(b"key").redeem(token)


def test_a_process_with_another_folder_of_marks_refuses_the_token(
    temporary: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another machine with the same keys: whether the token was used there, nobody knows."""
    token = StreamTokens(b"key").issue(CLAIMS)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("elsewhere")))
        with pytest.raises(CallRejectedError, match="issued on another machine"):
            StreamTokens(b"key").redeem(token)
    assert StreamTokens(b"key").redeem(token) == CLAIMS


def test_tokens_of_previous_keys_are_good_once_and_the_first_key_signs(temporary: Path) -> None:
    token = StreamTokens(b"old").issue(CLAIMS)
    assert StreamTokens(b"new", b"old").redeem(token) == CLAIMS
    for keys in ([b"old"], [b"new", b"old"], [b"newer", b"new", b"old"]):
        with pytest.raises(CallRejectedError, match="used before"):
            StreamTokens(*keys).redeem(token)
    token = StreamTokens(b"new", b"old").issue(CLAIMS)
    for keys in ([b"old"], [b"newer"]):
        with pytest.raises(CallRejectedError, match="not one that this server"):
            StreamTokens(*keys).redeem(token)
    assert StreamTokens(b"new").redeem(token) == CLAIMS


def test_a_request_gets_one_token_also_where_the_keys_have_changed(temporary: Path) -> None:
    first = StreamTokens(b"old").issue(CLAIMS, b"request")
    assert StreamTokens(b"old").issue(CLAIMS, b"request") == first
    assert StreamTokens(b"new", b"old").issue(CLAIMS, b"request") == first
    others = {StreamTokens(b"old").issue(CLAIMS, other) for other in (b"another", b"", None)}
    others.add(StreamTokens(b"old").issue(Claims("twilio", "CA1", "", "", ""), b"request"))  # of another carrier
    assert len(others | {first}) == 5


def test_a_token_cannot_pass_for_one_of_another_key(tokens: StreamTokens, key: bytes) -> None:
    _, payload, tag = tokens.issue(CLAIMS).split(".")
    for name in ("", "x", StreamTokens(b"other").issue(CLAIMS).partition(".")[0]):
        with pytest.raises(CallRejectedError, match="not one that this server"):
            StreamTokens(key, b"other").redeem(f"{name}.{payload}.{tag}")


def test_the_key_is_gone_after_the_run(temporary: Path) -> None:
    with run_key() as first:
        with run_key() as again:
            assert again == first
        assert VARIABLE in os.environ
    assert VARIABLE not in os.environ
    assert list(temporary.iterdir()) == []
    with run_key() as second:
        assert second != first


@pytest.mark.parametrize("set_to", ["secret", "0" * 63, "0" * 65, "0" * 64 + "\n", "z" * 64])
def test_a_key_that_no_run_has_made_is_not_inherited(set_to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, set_to)
    with pytest.raises(ConfigError, match=r"VOICEFLOW_RUN_KEY is set, .* unset it") as error, run_key():
        pass
    assert set_to not in str(error.value)


def test_a_run_that_can_note_nothing_does_not_begin(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary / "there is no such folder"))
    with pytest.raises(ConfigError, match="Set TMPDIR"), run_key():
        pass
