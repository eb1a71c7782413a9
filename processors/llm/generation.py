"""An answer while it is generated: how long it may take, how much of it there may be, and what of it may be spoken."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator

from voiceflow.errors import ProviderConnectionError
from voiceflow.inference import NoThreadError, TooLateError, WorkClock
from voiceflow.processors.llm.messages import CutShort, Message, ToolCall
from voiceflow.processors.llm.pieces import Answer, Piece, pieces
from voiceflow.processors.llm.quoted_calls import quoted_calls
from voiceflow.processors.llm.spoken import SpokenText
from voiceflow.processors.llm.written_calls import Tools

CHARACTERS_PER_TOKEN = 10
"""More than any language has: an answer with more characters than that for its tokens ignores `max_tokens`."""
SECONDS_PER_TOKEN = 0.5
"""Seconds that an answer may take for each of `max_tokens`: a slower model is slower than speech."""
HOLD_SECONDS, HOLD_CHARACTERS = 6.0, 400
"""An answer that begins as thoughts do is held back no longer, unless it has more characters than spoken ones have."""


class Withdrawn:
    """What was yielded of an answer so far is none: it must not be said."""


class Generation:
    """One answer of a model that may call `tools`, and `thinks` first, does not, or is not known (None)."""

    def __init__(self, tools: Tools, *, thinks: bool | None, max_tokens: int, timeout: float) -> None:
        self._tools = tools
        self.spoken = SpokenText(tools, thinks=thinks)
        self._not_known = thinks is None
        self._clock = WorkClock()
        self._timeout = timeout
        self._left = max_tokens * CHARACTERS_PER_TOKEN
        self._begun = self._clock.time()
        self._due = self._begun + timeout
        self._ends = self._due + max_tokens * SECONDS_PER_TOKEN
        self._cut = ""
        self._calls: list[ToolCall] = []

    async def read(
        self, chat: Callable[[list[Message]], Answer], messages: list[Message]
    ) -> AsyncGenerator[Piece | Withdrawn, None]:
        """Yield what may be spoken of the answer of `chat`, its tool calls, and last whether it breaks off. Raises
        `ProviderConnectionError` if the next word is too late. An answer that does not end by itself is cut short."""
        async with contextlib.aclosing(pieces(chat, messages)) as stream:
            while self._left > 0 and (piece := await self._next(stream)) is not None:
                for part in self._parts(piece):
                    yield part
                    self._due = self._clock.time() + self._timeout
        for part in self._rest(messages):
            yield part

    async def _next(self, stream: AsyncGenerator[Piece, None]) -> Piece | None:
        late = f"no word from the model for {self._timeout:g} s: a smaller one may be fast enough"
        try:
            async with self._clock.within(min(self._due, self._ends) - self._clock.time(), late):
                return await anext(stream, None)
        except TooLateError as error:
            if self._due < self._ends or isinstance(error, NoThreadError):
                raise ProviderConnectionError(str(error)) from None
        self._left = 0
        return None

    def _parts(self, piece: Piece) -> Iterator[Piece | Withdrawn]:
        if isinstance(piece, CutShort):
            self._cut = piece.reason
        elif isinstance(piece, ToolCall):
            self._calls.append(piece)
            yield piece
        else:
            known, text = self.spoken.thought_aloud, self.spoken.feed(piece[: self._left])
            self._left -= len(piece)
            if self.spoken.thought_aloud and not known:
                yield Withdrawn()
                text = self.spoken.after_thought
            elif self._not_known and 0 < self.spoken.held_back < HOLD_CHARACTERS:
                text = self.spoken.release() if self._clock.time() > self._begun + HOLD_SECONDS else text
            if text:
                yield text

    def _rest(self, messages: list[Message]) -> Iterator[Piece]:
        if self._left <= 0:
            self._cut = "it does not end by itself"
        elif last := self.spoken.finish(cut=bool(self._cut)):
            yield last
        if self.spoken.calls:
            # Some servers read a call and pass on its text as well, and what others said is only repeated.
            others = (*self._calls, *quoted_calls(messages, self._tools))
            known = [(call.name, call.given) for call in others]
            yield from (call for call in self.spoken.calls if (call.name, call.given) not in known)
        if self._cut:
            yield CutShort(self._cut)
