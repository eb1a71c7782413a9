"""A reply: one thing the agent says, and the record of what the caller heard of it."""

from __future__ import annotations

import asyncio


class Reply:
    """One thing the agent says, from its start to its end. Its fields are updated as it is said and heard."""

    def __init__(self, *, interruptible: bool = True) -> None:
        self.text = ""
        """The text that has been given to it to say so far."""
        self.heard = ""
        """The words of it that the caller has heard so far."""
        self.seconds = 0.0
        """How many seconds of it the caller heard. Known once `done`."""
        self.interrupted = False
        """Whether a `Clear` cut it short."""
        self.interruptible = interruptible
        """Whether the caller may cut it short. A processor that decides on interruptions must respect it."""
        self.complete = False
        """Whether all that it is to say has been given to it."""
        self.answers = False
        """Whether a speaker makes it in answer to the caller, rather than code by `call.say` or `call.play`."""
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        """Resolves to `seconds` when all of it has been played, or when it was cleared."""
        self.start: float | None = None
        """Where its speech begins, in seconds of agent audio since the call began. None before it comes to the sink."""

    def add(self, text: str) -> None:
        self.heard = f"{self.heard} {text}".strip()

    def reopen(self) -> None:
        """Go on after an interruption by the work that makes this reply: what it says from now on belongs to the reply,
        what was not heard before does not."""
        self.text = self.heard
        self.interrupted = self.complete = False
        self.start = None
        self.done = asyncio.get_running_loop().create_future()

    def finish(self, position: float, *, interrupted: bool = False) -> None:
        """End the reply: it was heard up to `position`, in seconds of agent audio since the call began."""
        self.interrupted = interrupted
        if self.start is not None:
            self.seconds = max(0.0, position - self.start)
        if not self.done.done():
            self.done.set_result(self.seconds)
