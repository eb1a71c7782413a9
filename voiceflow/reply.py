"""A reply: one thing the agent says, and the account of what the caller heard of it."""

from __future__ import annotations

import asyncio


class Reply:
    """One thing the agent says, from its start to its end. Filled as it is heard."""

    def __init__(self, *, interruptible: bool = True) -> None:
        self.text = ""
        """What it has been given to say so far."""
        self.heard = ""
        """The words of it that were heard so far."""
        self.seconds = 0.0
        """The seconds of it that were heard. Known once `done`."""
        self.interrupted = False
        """Whether a `Clear` cut it short."""
        self.interruptible = interruptible
        """Whether the caller may cut it short. Whatever decides on interruptions heeds it."""
        self.complete = False
        """Whether it has been given all that it is to say."""
        self.answers = False
        """Whether it is what a speaker makes of a turn of the caller's, rather than something said besides."""
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        """Resolves to `seconds` when all of it was played, or when it was cleared."""
        self.start: float | None = None
        """The position where its speech begins, once the sink has seen it."""

    def add(self, text: str) -> None:
        self.heard = f"{self.heard} {text}".strip()

    def reopen(self) -> None:
        """The work that makes it interrupted itself, and goes on: what it says from here on belongs to the reply, what
        was not heard before does not."""
        self.text = self.heard
        self.interrupted = self.complete = False
        self.start = None
        self.done = asyncio.get_running_loop().create_future()

    def finish(self, position: float, *, interrupted: bool = False) -> None:
        """Everything up to `position` was heard, and nothing of it will be heard after that."""
        self.interrupted = interrupted
        if self.start is not None:
            self.seconds = max(0.0, position - self.start)
        if not self.done.done():
            self.done.set_result(self.seconds)
