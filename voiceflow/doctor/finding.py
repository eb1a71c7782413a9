"""A check's input and result, and how a check is run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from voiceflow.config.precedence import settle
from voiceflow.config.settings import Config
from voiceflow.errors import VoiceflowError
from voiceflow.route import Route

Status: TypeAlias = Literal["ok", "warn", "fail"]

DEADLINE = 5.0
"""Seconds for one check."""


class Finding(msgspec.Struct, frozen=True):
    """The result of a check."""

    check: str
    status: Status
    said: str
    remedy: str | None = None
    """The command to run, or what else to do."""


class Setting(msgspec.Struct, frozen=True):
    """What the checks examine: the environment and the configuration."""

    environment: Mapping[str, str]
    config: Config = Config()
    routes: tuple[Route, ...] = (Route(),)
    dids: tuple[str, ...] = ()
    """The numbers that have a route of their own."""
    file: Path | None = None
    error: str | None = None
    """Why the configuration cannot be used. The defaults stand in for it."""
    warnings: tuple[str, ...] = ()
    """Its keys that are unknown, in sentences."""

    @classmethod
    def read(cls, named: Path | None) -> Setting:
        """The configuration that `voiceflow run` would use in this folder, and the environment."""
        warnings: list[str] = []
        try:
            file, config, routes = settle(named=named, warn=warnings.append)
        except VoiceflowError as error:
            return cls(os.environ, error=str(error))
        return cls(os.environ, config, tuple(routes.all()), tuple(routes.dids), file, warnings=tuple(warnings))


Check: TypeAlias = Callable[[Setting], Awaitable[Finding]]


async def examine(name: str, check: Check, setting: Setting) -> Finding:
    """Run a check. One that raises, or takes longer than `DEADLINE`, gives a finding with the status "warn"."""
    try:
        async with asyncio.timeout(DEADLINE):
            return await check(setting)
    except TimeoutError:
        return Finding(name, "warn", f"no result after {DEADLINE:.0f} s")
    except Exception as error:
        return Finding(name, "warn", f"could not be checked: {type(error).__name__}: {error}")
