"""Bearer tokens, providers of one's own, and several together; and what none of them lets in."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest
from auth.issuing import request
from doubles import virtual
from server.serving import run

from voiceflow import ConfigError
from voiceflow.auth import Authorize, AuthResult, Bearer, Composite, NoAuth
from voiceflow.auth import provider as module
from voiceflow.auth.provider import Scope, identify

TOKEN = "a-token-of-ours"


def asked(provider: Authorize, scope: Scope) -> AuthResult | None:
    results: list[AuthResult | None] = []

    async def main() -> None:
        results.append(await identify(provider, scope))

    run(main())
    return results[0]


@pytest.mark.parametrize(
    ("tokens", "user"), [([TOKEN], "token 1"), (["x", TOKEN], "token 2"), ({"ann": TOKEN}, "ann"), (TOKEN, "token 1")]
)
def test_a_bearer_token_says_whose_it_is(tokens: Any, user: str) -> None:
    found = asked(Bearer(tokens), request(Authorization=f"Bearer {TOKEN}"))
    assert found == AuthResult(True, user, provider="bearer")


@pytest.mark.parametrize(
    ("scope", "admitted"),
    [
        (request(Authorization=f"bearer  {TOKEN} "), True),
        (request("websocket", Authorization=f"Bearer {TOKEN}"), True),
        (request("websocket", query=f"token={TOKEN}"), True),
        (request("websocket", query=f"a=b&token={TOKEN}", Authorization="Basic YTpi"), True),
        (request("http", query=f"token={TOKEN}"), False),
        (request("websocket", query=f"token={TOKEN}&token={TOKEN}"), False),
        (request("websocket", query=f"Token={TOKEN}"), False),
        (request("websocket", query="token="), False),
        (request(Authorization=TOKEN), False),
        (request(Authorization="Bearer"), False),
        (request(Authorization="Bearer "), False),
        (request(Authorization=f"Basic {TOKEN}"), False),
        (request(Authorization=f"Bearer {TOKEN[:-1]}"), False),
        (request(Authorization=f"Bearer {TOKEN}x"), False),
        (request(Authorization=f"Bearer {TOKEN.upper()}"), False),
        (request(Cookie=f"token={TOKEN}"), False),
        (request(), False),
    ],
)
def test_a_bearer_token_is_read_from_the_header_and_for_websockets_from_the_query(scope: Scope, admitted: bool) -> None:
    assert (asked(Bearer([TOKEN]), scope) is not None) is admitted


@pytest.mark.parametrize("tokens", [[], {}, "", [""], ["good", ""], {"ann": ""}, ["a\nb"], [" a"], ["ä"], ["x" * 9000]])
def test_bearer_tokens_that_nobody_could_show_are_refused(tokens: Any) -> None:
    with pytest.raises(ConfigError):
        Bearer(tokens)


def test_a_provider_shows_no_token() -> None:
    assert TOKEN not in f"{Bearer([TOKEN])} {Bearer([TOKEN])!r}"


def test_everybody_is_admitted_where_nobody_is_to_be_known() -> None:
    assert asked(NoAuth(), request()) == AuthResult(True, provider="none")


# One's own


async def knows_ann(scope: Scope) -> AuthResult | None:
    return AuthResult(True, "ann", provider="mine") if ("x-user", "ann") in headers(scope) else None


def headers(scope: Scope) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in scope["headers"]]


async def fails(scope: Scope) -> AuthResult | None:
    raise RuntimeError(f"cannot read {TOKEN}")


async def says_true(scope: Scope) -> Any:
    return True


def is_not_asynchronous(scope: Scope) -> Any:
    return AuthResult(True)


async def says_no(scope: Scope) -> AuthResult | None:
    return AuthResult(False, "ann")


async def says_something_true(scope: Scope) -> AuthResult | None:
    return AuthResult("yes", "ann")  # type: ignore[arg-type]


async def has_ended(scope: Scope) -> AuthResult | None:
    return AuthResult(True, "ann", expires=1.0)


async def ends_never_or_always(scope: Scope) -> AuthResult | None:
    return AuthResult(True, "ann", expires=float("nan"))


WRONG = (fails, says_true, is_not_asynchronous, says_no, says_something_true, has_ended, ends_never_or_always)


def test_any_asynchronous_callable_is_a_provider() -> None:
    assert asked(knows_ann, request(X_User="ann")) is not None
    assert asked(knows_ann, request()) is None


@pytest.mark.parametrize("provider", WRONG)
def test_a_provider_that_goes_wrong_admits_nobody(provider: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert asked(provider, request(Authorization=f"Bearer {TOKEN}")) is None
    assert TOKEN not in caplog.text
    if provider in WRONG[:3]:
        assert f"{provider.__name__}()" in caplog.text


async def knows_nothing_of_its_secret(scope: Scope) -> AuthResult | None:
    return AuthResult(True, os.environ["A_SECRET_THAT_NOBODY_HAS_SET"])


def test_the_log_has_the_line_of_the_provider_that_failed_not_of_what_it_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert asked(knows_nothing_of_its_secret, request()) is None
    line = knows_nothing_of_its_secret.__code__.co_firstlineno + 1
    assert caplog.messages == [
        "knows_nothing_of_its_secret() failed, so a request was refused: KeyError in " + f"{__file__}, line {line}"
    ]


def test_a_provider_that_does_not_answer_admits_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.01)

    async def hangs(scope: Scope) -> AuthResult | None:
        await asyncio.Event().wait()
        return AuthResult(True)

    assert asked(hangs, request()) is None


# Several


def test_the_first_provider_that_knows_the_user_counts() -> None:
    both = Composite([None, *WRONG, knows_ann, Bearer([TOKEN])])
    found = asked(both, request(X_User="ann", Authorization=f"Bearer {TOKEN}"))
    assert found is not None
    assert found.provider == "mine"
    found = asked(both, request(Authorization=f"Bearer {TOKEN}"))
    assert found is not None
    assert found.provider == "bearer"
    assert asked(both, request()) is None


@pytest.mark.parametrize("hanging", [1, 2])
def test_providers_that_do_not_answer_do_not_keep_the_next_one_from_being_asked(hanging: int) -> None:
    """Not where all of them have a deadline together either, as in the middleware."""

    async def hangs(scope: Scope) -> AuthResult | None:
        await asyncio.Event().wait()
        return AuthResult(True)

    found = virtual(identify(Composite([*[hangs] * hanging, knows_ann]), request(X_User="ann")))
    assert found is not None
    assert found.provider == "mine"


@pytest.mark.parametrize("providers", [[], [None]])
def test_without_providers_nobody_is_admitted(providers: list[None]) -> None:
    assert asked(Composite(providers), request()) is None


def test_importing_the_providers_loads_no_library_for_tokens() -> None:
    program = (
        "import sys, voiceflow.auth; print('jwt' in sys.modules, 'cryptography' in sys.modules, 'httpx' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert shown.split() == ["False", "False", "False"]
