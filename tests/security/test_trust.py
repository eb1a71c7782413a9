"""Trust: who needs no credentials, and what nobody gets it by."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.errors import ConfigError
from voiceflow.security.secret_file import published, secret_for
from voiceflow.security.trust import Trust, secret_of

SECRET = secret_of(b"key")


def scope(*headers: tuple[str, str], host: str = "localhost:8000", peer: str = "127.0.0.1") -> Any:
    named = [("host", host), *headers]
    return {"type": "http", "client": (peer, 5000), "headers": [(k.encode(), v.encode("latin-1")) for k, v in named]}


def trust(*origins: str, exposed: bool = False, open: bool = False) -> Trust:
    return Trust(SECRET, exposed=exposed, open=open, origins=origins)


def bearer(secret: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {secret}")


def cookie(secret: str) -> tuple[str, str]:
    return ("Cookie", f"a=b; {trust().cookie}={secret}; c=d")


# A server that is for this machine alone


def test_the_user_of_this_machine_is_trusted() -> None:
    assert trust().trusts(scope())
    assert not trust().trusts(scope(peer="192.168.1.5"))
    assert not trust().trusts(scope(("Via", "1.1 proxy")))


# A server that others may reach


def test_nothing_that_a_client_can_choose_makes_it_local() -> None:
    for host in ("localhost", "127.0.0.1:8000", "[::1]", "calls.example.com"):
        assert not trust(exposed=True).trusts(scope(host=host))


@pytest.mark.parametrize("show", [bearer, cookie])
def test_the_secret_of_the_run_is_trusted(show: Any) -> None:
    assert trust(exposed=True).trusts(scope(show(SECRET), host="calls.example.com", peer="203.0.113.9"))
    assert trust(exposed=True).is_operators(scope(show(SECRET)))


@pytest.mark.parametrize("show", [bearer, cookie])
@pytest.mark.parametrize(
    "secret", ["", "x", SECRET[:-1], f"{SECRET}x", SECRET.swapcase(), secret_of(b"another run"), "é"]
)
def test_any_other_is_not(show: Any, secret: str) -> None:
    assert not trust(exposed=True).trusts(scope(show(secret)))


def test_the_cookie_of_another_server_on_this_machine_is_another() -> None:
    assert Trust(secret_of(b"another run"), exposed=True, open=False).cookie != trust().cookie


# Whatever they show: which page of a browser it is


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("LOCALHOST:8000", "http://localhost:8000"),
        ("calls.example.com", "https://calls.example.com"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
@pytest.mark.parametrize("open", [True, False])
def test_a_page_of_this_server_may_call(host: str, origin: str, open: bool) -> None:
    request = scope(("Origin", origin), bearer(SECRET), host=host)
    assert trust(exposed=True, open=open).trusts(request)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:5173",
        "http://localhost",
        "http://127.0.0.1:8000",
        "http://localhost:8000.evil.example",
        "http://localhost:8000@evil.example",
        "null",
        "",
        "file://",
        "chrome-extension://abc",
    ],
)
@pytest.mark.parametrize("open", [True, False])
def test_a_page_of_elsewhere_may_not_whoever_visits_it(origin: str, open: bool) -> None:
    for exposed in (True, False):
        for shown in ([], [bearer(SECRET)], [cookie(SECRET)]):
            assert not trust(exposed=exposed, open=open).trusts(scope(("Origin", origin), *shown))


@pytest.mark.parametrize("open", [True, False])
def test_a_page_that_came_without_tls_is_none_of_a_server_that_is_reached_by_tls(open: bool) -> None:
    public = Trust(SECRET, exposed=True, open=open, address=lambda: "wss://calls.example.com/sip/media-stream")

    def trusts(origin: str, host: str, **more: str) -> bool:
        return public.trusts({**scope(("Origin", origin), bearer(SECRET), host=host), **more})

    assert trusts("https://calls.example.com", "calls.example.com")
    assert not trusts("http://calls.example.com", "calls.example.com")
    assert not trusts("HTTP://CALLS.example.com", "Calls.Example.com")
    assert not trusts("http://own.example", "own.example", scheme="https")
    assert not trusts("http://own.example", "own.example", scheme="wss")
    assert trusts("http://127.0.0.1:8000", "127.0.0.1:8000", scheme="http")  # from this machine, past the proxy


def test_pages_that_the_configuration_allows_may() -> None:
    request = scope(("Origin", "https://example.com"))
    assert trust("https://example.com").trusts(request)
    assert trust("*").trusts(request)
    assert not trust("https://example.com", exposed=True).trusts(request)
    assert not trust("https://example.org").trusts(request)


def test_a_request_with_two_origins_needs_both_to_be_allowed() -> None:
    origins = (("Origin", "http://localhost:8000"), ("Origin", "https://evil.example"))
    assert not trust(open=True).trusts(scope(*origins))


garbage = st.binary(max_size=30)


@given(st.lists(st.tuples(st.sampled_from([b"authorization", b"cookie", b"origin", b"host"]) | garbage, garbage)))
def test_any_headers_get_an_answer(headers: list[tuple[bytes, bytes]]) -> None:
    assert not trust(exposed=True).trusts({"headers": headers, "client": ("127.0.0.1", 1)})


# The file by which commands learn the secret


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "voiceflow"


def test_commands_find_the_secret_while_the_server_runs(folder: Path) -> None:
    with published(SECRET, 8000):
        assert secret_for("localhost", 8000) == SECRET
        assert secret_for("localhost", 8001) is None
        (file,) = folder.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert secret_for("localhost", 8000) is None
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("::1", None), ("203.0.113.9", False), ("a..b", False)]
)
def test_the_secret_is_shown_to_this_machine_alone(folder: Path, host: str, here: bool | None) -> None:
    with published(SECRET, 8000):
        shown = secret_for(host, 8000)
        assert shown == (SECRET if here else None) or here is None  # IPv6 may be missing


def test_what_a_server_that_was_killed_has_left_is_replaced(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "8000.secret").write_text("old")
    with published(SECRET, 8000):
        assert secret_for("localhost", 8000) == SECRET


def test_a_server_that_ends_leaves_the_file_of_the_one_that_has_its_port(folder: Path) -> None:
    with published("first", 8000):
        with published("second", 8000):
            pass
        with published("third", 8000):
            file = folder / "8000.secret"
            assert file.read_text() == "third"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_no_secret(folder: Path, mode: int) -> None:
    with published(SECRET, 8000):
        (folder / "8000.secret").chmod(mode)
        assert secret_for("localhost", 8000) is None


def test_a_folder_that_others_can_write_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match="XDG_RUNTIME_DIR"), published(SECRET, 8000):
        pass


def test_a_link_in_place_of_the_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(mode=0o700)
    target = tmp_path / "target"
    target.write_text("untouched")
    (folder / "8000.secret").symlink_to(target)
    assert secret_for("localhost", 8000) is None
    with published(SECRET, 8000):
        assert target.read_text() == "untouched"
