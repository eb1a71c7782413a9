"""The conversation as the caller heard it, and the requests to the model that are made from it.

A reply takes its place when it begins and is filled as it is heard. A request contains what was heard, and what will
be heard before the reply that it asks for, nothing else. A reply that was cleared keeps the words that were heard of it
and its tool calls with their results; if there are neither, it disappears. No clock and no I/O in here: a `Reply`
tells what was heard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from voiceflow.processors.llm.messages import Message, ToolCall
from voiceflow.words import ENGLISH

if TYPE_CHECKING:
    from voiceflow.reply import Reply

OVERHEAD = 40
"""Characters of the budget that a turn costs besides its text: roles, ids, and `words.connected` if it comes first."""


class Round(msgspec.Struct):
    """Tools that the model called at one point of its answer, and their results."""

    after: int
    """How many words of the answer come before the calls."""
    calls: tuple[ToolCall, ...]
    results: list[str | None]
    """None while the tool runs."""


class Turn:
    """What the caller said, if anything, and the reply to it."""

    def __init__(self, reply: Reply | None) -> None:
        self.asked = ""
        """What the caller said; empty if the agent spoke first."""
        self.said = ""
        """What the model has answered so far."""
        self.rounds: list[Round] = []
        self.goes_on = False
        """Whether it is the rest of the answer before it."""
        self.acted = False
        """Whether a tool spoke, hung up or did anything else to the call itself."""
        self.accepted = False
        """Whether the model has taken a request with all of this turn."""
        self._reply = reply

    @property
    def answered(self) -> bool:
        """Whether the caller notices anything of the reply: words, or what a tool does to the call."""
        text = self.said if self._reply is None else f"{self.said} {self._reply.text}"
        return self.acted or has_words(text)

    @property
    def interrupted(self) -> bool:
        """Whether the reply was cut short: nobody wants the rest of its work any more."""
        return self._reply is not None and self._reply.interrupted

    @property
    def heard(self) -> str:
        """The words of the reply that were heard; while it is being spoken, also those that are still to be heard."""
        reply = self._reply
        if reply is None:
            return self.said  # the call is ending: what is heard is not tracked any more
        if not reply.done.done():
            return reply.text.strip()
        # `heard` is empty for a voice without marks, and for one that failed and was not heard at all.
        return reply.heard or ("" if reply.interrupted or not reply.seconds else reply.text.strip())

    @property
    def vanished(self) -> bool:
        """Whether the reply is over and nothing is left of the turn."""
        over = self._reply is not None and self._reply.done.done()
        return over and not (self.asked or self.rounds or self.heard)

    def call(self, calls: Sequence[ToolCall]) -> Round:
        """Record that the model called these tools."""
        done = Round(len(self.said.split()), tuple(calls), [None] * len(calls))
        self.rounds.append(done)
        return done

    def messages(self, text: str, running: str = ENGLISH.running) -> list[Message]:
        """The messages of the turn, with `text` as its answer, and `running` as the result of tools that have none."""
        messages = [Message("user", self.asked)] if self.asked else []
        begin = 0
        ends = [word.end() for word in re.finditer(r"\S+", text)]
        for step in self.rounds:
            end = ends[min(step.after, len(ends)) - 1] if step.after and ends else 0
            messages.append(Message("assistant", text[begin:end].strip(), step.calls))
            for call, result in zip(step.calls, step.results, strict=True):
                messages.append(Message("tool", running if result is None else result, tool_call_id=call.id))
            begin = end
        rest = text[begin:].strip()
        return [*messages, Message("assistant", rest)] if rest else messages


class History:
    """One call's conversation.

    `budget` is how many characters a request may have besides the system prompt. The oldest turns are left out first,
    whole: a question with its answer, a tool call with its result. The turn that is being answered always stays.
    """

    def __init__(self, system: str, budget: int) -> None:
        self.system = system
        self.budget = budget
        self.words = ENGLISH
        """The sentences of our own in requests."""
        self._turns: list[Turn] = []
        self._claimed: Turn | None = None
        """The turn of what the caller said last."""
        self._undoubted: list[Turn] = []
        """The turns before some were left out for being what the model may have refused."""
        self._refused = False
        """Whether the model has refused the turn before, also without what was left out."""

    def announce(self, reply: Reply) -> None:
        """Append the turn of `reply`, which begins. Turns of which nothing is left or beyond the budget are dropped."""
        left = [turn for turn in self._turns if not turn.vanished]
        self._turns = [*self._newest(left, OVERHEAD), Turn(reply)]

    def ask(self, text: str) -> Turn:
        """Record that the caller said `text`. Returns its turn: the reply that was announced last answers it."""
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
        """The messages to which the model replies with the answer of the turn `own`, or the rest of it."""
        asking = _within(self.budget, own.messages(own.said, self.words.running))
        earlier = self._newest(self._before(own), _cost(asking))
        messages = _merged(
            [each for turn in earlier for each in turn.messages(turn.heard, self.words.running)] + asking
        )
        if own.goes_on and not own.said:
            messages.append(Message("user", self.words.go_on))
        if messages[0].role != "user":
            messages.insert(0, Message("user", self.words.connected))
        return [Message("system", self.system), *messages] if self.system else messages

    # What a model refuses must not be sent to it again unchanged: otherwise it refuses all turns that follow.

    def accept(self, own: Turn) -> None:
        """The model has taken the request for the answer of `own`."""
        self._undoubted, self._refused = [], False
        for turn in self._before(own):
            turn.accepted = True

    def halve(self, own: Turn) -> None:
        """The request for the answer of `own` was too long: leave out its older half, and as much of later ones."""
        asking = _cost(_within(self.budget, own.messages(own.said)))
        sent = self._newest(self._before(own), asking)
        self.budget = (asking + sum(_cost(turn.messages(turn.heard)) for turn in sent)) // 2

    def doubt(self, own: Turn) -> None:
        """The model refuses something in the request for the answer of `own`: leave out the turns before it that were
        in no request so far; where it has refused the turn before as well, all of them."""
        self._undoubted = self._turns
        doubted = [turn for turn in self._before(own) if self._refused or not turn.accepted]
        self._turns = [turn for turn in self._turns if turn not in doubted]

    def forget(self, own: Turn) -> None:
        """The model refuses the turn `own` itself: only what is heard of its reply is kept, and what was left out."""
        if self._undoubted and not self._refused:
            self._turns = self._undoubted + [turn for turn in self._turns if turn not in self._undoubted]
        self._undoubted, self._refused = [], True
        own.asked = ""
        own.rounds.clear()

    def _before(self, own: Turn) -> list[Turn]:
        return self._turns[: self._turns.index(own)] if own in self._turns else []

    def _newest(self, turns: list[Turn], cost: int) -> list[Turn]:
        """The last of `turns`, as many as fit into the budget after `cost` characters of it are spent."""
        for place in range(len(turns) - 1, -1, -1):
            cost += _cost(turns[place].messages(turns[place].heard))
            if cost > self.budget:
                return turns[place + 1 :]
        return turns


def has_words(text: str) -> bool:
    """Whether `text` can be spoken: dots and emoji cannot."""
    return any(map(str.isalnum, text))


def _cost(messages: list[Message]) -> int:
    texts = [part for m in messages for part in (m.content, *(call.name + call.arguments for call in m.tool_calls))]
    return OVERHEAD + sum(map(len, texts)) if messages else 0


def _within(budget: int, messages: list[Message]) -> list[Message]:
    """`messages` with the results of tools shortened, all by the same part, as far as the budget demands."""
    over = _cost(messages) - budget
    told = sum(len(message.content) for message in messages if message.role == "tool")
    if over <= 0 or not told:
        return messages
    part = max(0, told - over) / told
    return [
        msgspec.structs.replace(m, content=m.content[: int(len(m.content) * part)]) if m.role == "tool" else m
        for m in messages
    ]


def _merged(messages: list[Message]) -> list[Message]:
    """Join neighbouring messages of one role, because roles must alternate: a caller may have gone on before the reply
    began, and an agent may have said two things in a row."""
    merged: list[Message] = []
    for message in messages:
        last = merged[-1] if merged else None
        if last is not None and last.role == message.role != "tool" and not last.tool_calls:
            merged[-1] = Message(message.role, f"{last.content} {message.content}".strip(), message.tool_calls)
        else:
            merged.append(message)
    return merged
