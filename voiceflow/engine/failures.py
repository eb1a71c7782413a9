"""What goes wrong in a call: it is told here, ends that call and no other, and is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from voiceflow.errors import CallError, ProcessorError
from voiceflow.session.log import CallLog

failures: Counter[str] = Counter()
"""How many calls each processor has ended in this process."""


class Failures:
    """The failures of one call, of which the first counts."""

    def __init__(self, log: CallLog, on_failure: Callable[[ProcessorError], None]) -> None:
        self.log = log
        self.error: CallError | None = None
        """What has ended the call."""
        self.closed = False
        """Whether the call is being torn down: what fails then changes nothing."""
        self._on_failure = on_failure

    def fail(self, processor: str, cause: BaseException) -> None:
        """`processor` raised `cause`."""
        if self.error is None and not self.closed:
            self.error = error = ProcessorError(processor, cause)
            failures[processor] += 1
            self.log.error("%s", error, exc_info=cause)
            self._on_failure(error)
