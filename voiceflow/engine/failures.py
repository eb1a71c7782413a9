"""Failures of processors: the first one in a call is logged and counted, and ends that call and no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from voiceflow.errors import CallError, ProcessorError
from voiceflow.session.log import CallLog

failures: Counter[str] = Counter()
"""How many calls in this process each processor has ended by a failure, by the processor's name."""


class Failures:
    """The failures of one call, of which the first counts."""

    def __init__(self, log: CallLog, on_failure: Callable[[ProcessorError], None]) -> None:
        self.log = log
        self.error: CallError | None = None
        """The failure that has ended the call."""
        self.closed = False
        """Whether the call is being torn down: later failures are ignored."""
        self._on_failure = on_failure

    def fail(self, processor: str, cause: BaseException) -> None:
        """End the call, because the processor named `processor` raised `cause`."""
        if self.error is None and not self.closed:
            self.error = error = ProcessorError(processor, cause)
            failures[processor] += 1
            self.log.error("%s", error, exc_info=cause)
            self._on_failure(error)
