"""The configuration: which value counts when a setting is given twice, and the errors for mistakes."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voiceflow import ConfigError
from voiceflow.config.address import MEDIA
from voiceflow.config.ice import Cloudflare, Coturn, StaticServers, TwilioServers
from voiceflow.config.settings import (
    Config,
    find_config,
    load_config,
    origin,
    read_env_file,
)
from voiceflow.config.settings import (
    environment as known_variables,
)
from voiceflow.transports.carriers import carrier_named
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

ENVIRONMENT = known_variables()
WHOLE = """\
provider: twilio
provider_config:
  telnyx:
    api_key: KEY1
    app_id: 17
    public_key: abc=
    codec: g722
  twilio: {account_sid: AC1, auth_token: 0123}
server_host: 0.0.0.0
server_port: 9000
public_ws_url: wss://voice.example.com/sip/media-stream
log_level: debug
dids: {}
"""

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment without variables of voiceflow, and with an empty home."""
    kept = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    with mock.patch.dict(os.environ, kept | {"HOME": str(tmp_path / "home")}, clear=True):
        yield os.environ  # type: ignore[misc]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file, voiceflow.yaml unless told otherwise, relative to a working folder of its own."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes, name: str = "voiceflow.yaml") -> Path:
        path = Path(name).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def problem(file: Path | None, **options: str | int) -> str:
    with pytest.raises(ConfigError) as raised:
        load_config(file, **options)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    return str(raised.value)


# -- what counts


def test_without_a_file_the_defaults_count() -> None:
    config = load_config(None)
    assert config == Config()
    assert (config.server_host, config.server_port, config.log_level) == ("127.0.0.1", 8000, "INFO")
    assert config.provider is config.public_ws_url is config.of(TwilioSettings).auth_token is None
    assert config.of(TelnyxSettings).codec == "PCMU"


def test_every_key_of_the_file_is_read(write: Write) -> None:
    config = load_config(write(WHOLE))
    telnyx, twilio = config.of(TelnyxSettings), config.of(TwilioSettings)
    assert config.provider == "twilio"
    assert (telnyx.api_key, telnyx.app_id, telnyx.public_key, telnyx.codec) == ("KEY1", "17", "abc=", "G722")
    assert (twilio.account_sid, twilio.auth_token) == ("AC1", "0123")  # text stays as it is written
    assert (config.server_host, config.server_port, config.log_level) == ("0.0.0.0", 9000, "DEBUG")
    assert config.public_ws_url == "wss://voice.example.com/sip/media-stream"


def test_an_option_goes_before_the_environment_before_the_file(write: Write, environment: dict[str, str]) -> None:
    file = write("server_port: 1\n")
    assert load_config(file).server_port == 1
    environment["SIP_SERVER_PORT"] = "2"
    assert load_config(file).server_port == 2
    assert load_config(file, port=3).server_port == 3
    assert load_config(None, port=0).server_port == 0


def test_every_option_counts() -> None:
    config = load_config(None, provider="telnyx", host="::1", port=1, ws_url=f"wss://a{MEDIA}", log_level="error")
    assert config == Config(
        provider="telnyx", server_host="::1", server_port=1, public_ws_url=f"wss://a{MEDIA}", log_level="ERROR"
    )


def test_the_time_limit_for_peers_is_a_number_of_seconds(write: Write) -> None:
    assert load_config(None).peer_timeout == 20
    assert load_config(write("peer_timeout: 1.5\n")).peer_timeout == 1.5
    for wrong in ("0", "-1", "never", "4000", "nan"):
        with pytest.raises(ConfigError, match=r"peer_timeout is .* expected a number of seconds from 0.1 to 3600"):
            load_config(write(f"peer_timeout: {wrong}\n"))


VALUES = {
    "server_port": "81",
    "public_ws_url": f"wss://host{MEDIA}",
    "provider_config.telnyx.base_url": "https://host/v2",
    "provider_config.twilio.base_url": "https://host",
}
"""Values of the keys that do not take just any text."""


@pytest.mark.parametrize(("variable", "key"), ENVIRONMENT.items())
def test_every_variable_stands_for_its_key(variable: str, key: str, environment: dict[str, str]) -> None:
    value = VALUES.get(key, "secret")
    environment[variable] = value
    config = load_config(None)
    *within, name = key.split(".")
    found = config.of(carrier_named(within[1]).settings) if within else config
    read = getattr(found, name)
    assert (",".join(read) if isinstance(read, tuple) else str(read)) == value


def test_no_variable_is_forgotten() -> None:
    assert sorted(ENVIRONMENT) == [
        "SIP_PUBLIC_WS_URL",
        "SIP_SERVER_PORT",
        "TELNYX_API_KEY",
        "TELNYX_APP_ID",
        "TELNYX_BASE_URL",
        "TELNYX_PUBLIC_KEY",
        "TELNYX_SIGNING_KEYS",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_API_KEY",
        "TWILIO_API_SECRET",
        "TWILIO_AUTH_TOKEN",
        "TWILIO_BASE_URL",
        "TWILIO_EDGE",
        "TWILIO_REGION",
        "TWILIO_SIGNING_KEYS",
    ]


@pytest.mark.parametrize("empty", ["", "~", "null", "''", "${NOTHING}"])
def test_what_is_empty_was_not_given(write: Write, environment: dict[str, str], empty: str) -> None:
    environment |= {"NOTHING": "", "TWILIO_AUTH_TOKEN": ""}
    file = write(f"server_port: {empty}\nprovider_config:\n  telnyx:\n  twilio:\n    auth_token: {empty}\n")
    assert load_config(file) == Config()
    assert load_config(write("# nothing\n")) == Config()


@pytest.mark.parametrize("variable", ENVIRONMENT)
def test_a_variable_that_ends_with_a_newline_as_mounted_secrets_do_is_stripped(
    variable: str, environment: dict[str, str]
) -> None:
    value = VALUES.get(ENVIRONMENT[variable], "secret")
    environment[variable] = value
    stripped = load_config(None)
    environment[variable] = f" {value}\r\n"
    assert load_config(None) == stripped
    environment[variable] = " \n"
    assert load_config(None) == Config()


def test_values_in_the_file_are_stripped_whether_they_are_quoted_or_variables(
    write: Write, environment: dict[str, str]
) -> None:
    environment |= {"TOKEN": "secret\n", "URL": "turn:turn.example.com\n", "BLANK": " \n"}
    file = write(
        "server_host: ' ::1 '\nlog_level: ${BLANK}\nprovider_config:\n  twilio: {auth_token: '${TOKEN}'}\n"
        "  telnyx: {api_key: ' key ', app_id: ' '}\n"
        "ice:\n- {provider: ' coturn ', urls: '${URL}', secret: '${TOKEN} '}\n"
    )
    assert load_config(file) == Config(
        server_host="::1",
        provider_config=(TwilioSettings(auth_token="secret"), TelnyxSettings(api_key="key")),
        ice=(Coturn(urls=("turn:turn.example.com",), secret="secret"),),
    )


def test_options_are_stripped() -> None:
    config = load_config(None, host=" ::1\n", ws_url="wss://host/sip/media-stream\n")
    assert (config.server_host, config.public_ws_url) == ("::1", "wss://host/sip/media-stream")


def test_a_wrong_value_that_does_not_count_is_no_error(write: Write) -> None:
    assert load_config(write("server_port: x\n"), port=1).server_port == 1


# -- STUN and TURN servers


def test_servers_of_every_provider_are_read_in_order(write: Write, environment: dict[str, str]) -> None:
    environment["TURN_SECRET"] = "north"
    content = """\
ice:
  - urls: stun:stun.example.com
  - urls: ["turn:a.example.com:3478", "turns:a.example.com?transport=tcp"]
    username: ann
    credential: 0123
  - {provider: coturn, urls: "turn:b.example.com", secret: "${TURN_SECRET}"}
  - provider: Twilio
  - {provider: cloudflare, key_id: k, api_token: t}
"""
    assert load_config(write(content)).ice == (
        StaticServers(urls=("stun:stun.example.com",)),
        StaticServers(
            urls=("turn:a.example.com:3478", "turns:a.example.com?transport=tcp"), username="ann", credential="0123"
        ),
        Coturn(urls=("turn:b.example.com",), secret="north"),
        TwilioServers(),
        Cloudflare(key_id="k", api_token="t"),
    )


def test_one_server_needs_no_list_and_an_empty_list_is_none_at_all(write: Write) -> None:
    assert load_config(write("ice: {urls: 'stun:[::1]:3478'}\n")).ice == (StaticServers(urls=("stun:[::1]:3478",)),)
    assert load_config(write("ice: []\n")).ice == ()
    assert load_config(write("ice:\n")).ice is None


def test_one_origin_needs_no_list_and_a_slash_at_its_end_does_not_matter(write: Write) -> None:
    assert load_config(write("allowed_origins: http://localhost:5173/\n")).allowed_origins == ("http://localhost:5173",)
    content = "allowed_origins: [https://App.example.com, '*', '']\n"
    assert load_config(write(content)).allowed_origins == ("https://app.example.com", "*")
    assert load_config(write("allowed_origins:\n")).allowed_origins == ()


@pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/page", "wss://app.example.com", "null"])
def test_what_is_no_origin_is_refused(write: Write, origin: str) -> None:
    with pytest.raises(ConfigError, match=r"expected the origin of a page, such as https://app\.example\.com"):
        load_config(write(f"allowed_origins: ['{origin}']\n"))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{provider: coturm}", "ice.provider is 'coturm', did you mean coturn? Expected coturn, twilio, "),
        ("{provider: coturn, urls: 'turn:a'}", "expected secret in ice, for coturn"),
        ("{provider: coturn, urls: 'turn:a', secret: ''}", "expected secret in ice, for coturn"),
        ("{provider: cloudflare}", "expected key_id and api_token in ice, for cloudflare"),
        ("{}", "expected urls in ice"),
        ("{urls: []}", "expected urls in ice"),
        ("{urls: 'turn:a'}", "expected username and credential in ice"),
        ("{urls: 'http://a'}", "ice.urls is 'http://a': expected stun:HOST:PORT"),
        ("{urls: 'stun:a?transport=tcp'}", "expected stun:HOST:PORT"),
        ("{urls: 'turn:ann:hush@a', username: u, credential: c}", "ice.urls is 'a': expected"),
        ("stun:a", "expected `key: value` lines"),
    ],
)
def test_a_server_that_cannot_be_used_is_one_line(write: Write, entry: str, words: str) -> None:
    said = problem(write(f"ice:\n  - {entry}\n"))
    assert said.startswith("voiceflow.yaml, line 2: ")
    assert words in said
    assert "hush" not in said


def test_an_unknown_key_of_a_server_is_a_warning_with_the_nearest(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    load_config(write("ice: {provider: coturn, urls: 'turn:a', secret: s, url: x}\n"))
    assert "ice.url is unknown and ignored, did you mean ice.urls?" in caplog.text


def test_no_secret_of_a_server_is_shown() -> None:
    shown = repr(Config(ice=(Coturn(urls=("turn:a",), secret="hush"), Cloudflare(key_id="hush", api_token="hush"))))
    assert "hush" not in shown
    assert "secret=..." in shown


# -- which file


def test_a_file_is_looked_for_here_then_at_home(write: Write) -> None:
    assert find_config() is None
    for place in ("~/.vibecode/sip_config.yaml", "~/.config/voiceflow/config.yaml", "voiceflow.yaml"):
        path = write("", place)
        assert find_config() == path
    assert find_config(path := write("", "other.yaml")) == path


def test_a_file_that_is_named_must_exist() -> None:
    with pytest.raises(ConfigError, match="there is no configuration file no/such\\.yaml"):
        find_config(Path("no/such.yaml"))


def test_a_file_that_cannot_be_read_is_one_line(write: Write) -> None:
    assert problem(Path(".")) == "cannot read .: Is a directory"


def test_it_can_be_said_where_the_configuration_comes_from() -> None:
    assert origin(Path("a.yaml")) == "a.yaml"
    assert origin(None).startswith("defaults and environment (there is no voiceflow.yaml, ~/.config/voiceflow")


# -- .env


def test_dot_env_adds_to_the_environment_and_changes_nothing(write: Write, environment: dict[str, str]) -> None:
    environment["TELNYX_APP_ID"] = "set"
    write("TELNYX_APP_ID=other\nTELNYX_API_KEY='from the file' # a comment\nexport PORT=81\n", "app/.env")
    read_env_file(Path("app"))
    config = load_config(write("server_port: ${PORT}\n"))
    assert config.of(TelnyxSettings).app_id == "set"
    assert config.of(TelnyxSettings).api_key == "from the file"
    assert config.server_port == 81


@pytest.mark.parametrize("blank", ["", " \n"])
def test_a_blank_variable_is_as_if_not_set_for_dot_env_too(
    write: Write, environment: dict[str, str], blank: str
) -> None:
    environment["TELNYX_APP_ID"] = blank
    write("TELNYX_APP_ID=there\n", ".env")
    read_env_file(Path())
    assert load_config(None).of(TelnyxSettings).app_id == "there"


def test_a_folder_without_dot_env_is_fine(tmp_path: Path) -> None:
    read_env_file(tmp_path)
    (tmp_path / ".env").mkdir()  # some keep a virtual environment under that name
    read_env_file(tmp_path)


@pytest.mark.parametrize("content", [b"A=\xff\n", b"A='\0'\n"])
def test_a_dot_env_of_something_else_is_one_error(write: Write, content: bytes) -> None:
    write(content, ".env")
    with pytest.raises(ConfigError, match=r"^\.env: expected lines like NAME=value"):
        read_env_file(Path())


def test_the_example_documents_every_variable_and_sets_none(environment: dict[str, str]) -> None:
    text = (Path(__file__).parent.parent / ".env.example").read_text()
    others = (
        "LLM_PROVIDER ANTHROPIC_API_KEY OPENAI_API_KEY OPENAI_BASE_URL OPENAI_MODEL OLLAMA_URL OLLAMA_HOST "
        "OLLAMA_MODEL VOICEFLOW_CACHE HF_ENDPOINT HF_HUB_CACHE HF_HOME VOICEFLOW_PLAIN_HTTP"
    )
    documented = re.findall(r"^#([A-Z_]+)=", text, re.MULTILINE)
    assert sorted(documented) == sorted([*ENVIRONMENT, *others.split(), "GOOGLE_CLIENT_ID"])
    assert all(line.startswith("#") or not line for line in text.splitlines())


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("[second, ' third ', '']", ("second", "third")),
        ("second", ("second",)),
        ("'second, third'", ("second", "third")),
    ],
)
def test_signing_keys_are_one_or_a_list(write: Write, written: str, keys: tuple[str, ...]) -> None:
    config = load_config(write(f"provider_config:\n  twilio: {{auth_token: first, signing_keys: {written}}}\n"))
    settings = config.of(TwilioSettings)
    assert settings.signing_keys == keys
    assert settings.keys == ("first", *keys)
    assert not any(key in repr(settings) for key in settings.keys)


def test_signing_keys_may_come_from_the_environment(write: Write, environment: dict[str, str]) -> None:
    file = write("provider_config:\n  twilio: {account_sid: AC1, auth_token: first, signing_keys: [file]}\n")
    environment |= {"TWILIO_SIGNING_KEYS": " second,,third ", "TELNYX_SIGNING_KEYS": "fourth"}
    config = load_config(file)
    assert config.of(TwilioSettings).keys == ("first", "second", "third")
    assert config.of(TwilioSettings).user == ("AC1", "first")  # the password for the REST interface is the current one
    assert config.of(TelnyxSettings).keys == ("fourth",)


# -- variables in the file


def test_variables_are_put_in_anywhere(write: Write, environment: dict[str, str]) -> None:
    environment |= {"HOST": "example.com", "KEY": "a: [b]", "PORT": "81", "NAME": "app_id"}
    content = "public_ws_url: wss://${HOST}/$${x}/sip/media-stream\nserver_port: ${PORT}\nprovider_config:\n  telnyx:\n"
    config = load_config(write(content + "    api_key: ${KEY}\n    ${NAME}: '$5 ${PORT}$'\n"))
    assert config.public_ws_url == "wss://example.com/${x}/sip/media-stream"
    assert config.server_port == 81
    assert config.of(TelnyxSettings).api_key == "a: [b]"  # a value, not more YAML
    assert config.of(TelnyxSettings).app_id == "$5 81$"


def test_a_variable_in_a_comment_needs_no_value(write: Write) -> None:
    assert load_config(write("# ${NOWHERE}\nserver_port: 1  # ${NOWHERE}\n")).server_port == 1


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("\nserver_host: ${NOWHERE}\n", 2),
        ("provider_config:\n  telnyx:\n    api_key: 'x ${NOWHERE}'\n", 3),
        ("${NOWHERE}: 1", 1),
        ("server_host: |\n  one\n  two\n\n  ${NOWHERE}\n", 5),
        ('server_host: "\\x24{NOWHERE}"\n', 1),
    ],
)
def test_an_undefined_variable_is_named_with_its_line(write: Write, content: str, line: int) -> None:
    expected = f"voiceflow.yaml, line {line}: the environment variable NOWHERE is not defined: set it"
    assert problem(write(content)).startswith(expected)


@pytest.mark.parametrize("wrong", ["${", "${}", "${1A}", "${A-b}", "${A", "${ A }"])
def test_what_only_looks_like_a_variable_is_an_error(write: Write, environment: dict[str, str], wrong: str) -> None:
    environment["A"] = "1"
    assert problem(write(f"\nserver_host: 'x{wrong}'")).startswith("voiceflow.yaml, line 2: expected ${NAME}")


def test_a_variable_of_broken_bytes_is_an_error(write: Write, environment: dict[str, str]) -> None:
    environment["LATIN"] = os.fsdecode(b"caf\xe9")
    assert "line 1: this text holds half a surrogate pair" in problem(write("server_host: ${LATIN}"))


# -- mistakes


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("server_port: x", "line 1: server_port is 'x': expected a port number from 0 to 65535"),
        ("\nserver_port: 65536", "line 2: server_port is '65536': expected a port number"),
        ("server_port: -1", "line 1: server_port is '-1': expected a port number"),
        ("server_port: [1]", "line 1: expected text, came a list"),
        ("server_host: {a: b}", "line 1: expected text, came a mapping"),
        ("log_level: loud", "line 1: log_level is 'loud': expected DEBUG, INFO, WARNING or ERROR"),
        (
            "provider_config:\n  telnyx:\n    codec: OPUS",
            "line 3: provider_config.telnyx.codec is 'OPUS': expected PCMU, PCMA, G722 or L16",
        ),
        ("provider_config: telnyx", "line 1: expected `key: value` lines, came text"),
        ("provider_config:\n  telnyx:\n  - a", "line 3: expected `key: value` lines, came a list"),
        ("- a", "line 1: expected `key: value` lines, came a list"),
        ("just text", "line 1: expected `key: value` lines, came text"),
        ("provider: a\n\nprovider: b", "line 3: 'provider' stands in line 1 already: keep one of them"),
        ("? [a]\n: b", "line 1: expected text, came a list"),
        ("provider: a\n\tserver_port: 1", "line 2: "),
        ("a: b\nserver_port: 1: 2", "line 2: "),
        ("provider: 'a\nb: c\n", "line 3: "),
        ("a: 1\n---\nb: 1", "line 2: "),
        ("provider: *a", "line 1: "),
        ("a: b\nc: \0", "line 2: the character U+0000 cannot stand in YAML"),
        (b"a: b\nc: \xff", "line 2: this is not UTF-8"),
        ("a: &a\n  b: &b\n    - *b", "line 3: *b contains itself"),
        ("a: &a\n  <<: *a", "line 2: *a contains itself"),
        ("a: b\nc: " + "[" * 150, "line 2: more than 100 lists or mappings within each other"),
    ],
)
def test_a_mistake_is_named_with_its_line(write: Write, content: str | bytes, expected: str) -> None:
    assert problem(write(content)).startswith(f"voiceflow.yaml, {expected}")


def test_a_wrong_option_or_variable_is_named(environment: dict[str, str]) -> None:
    assert problem(None, port=70_000) == "--port is '70000': expected a port number from 0 to 65535"
    assert problem(None, log_level="loud").startswith("--log-level is 'loud': expected DEBUG")
    environment["SIP_SERVER_PORT"] = "http"
    assert problem(None).startswith("SIP_SERVER_PORT is 'http': expected a port number")


@pytest.mark.parametrize(
    ("address", "completed"),
    [
        ("wss://example.com", f"wss://example.com{MEDIA}"),
        ("wss://example.com/", f"wss://example.com{MEDIA}"),
        (f"wss://example.com:8443{MEDIA}", f"wss://example.com:8443{MEDIA}"),
        (f"wss://example.com{MEDIA}/", f"wss://example.com{MEDIA}"),
        (f"wss://example.com/{MEDIA}//", f"wss://example.com{MEDIA}"),
        (f"wss://example.com/voice{MEDIA}/", f"wss://example.com/voice{MEDIA}"),
        (f"ws://localhost:8000{MEDIA}", f"ws://localhost:8000{MEDIA}"),
        ("ws://127.0.0.1/", f"ws://127.0.0.1{MEDIA}"),
        ("ws://[::1]:8000", f"ws://[::1]:8000{MEDIA}"),
    ],
)
def test_a_public_address_is_wss_or_local_and_gets_the_path_of_streams(
    address: str, completed: str, environment: dict[str, str]
) -> None:
    assert load_config(None, ws_url=address).public_ws_url == completed
    environment["SIP_PUBLIC_WS_URL"] = address
    assert load_config(None).public_ws_url == completed


def test_a_public_address_whose_host_cannot_be_is_refused() -> None:
    assert problem(None, ws_url="wss://[::1").startswith(f"--ws-url is 'wss://[::1': expected wss://HOST{MEDIA} (")


@pytest.mark.parametrize(
    "address", ["wss://example.com/voice", "wss://example.com/sip/media", f"wss://example.com{MEDIA}/x"]
)
def test_a_public_address_at_which_nothing_is_served_is_refused_with_the_right_one(write: Write, address: str) -> None:
    right = f"expected wss://example.com{MEDIA}, the only path at which streams are served"
    assert problem(None, ws_url=address).startswith(f"--ws-url is {address!r}: {right}")
    file = write(f"\npublic_ws_url: {address}\n")
    assert problem(file).startswith(f"voiceflow.yaml, line 2: public_ws_url is {address!r}: {right}")


@pytest.mark.parametrize(
    "address",
    [
        "example.com",
        "https://example.com/sip/media-stream",
        "ws://example.com",
        "ws://localhost.example.com",
        "wss://",
        "wss:///path",
        "wss://example.com/a?token=1",
        "wss://example.com?",
        "wss://example.com/#a",
        "wss://user:secret@example.com",
        "wss://exam ple.com",
        "wss://example.com/a\nb",
    ],
)
def test_any_other_public_address_is_refused(address: str) -> None:
    assert problem(None, ws_url=address).endswith(
        "expected wss://HOST/sip/media-stream without a query (ws:// for localhost only)"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\nserver_prot: 1", "voiceflow.yaml, line 2: server_prot is unknown and ignored, did you mean server_port?"),
        ("port: 1", "voiceflow.yaml, line 1: port is unknown and ignored, did you mean server_port?"),
        ("Log-Level: info", "voiceflow.yaml, line 1: Log-Level is unknown and ignored, did you mean log_level?"),
        ("did: {}", "voiceflow.yaml, line 1: did is unknown and ignored, did you mean dids?"),
    ],
)
def test_an_unknown_key_is_reported_with_the_nearest_known_name(
    write: Write, caplog: pytest.LogCaptureFixture, content: str, expected: str
) -> None:
    assert load_config(write(content)) == Config()
    assert caplog.record_tuples == [("voiceflow.config", logging.WARNING, expected)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "provider_config:\n  twilio:\n    token: x",
            "voiceflow.yaml, line 3: provider_config.twilio.token is unknown, "
            "did you mean provider_config.twilio.auth_token?",
        ),
        (
            "provider_config: {plivo: {}}",
            "voiceflow.yaml, line 1: provider_config.plivo is unknown, known here: telnyx, twilio",
        ),
    ],
)
def test_an_unknown_key_of_a_carrier_is_an_error(write: Write, content: str, expected: str) -> None:
    assert problem(write(content)) == expected


def test_known_keys_are_not_reported(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    load_config(write(WHOLE))
    assert not caplog.records


def test_of_merged_keys_own_ones_count_first_then_the_first_merged(write: Write) -> None:
    merged = "{<<: [{api_key: a}, {api_key: b, app_id: b, public_key: b}], public_key: c}"
    telnyx = load_config(write(f"provider_config:\n  telnyx: {merged}\n")).of(TelnyxSettings)
    assert (telnyx.api_key, telnyx.app_id, telnyx.public_key) == ("a", "b", "c")


def test_credentials_are_not_shown() -> None:
    config = Config(provider_config=(TelnyxSettings(api_key="hush", codec="L16"),))
    assert "hush" not in repr(config)
    assert "api_key=..." in repr(config)


# -- anything else

PIECES = (
    *("dids", "provider", "provider_config", "telnyx", "twilio", "codec", "server_port", "public_ws_url", "extra"),
    *(": ", ":", "\n", "\n  ", "\n    ", "- ", "? ", "{", "}", "[", "]", ", ", "#", "'", '"', "|\n", ">-\n", "---\n"),
    *(
        "&a ",
        "*a",
        "<<: ",
        "!!int ",
        "!!bool ",
        "!!binary ",
        "!!timestamp ",
        "!!set ",
        "!!python/name:os.system ",
        "!x ",
    ),
    *("${HOME}", "${", "$${", "~", "+15125551234", "1 512 555 1234", "0", "8000", "2024-13-45", "1e999", "0x", "no"),
    *("\t", "\0", "\ufeff", "\u2028", "\x85", "\\ud800", "\\", "%YAML 1.2\n", "`", "@", "=", "é"),
)
garbage = st.one_of(st.binary(), st.text().map(lambda t: t.encode("utf-8", "surrogatepass")))
almost_yaml = st.lists(st.sampled_from(PIECES)).map(lambda pieces: "".join(pieces).encode())


@settings(max_examples=500, deadline=None)
@given(st.one_of(garbage, almost_yaml))
@example(b"provider_config: &a\n  <<: *a")
def test_any_content_gives_a_configuration_or_a_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    told = f"{file}, line 1: "
    try:
        load_config(file)
    except ConfigError as error:
        told = str(error)
    assert re.match(rf"{re.escape(str(file))}, line [1-9]\d*: ", told)


def test_import_voiceflow_loads_no_yaml() -> None:
    code = "import sys, voiceflow; print('yaml' in sys.modules, 'dotenv' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown == "False False\n"
