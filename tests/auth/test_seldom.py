"""What anybody can cause a thousand times is logged once in a while."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from auth.test_providers import asked, request

from voiceflow.auth.result import AuthResult
from voiceflow.auth.seldom import WHILE, SeldomLog


def test_of_each_kind_there_is_one_line_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = SeldomLog(lambda: now)
    for number in range(3):
        log.tell("one", logging.WARNING, "one, time %d", number)
        log.tell("other", logging.WARNING, "other, time %d", number)
    now = WHILE
    log.tell("one", logging.WARNING, "one, later")
    assert caplog.messages == ["one, time 0", "other, time 0", "one, later"]


def test_a_provider_that_always_fails_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def always_fails(scope: Any) -> AuthResult | None:
        raise RuntimeError

    async def returns_too_much(scope: Any) -> Any:
        return {"user": "ann"}

    for provider in (always_fails, returns_too_much):
        assert [asked(provider, request()) for _ in range(100)] == [None] * 100
    assert len(caplog.messages) == 2
