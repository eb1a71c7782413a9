"""`.tunnel-config`: which tunnel it names, and how its mistakes are told."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.errors import ConfigError
from voiceflow.tunnel.named import LARGEST, Named, find_named, missing_files, read_named

ID = "6ff42ae2-765d-4adf-8112-31c55c1551ef"
GOOD = f"""\
# the tunnel of the office

TUNNEL_NAME=voice
TUNNEL_ID={ID}
TUNNEL_URL=https://voice.example.com
"""
MEDIA = "wss://voice.example.com/sip/media-stream"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".tunnel-config"


def refuse(warning: str) -> None:
    raise AssertionError(warning)


def read(file: Path, text: str | bytes) -> Named:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_named(file, refuse)


def test_it_names_a_tunnel_and_its_address(file: Path) -> None:
    assert read(file, GOOD) == Named(ID, MEDIA, file)


@pytest.mark.parametrize(
    "text",
    [
        "TUNNEL_NAME=voice\nTUNNEL_URL=https://voice.example.com",
        "TUNNEL_NAME = voice\r\nTUNNEL_URL = https://voice.example.com/\r\n",
        "\ufeffexport TUNNEL_NAME='voice'\nTUNNEL_URL=\"https://voice.example.com\" # the office's\n",
        "TUNNEL_ID=\nTUNNEL_NAME=voice # by name\n  TUNNEL_URL=https://voice.example.com/sip/media-stream\n",
    ],
)
def test_it_may_be_written_in_other_ways(file: Path, text: str) -> None:
    assert read(file, text) == Named("voice", MEDIA, file)


def test_a_prefix_of_the_address_is_kept(file: Path) -> None:
    text = "TUNNEL_NAME=voice\nTUNNEL_URL=https://example.com/voice/sip/media-stream\n"
    assert read(file, text).address == "wss://example.com/voice/sip/media-stream"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("# x\nTUNNEL_NAME voice\n", 2, "expected KEY=VALUE or # a comment, came 'TUNNEL_NAME voice'"),
        ("=voice\n", 1, "expected KEY=VALUE"),
        ("TUNNEL NAME=voice\n", 1, "expected KEY=VALUE"),
        ("\n\nTUNNEL_NAME=--token\n", 3, "TUNNEL_NAME is '--token': expected a name without blanks and no - before it"),
        ("TUNNEL_NAME=my voice\n", 1, "TUNNEL_NAME is 'my voice': expected a name without blanks"),
        ("TUNNEL_NAME=a\nTUNNEL_ID=12\n", 2, "TUNNEL_ID is '12': expected a UUID"),
        ("TUNNEL_NAME=a\nTUNNEL_NAME=b\n", 2, "TUNNEL_NAME stands at"),
        ("TUNNEL_NAME='voice\n", 1, "expected the value to end with the quote '"),
        ("TUNNEL_NAME='voice' or so\n", 1, "expected the value to end with the quote '"),
        (b"TUNNEL_NAME=a\nTUNNEL_URL=\xff\n", 2, "expected text in UTF-8, came the byte 0xff"),
        *(
            (f"TUNNEL_NAME=a\nTUNNEL_URL={url}\n", 2, f"TUNNEL_URL is {url!r}: expected https://")
            for url in (
                "voice.example.com",
                "http://voice.example.com",
                "http://localhost:8000",
                "https://",
                "https://user@example.com",
                "https://example.com?x=1",
                "https://example.com/page",
                "https://a b",
                "https://[::1",
            )
        ),
    ],
)
def test_a_mistake_is_told_with_file_and_line(file: Path, text: str | bytes, line: int, said: str) -> None:
    if isinstance(text, str) and "TUNNEL_URL" not in text:
        text += "TUNNEL_URL=https://voice.example.com\n"
    with pytest.raises(ConfigError) as caught:
        read(file, text)
    assert str(caught.value).startswith(f"{file}, line {line}: {said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected TUNNEL_NAME or TUNNEL_ID and TUNNEL_URL"),
        ("# TUNNEL_NAME=a\n", "expected TUNNEL_NAME or TUNNEL_ID and TUNNEL_URL"),
        ("TUNNEL_URL=https://a.example.com\n", "expected TUNNEL_NAME or TUNNEL_ID. For a quick tunnel remove the file"),
        ("TUNNEL_NAME=a\nTUNNEL_URL=\n", "expected TUNNEL_URL (https://HOST"),
        ("#" * (LARGEST + 1), "has more than"),
    ],
)
def test_what_is_missing_is_told_with_the_file(file: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(file, text)
    assert str(file) in str(caught.value)
    assert said in str(caught.value)


def test_an_unknown_key_is_a_warning(file: Path) -> None:
    file.write_text(f"{GOOD}TUNNEL_URI=x\nCREATED=yesterday\n")
    warnings: list[str] = []
    assert read_named(file, warnings.append).tunnel == ID
    assert warnings == [
        f"{file}, line 6: TUNNEL_URI is unknown and ignored, did you mean TUNNEL_URL?",
        f"{file}, line 7: CREATED is unknown and ignored, known here: TUNNEL_NAME, TUNNEL_ID, TUNNEL_URL",
    ]


def test_the_one_beside_the_pipeline_counts_before_that_in_the_working_folder(tmp_path: Path) -> None:
    beside, working = tmp_path / "beside", tmp_path / "working"
    beside.mkdir()
    working.mkdir()
    assert find_named((beside, working), refuse) is None
    (working / ".tunnel-config").write_text(GOOD)
    assert find_named((beside, working), refuse) == Named(ID, MEDIA, working / ".tunnel-config")
    (beside / ".tunnel-config").write_text(GOOD.replace(ID, ""))
    assert find_named((beside, working), refuse) == Named("voice", MEDIA, beside / ".tunnel-config")


def test_what_is_no_file_is_not_passed_over(file: Path) -> None:
    file.mkdir()
    with pytest.raises(ConfigError, match="it is no file"):
        find_named((file.parent,), refuse)
    file.rmdir()
    file.symlink_to("nowhere")
    with pytest.raises(ConfigError, match="it is no file"):
        find_named((file.parent,), refuse)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(ConfigError, match="it is no file"):
        find_named((file.parent,), refuse)


@given(st.binary(max_size=200))
def test_whatever_is_in_it_is_named_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(data)
    with contextlib.suppress(ConfigError):
        assert read_named(file, lambda warning: None).address.startswith("wss://")


def test_a_credentials_file_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".cloudflared").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    by_id, by_name = (Named(tunnel, MEDIA, tmp_path) for tunnel in (ID, "voice"))
    credentials, certificate = home / ".cloudflared" / f"{ID}.json", home / ".cloudflared" / "cert.pem"
    assert missing_files(by_id) == str(credentials)
    assert missing_files(by_name) == str(certificate)
    credentials.write_text("{}")
    assert missing_files(by_id) is None
    assert missing_files(by_name) == str(certificate)
    certificate.write_text("")
    assert missing_files(by_name) is None
    credentials.unlink()
    monkeypatch.setenv("TUNNEL_CRED_FILE", str(tmp_path / "own.json"))
    assert missing_files(by_id) == str(tmp_path / "own.json")
    (tmp_path / "own.json").write_text("{}")
    assert missing_files(by_id) is None
