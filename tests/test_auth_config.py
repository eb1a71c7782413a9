"""The configuration of who may come in: its keys, and that a typing error there is no warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceflow import ConfigError, DIDConfigError
from voiceflow.auth import Bearer, CloudflareAccess, GoogleIdToken, NoAuth
from voiceflow.auth.provider import described
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config, load_config

ALL = """\
auth:
  - {provider: cloudflare_access, team_domain: team.cloudflareaccess.com, audience: "${AUDIENCE}"}
  - provider: google
    client_id: 1234.apps.googleusercontent.com
    allowed_emails: [ann@example.com, bob@example.com]
  - {provider: Bearer, tokens: {ann: "${TOKEN}", bob: also-a-token}}
auth_exclude: [/login, /assets/]
"""


def load(tmp_path: Path, content: str) -> Config:
    file = tmp_path / "voiceflow.yaml"
    file.write_text(content)
    return load_config(file)


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIENCE", "tag")
    monkeypatch.setenv("TOKEN", "a-token")
    monkeypatch.setenv("BLANK", " ")


def test_providers_and_paths_are_read(tmp_path: Path) -> None:
    config = load(tmp_path, ALL)
    assert [type(provider) for provider in config.auth] == [CloudflareAccess, GoogleIdToken, Bearer]
    assert config.auth_exclude == ("/login", "/assets")
    assert [described(provider) for provider in config.auth] == [
        "Cloudflare Access (team.cloudflareaccess.com)",
        "Google (2 addresses)",
        "bearer tokens (2)",
    ]


@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        ("auth: {provider: bearer, tokens: x}", [Bearer]),
        ("auth: {provider: bearer, tokens: [x, y]}", [Bearer]),
        ("auth: {provider: google, client_id: c, allowed_emails: ann@example.com}", [GoogleIdToken]),
        ("auth: {provider: none}", [NoAuth]),
        ("auth:", []),
        ("auth: []", []),
        ("auth: ~", []),
    ],
)
def test_one_provider_needs_no_list(tmp_path: Path, content: str, kinds: list[type]) -> None:
    assert [type(provider) for provider in load(tmp_path, content).auth] == kinds


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("auth: none", "line 1: expected `key: value` lines, came text"),
        (
            "auth: {}",
            "line 1: expected provider in auth, one of cloudflare_access, google, bearer, none; it has no",
        ),
        (
            "auth:\n  - {providr: bearer, tokens: x}",
            "line 2: expected provider in auth, one of cloudflare_access, ",
        ),
        ("auth: {providr: bearer, tokens: x}", "none; it has providr, tokens"),
        ("auth: {provider: gogle}", "line 1: auth.provider is 'gogle', did you mean google?"),
        (
            "auth:\n  provider: cloudflare_access\n  team_domain: team\n  audiense: x",
            "line 4: auth.audiense is unknown, did you mean auth.audience?",
        ),
        (
            "auth:\n  - {provider: bearer, tokens: x}\n  - {provider: google, client_id: c, emails: [a@b.c]}",
            "line 3: auth.emails is unknown, did you mean auth.allowed_emails?",
        ),
        ("auth: {provider: bearer, tokens: x, audience: y}", "auth.audience is unknown, known here: provider, tokens"),
        ("auth: {provider: google, client_id: c}", "line 1: expected allowed_emails in auth, for google"),
        ("auth: {provider: google, client_id: c, allowed_emails: []}", "auth, google: allowed_emails is empty"),
        ("auth: {provider: cloudflare_access}", "expected team_domain and audience in auth, for cloudflare_access"),
        ("auth: {provider: cloudflare_access, team_domain: a b, audience: x}", "team_domain is 'a b': expected"),
        ("auth: {provider: cloudflare_access, team_domain: a, audience: '${BLANK}'}", "audience is empty"),
        ("auth: {provider: bearer, tokens: ['${BLANK}']}", "auth, bearer: the token of 'token 1' is empty"),
        ("auth: {provider: bearer, tokens: ['${MISSING}']}", "the environment variable MISSING is not defined"),
        ("auth: {provider: bearer, tokens: []}", "auth, bearer: tokens is empty"),
        ("auth: {provider: bearer}", "expected tokens in auth, for bearer"),
        (
            "auth: [{provider: none}, {provider: bearer, tokens: x}]",
            "none admits everybody: leave it out, or the others",
        ),
        ("auth_exclude: /", "auth_exclude: '/' cannot be excluded"),
        ("auth_exclude: ['/a', health]", "auth_exclude: 'health' cannot be excluded"),
        ("auht: {provider: none}", "line 1: auht is unknown, did you mean auth?"),
        ("authentication: {provider: none}", "line 1: authentication is unknown, known here: "),
        ("auth-excluded: [/x]", "line 1: auth-excluded is unknown, did you mean auth_exclude?"),
        ("allowed_origin: https://x.com", "line 1: allowed_origin is unknown, did you mean allowed_origins?"),
        ("cors: https://x.com", "line 1: cors is unknown, "),
        ("stream_key: x", "line 1: stream_key is unknown, did you mean stream_keys?"),
        (
            "transfer_to: ['+12025550155']",
            "line 1: transfer_to is unknown, did you mean transfer_to of a number, below",
        ),
        (
            "transfer: x",
            "line 1: transfer is unknown, did you mean transfer_to of a number, below that number in dids?",
        ),
        ("provider_configs: {}", "line 1: provider_configs is unknown, did you mean provider_config?"),
        (
            "provider_config:\n  twilio: {auth_tokne: x}",
            "line 2: provider_config.twilio.auth_tokne is unknown, did you mean provider_config.twilio.auth_token?",
        ),
        ("provider_config: {twillio: {}}", "provider_config.twillio is unknown, did you mean provider_config.twilio?"),
    ],
)
def test_a_mistake_names_file_line_and_key(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, content)
    assert str(tmp_path / "voiceflow.yaml") in str(raised.value)
    assert problem in str(raised.value)
    assert "a-token" not in str(raised.value)


@pytest.mark.parametrize("written", ["transfers_to", "transfer-to", "Transfer_To", "transferto", "transfer"])
def test_a_route_that_does_not_say_whom_it_may_call_as_it_should_is_refused(tmp_path: Path, written: str) -> None:
    file = tmp_path / "voiceflow.yaml"
    file.write_text(f"dids:\n  +15125551234:\n    {written}: [+15125551299]\n")
    with pytest.raises(DIDConfigError, match=f"line 3: {written} is unknown, did you mean transfer_to"):
        Routes(file)


def test_the_client_of_google_may_be_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = "auth: {provider: google, allowed_emails: ann@example.com}"
    with pytest.raises(ConfigError, match="expected client_id in auth, for google"):
        load(tmp_path, content)
    monkeypatch.setenv("GOOGLE_CLIENT_ID", "1234.apps.googleusercontent.com")
    assert [type(provider) for provider in load(tmp_path, content).auth] == [GoogleIdToken]
    with pytest.raises(ConfigError, match="expected tokens in auth, for bearer"):
        load(tmp_path, "auth: {provider: bearer}")


def test_tokens_are_shown_by_no_configuration(tmp_path: Path) -> None:
    assert "a-token" not in repr(load(tmp_path, ALL))
