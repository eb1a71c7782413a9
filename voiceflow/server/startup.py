"""What is done before the first call: models are loaded, and it is found out who answers callers of the page."""

from __future__ import annotations

import time
from typing import Final

from voiceflow.call import Build
from voiceflow.config.routes import Routes
from voiceflow.engine.runner import preload
from voiceflow.errors import VoiceflowError
from voiceflow.inference.single_flight import Flights
from voiceflow.logs import get_logger
from voiceflow.transports.dry_call import nominal_call

from .answers import Answers, who_answers

log = get_logger("voiceflow.server")

AGAIN: Final = 10.0
"""Seconds after a failure within which requests do not begin the loading again."""


class Startup:
    """The work before the first call. It is done once, however many wait for it."""

    def __init__(self, build: Build, routes: Routes, provider: str | None) -> None:
        self.answers: Answers = "agent"
        """Who answers callers of the page."""
        self.done = False
        self._build = build
        self._routes = routes
        self._provider = provider
        self._flights: Flights[None] = Flights()
        self._failed_at: float | None = None

    async def run(self) -> None:
        """Do it, if it is not done. Raises what keeps the pipeline from being built, linked or loaded."""
        if not self.done:
            await self._flights.join("", self._load)

    async def run_for_request(self) -> bool:
        """Do it for the first request, where nobody has run the lifespan. Returns whether it is done: a failure is
        logged, and tried again for a request some seconds later."""
        if self._failed_at is not None and time.monotonic() < self._failed_at + AGAIN:
            return False
        await self._flights.join("request", self._load_for_request)
        return self.done

    async def _load(self) -> None:
        for route in self._routes.all():
            call = nominal_call(self._provider, route)
            await preload(self._build(call), call)
        self.answers = await who_answers(self._build)
        self.done = True

    async def _load_for_request(self) -> None:
        try:
            await self.run()
        except Exception as error:
            self._failed_at = time.monotonic()
            log.error("cannot serve: %s", explained(error), exc_info=None if is_told(error) else error)


def is_told(error: Exception) -> bool:
    """Whether the text of an error says what is wrong with a pipeline."""
    return isinstance(error, VoiceflowError | TypeError)


def explained(error: Exception) -> str:
    """One line that says why the pipeline cannot be served."""
    return str(error) if is_told(error) else f"{type(error).__name__}: {error}"
