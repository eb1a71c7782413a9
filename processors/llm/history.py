"""The conversation as the caller knows it, and the requests that are made of it.

A reply has its place from its start and is filled as it is heard. A request contains what was heard and what is
still due before its own reply, nothing else. A reply that was cleared keeps the words that were heard of it and its
tool calls with their results, or disappears. No clock and no I/O in here: what was heard is the ledger's account.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from voiceflow.processors.llm.messages import Message, ToolCall

if TYPE_CHECKING:
    from voiceflow.reply import Reply

CONNECTED = "(The caller is on the line.)"
"""Stands for the user where the agent spoke first: providers and chat templates want the user to begin."""
GO_ON = "(Go on from where you stopped.)"
"""Stands for the user where a sound interrupted the answer, and it goes on."""
RUNNING = "(still running)"
"""The result of a tool that an interruption left running."""
OVERHEAD = 40
"""What a turn costs besides its characters: roles, ids, and `CONNECTED` where that begins the request."""


class Round(msgspec.Struct):
    """Tools that the model called at one point of its answer."""

    after: int
    """How many words of the answer come before."""
    calls: tuple[ToolCall, ...]
    results: list[str | None]
    """None while the tool runs."""


class Turn:
    """What the caller said, if anything, and the reply to it."""

    def __init__(self, reply: Reply | None) -> None:
        self.asked = ""
        self.said = ""
        """What the model has answered so far."""
        self.rounds: list[Round] = []
        self.goes_on = False
        """Whether it is the rest of the answer before it."""
        self.acted = False
        """Whether a tool spoke, hung up or did anything else to the call itself."""
        self._reply = reply

    @property
    def answered(self) -> bool:
        """Whether the caller notices anything of the reply: words, or what a tool does to the call."""
        text = self.said if self._reply is None else f"{self.said} {self._reply.text}"
        return self.acted or has_words(text)

    @property
    def interrupted(self) -> bool:
        """Whether the reply was cut short: what its work still does is nobody's wish any more."""
        return self._reply is not None and self._reply.interrupted

    @property
    def heard(self) -> str:
        """What was heard of the reply, and while it runs, what is still due."""
        reply = self._reply
        if reply is None:
            return self.said  # of a call that is being ended: nobody keeps account any more
        if not reply.done.done():
            return reply.text.strip()
        # A voice that marks no sentences leaves `heard` empty; so does one that failed, and is not heard at all.
        return reply.heard or ("" if reply.interrupted or not reply.seconds else reply.text.strip())

    @property
    def vanished(self) -> bool:
        """Whether nothing is left of it."""
        over = self._reply is not None and self._reply.done.done()
        return over and not (self.asked or self.rounds or self.heard)

    def call(self, calls: Sequence[ToolCall]) -> Round:
        """Note that the model called these tools."""
        done = Round(len(self.said.split()), tuple(calls), [None] * len(calls))
        self.rounds.append(done)
        return done

    def messages(self, text: str) -> list[Message]:
        """The turn with `text` as its answer."""
        messages = [Message("user", self.asked)] if self.asked else []
        begin = 0
        ends = [word.end() for word in re.finditer(r"\S+", text)]
        for step in self.rounds:
            end = ends[min(step.after, len(ends)) - 1] if step.after and ends else 0
            messages.append(Message("assistant", text[begin:end].strip(), step.calls))
            for call, result in zip(step.calls, step.results, strict=True):
                messages.append(Message("tool", RUNNING if result is None else result, tool_call_id=call.id))
            begin = end
        rest = text[begin:].strip()
        return [*messages, Message("assistant", rest)] if rest else messages


class History:
    """One call's conversation.

    `budget` is how many characters a request may have besides the system prompt. The oldest turns go first, whole:
    a question with its answer, a tool call with its result. The turn that is being answered always stays.
    """

    def __init__(self, system: str, budget: int) -> None:
        self.system = system
        self.budget = budget
        self._turns: list[Turn] = []
        self._claimed: Turn | None = None

    def announce(self, reply: Reply) -> None:
        """A reply takes its place."""
        left = [turn for turn in self._turns if not turn.vanished]
        self._turns = [*self._newest(left, OVERHEAD), Turn(reply)]

    def ask(self, text: str) -> Turn:
        """The caller said `text`; the reply that was announced last answers it."""
        if not self._turns or self._turns[-1] is self._claimed:
            self._turns.append(Turn(None))
        turn = self._claimed = self._turns[-1]
        turn.asked = text
        return turn

    def go_on(self) -> Turn:
        """The reply that was announced last goes on with the answer before it."""
        turn = self.ask("")
        turn.goes_on = True
        return turn

    def request(self, own: Turn) -> list[Message]:
        """What to ask the model, so that it goes on with the answer of `own`."""
        earlier = self._turns[: self._turns.index(own)] if own in self._turns else []
        asking = own.messages(own.said)
        earlier = self._newest(earlier, _cost(asking))
        messages = _merged([message for turn in earlier for message in turn.messages(turn.heard)] + asking)
        if own.goes_on and not own.said:
            messages.append(Message("user", GO_ON))
        if messages[0].role != "user":
            messages.insert(0, Message("user", CONNECTED))
        return [Message("system", self.system), *messages] if self.system else messages

    def _newest(self, turns: list[Turn], cost: int) -> list[Turn]:
        """The last of `turns`, as many as the budget allows when `cost` of it is spent."""
        for place in range(len(turns) - 1, -1, -1):
            cost += _cost(turns[place].messages(turns[place].heard))
            if cost > self.budget:
                return turns[place + 1 :]
        return turns


def has_words(text: str) -> bool:
    """Dots and emoji cannot be spoken."""
    return any(map(str.isalnum, text))


def _cost(messages: list[Message]) -> int:
    texts = [part for m in messages for part in (m.content, *(call.name + call.arguments for call in m.tool_calls))]
    return OVERHEAD + sum(map(len, texts)) if messages else 0


def _merged(messages: list[Message]) -> list[Message]:
    """Roles alternate: a caller who went on before the reply began said one thing, and so did an agent that said two
    things in a row."""
    merged: list[Message] = []
    for message in messages:
        last = merged[-1] if merged else None
        if last is not None and last.role == message.role != "tool" and not last.tool_calls:
            merged[-1] = Message(message.role, f"{last.content} {message.content}".strip(), message.tool_calls)
        else:
            merged.append(message)
    return merged
