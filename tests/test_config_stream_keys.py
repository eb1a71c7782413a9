"""`stream_keys`: keys for stream tokens that can be guessed are refused, and none is ever shown."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.config.settings import Config, load_config
from voiceflow.config.stream_keys import SHORTEST, StreamKey
from voiceflow.errors import ConfigError

NEW, OLD = "p0/Pp5Sq3FZGh1n3U1yYxzFRbvu5g7F4qkP6G0ZqQ4c=", "1b9c7a60d2f84e35a1c0f7d94be8236f"


def read(tmp_path: Path, content: str) -> Config:
    file = tmp_path / "voiceflow.yaml"
    file.write_text(content)
    return load_config(file)


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ("server_port: 1\n", []),
        ("stream_keys:\n", []),
        ("stream_keys: []\n", []),
        ("stream_keys: ['', ' ']\n", []),
        (f"stream_keys: {NEW}\n", [NEW]),
        (f"stream_keys: ['{NEW}', {OLD}]\n", [NEW, OLD]),
        (f"stream_keys: ['${{NEW_KEY}}', '{OLD}', '${{NO_KEY}}']\n", [NEW, OLD]),
    ],
)
def test_the_keys_are_one_or_a_list_in_their_order(
    tmp_path: Path, content: str, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW_KEY", f" {NEW}\n")
    monkeypatch.setenv("NO_KEY", "")
    assert [key.text for key in read(tmp_path, content).stream_keys] == keys


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("hunter2", "expected 32 characters or more, came 7"),
        (NEW[: SHORTEST - 1], "came 31"),
        ("a" * 64, "pattern"),
        ("0" * 63 + "1", "pattern"),
        ("password" * 4, "pattern"),
        ("1234567890" * 3 + "12", "pattern"),
        ("abcdefghijklmnopqrstuvwxyz0123456789", "pattern"),
        ("zyxwvutsrqponmlkjihgfedcbazyxwvutsrqponm", "pattern"),
    ],
)
def test_a_key_that_can_be_guessed_is_refused_and_not_shown(tmp_path: Path, key: str, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"voiceflow.yaml, line 2: key 2 of stream_keys: .*{why}") as refusal:
        read(tmp_path, f"stream_keys:\n  ['{NEW}', '{key}']\n")
    assert key not in str(refusal.value)
    assert NEW not in str(refusal.value)
    assert "openssl rand -base64 32" in str(refusal.value)


@given(st.integers(16, 64))
def test_keys_from_the_usual_generators_are_taken(length: int) -> None:
    made = secrets.token_bytes(length)
    for text in (
        made.hex(),
        base64.b64encode(made + made[:8][::-1]).decode(),
        base64.b32encode(made + made[4:]).decode(),
    ):
        StreamKey(text=text)


def test_keys_are_not_shown_with_the_configuration(tmp_path: Path) -> None:
    config = read(tmp_path, f"stream_keys: ['{NEW}', '{OLD}']\n")
    assert NEW not in repr(config)
    assert OLD not in repr(config)
