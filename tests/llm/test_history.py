"""A request holds what was heard and what is still due before its own reply, nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from doubles import virtual
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow.processors.llm import Message, ToolCall
from voiceflow.processors.llm.history import History, Turn
from voiceflow.reply import Reply
from voiceflow.words import ENGLISH


def user(text: str) -> Message:
    return Message("user", text)


def agent(text: str, *calls: ToolCall) -> Message:
    return Message("assistant", text, calls)


class Conversation:
    """A history, and the engine's part in it: replies that are announced and filled."""

    def __init__(self, budget: int = 10_000, system: str = "") -> None:
        self.history = History(system, budget)

    def reply(self, text: str = "") -> Reply:
        reply = Reply()
        self.history.announce(reply)
        reply.text = text
        return reply

    def ask(self, text: str) -> tuple[Turn, Reply]:
        reply = self.reply()
        return self.history.ask(text), reply

    def answer(self, asked: str, text: str, *, heard: str | None = None) -> Turn:
        """A turn that is over; `heard` is what was heard of it before an interruption."""
        turn, reply = self.ask(asked)
        turn.said = reply.text = text
        reply.heard = text if heard is None else heard
        reply.finish(1.0, interrupted=heard is not None)
        return turn

    def asked(self, text: str) -> list[Message]:
        """The request for a new turn."""
        turn, _ = self.ask(text)
        return self.history.request(turn)


def in_loop(test: Callable[[], None]) -> Callable[[], None]:
    """Replies belong to a loop."""

    def run() -> None:
        async def main() -> None:
            test()

        virtual(main())

    run.__name__ = test.__name__
    return run


CALL = ToolCall("1", "weather", '{"city": "Oslo"}')


@in_loop
def test_the_system_prompt_comes_first_and_what_the_caller_said_last():
    talk = Conversation(system="Be brief.")
    talk.answer("hi", "Hello.")
    assert talk.asked("how are you") == [
        Message("system", "Be brief."),
        user("hi"),
        agent("Hello."),
        user("how are you"),
    ]


@in_loop
def test_an_interrupted_reply_holds_the_words_that_were_heard():
    talk = Conversation()
    talk.answer("hi", "Hello, how can I help you?", heard="Hello, how")
    assert talk.asked("stop") == [user("hi"), agent("Hello, how"), user("stop")]


@in_loop
def test_of_a_reply_that_was_interrupted_before_its_first_word_nothing_is_left():
    talk = Conversation()
    talk.answer("the weather", "It is sunny.", heard="")
    assert talk.asked("in Paris") == [user("the weather in Paris")]


@in_loop
def test_a_reply_that_is_still_being_said_counts_with_what_is_due():
    talk = Conversation()
    _, reply = talk.ask("hi")
    reply.text, reply.heard = "Hello. How are you?\n", "Hello."
    assert talk.asked("well")[1] == agent("Hello. How are you?")


@in_loop
def test_a_voice_that_tells_no_words_is_taken_to_have_said_all():
    talk = Conversation()
    _, reply = talk.ask("hi")
    reply.text, reply.start = "Hello.", 0.0
    reply.finish(1.0)
    assert talk.asked("well")[1] == agent("Hello.")


@in_loop
def test_of_a_reply_of_which_no_audio_came_nothing_was_heard():
    talk = Conversation()
    _, reply = talk.ask("hi")
    reply.text, reply.start = "Your code is 4711.", 1.0
    reply.finish(1.0)
    assert talk.asked("well") == [user("hi well")]


@in_loop
def test_what_else_the_agent_says_has_its_place():
    talk = Conversation()
    talk.reply("Welcome.")
    talk.answer("hi", "Hello.")
    talk.reply("Are you still there?")
    assert talk.asked("yes") == [
        user(ENGLISH.connected),
        agent("Welcome."),
        user("hi"),
        agent("Hello. Are you still there?"),
        user("yes"),
    ]


@in_loop
def test_what_is_to_be_said_after_a_reply_is_not_part_of_its_request():
    talk = Conversation()
    turn, _ = talk.ask("hi")
    talk.reply("Your time is up.")
    assert talk.history.request(turn) == [user("hi")]


@in_loop
def test_tools_stand_where_they_were_called_with_their_results():
    talk = Conversation()
    turn, reply = talk.ask("the weather")
    turn.said = reply.text = "Let me see.\n"
    done = turn.call([CALL])
    done.results[0] = "sunny"
    asking = [user("the weather"), agent("Let me see.", CALL), Message("tool", "sunny", tool_call_id="1")]
    assert talk.history.request(turn) == asking
    reply.heard = "Let me see. It is sunny."
    reply.finish(1.0)
    assert talk.asked("thanks") == [*asking, agent("It is sunny."), user("thanks")]


@in_loop
def test_an_interrupted_reply_keeps_its_tool_calls_though_none_of_its_words_were_heard():
    talk = Conversation()
    turn, reply = talk.ask("book it")
    turn.said = "Of course. "
    done = turn.call([CALL])
    reply.finish(0.0, interrupted=True)
    results = [agent("", CALL), Message("tool", ENGLISH.running, tool_call_id="1")]
    assert talk.asked("wait") == [user("book it"), *results, user("wait")]
    done.results[0] = "booked"
    assert talk.asked("well")[2] == Message("tool", "booked", tool_call_id="1")


@in_loop
def test_the_oldest_turns_go_first_and_whole():
    talk = Conversation(budget=260)
    turn = talk.answer("question one", "x" * 50)
    turn.call([CALL]).results[0] = "sunny"
    talk.answer("question two", "y" * 50)
    assert [m.content for m in talk.asked("three")] == ["question two", "y" * 50, "three"]


@in_loop
def test_the_turn_that_is_answered_stays_however_long_it_is():
    talk = Conversation(budget=100, system="Be brief.")
    talk.answer("one", "two")
    assert talk.asked("z" * 500) == [Message("system", "Be brief."), user("z" * 500)]


@in_loop
def test_a_call_of_hours_takes_no_more_memory_than_its_budget():
    talk = Conversation(budget=1000)
    for number in range(2000):
        talk.answer(f"question {number}", "an answer", heard=None if number % 3 else "")
        talk.reply("still there?").finish(0.0)
        talk.reply().finish(0.0)  # work in which nothing was said
    assert len(talk.history._turns) < 30


@in_loop
def test_work_in_which_nothing_was_said_costs_nothing():
    talk = Conversation(budget=200)
    talk.answer("hi", "Hello.")
    for _ in range(1000):
        talk.reply().finish(0.0)
    assert talk.asked("well") == [user("hi"), agent("Hello."), user("well")]
    assert len(talk.history._turns) < 5


# Random conversations

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "generate", "call", "result", "hear", "done", "clear", "say", "nothing"]),
        st.integers(1, 6),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([100, 400, 100_000]))
@settings(deadline=None, max_examples=200)
def test_any_conversation_makes_requests_that_providers_take_and_callers_know(steps, budget):
    async def main() -> None:
        Interleaving(budget).run(steps)

    virtual(main())


class Interleaving:
    """Whatever may happen in a call, in any order; every word is said once, so that each can be told."""

    def __init__(self, budget: int) -> None:
        self.talk = Conversation(budget, "system")
        self.words = (f"w{number}" for number in itertools.count())
        self.told: list[tuple[list[str], Reply]] = []
        """What the caller said, and the reply to it."""
        self.own: tuple[Turn, Reply] | None = None

    def some(self, count: int) -> list[str]:
        return list(itertools.islice(self.words, count))

    def run(self, steps: list[tuple[str, int]]) -> None:
        for step, count in steps:
            getattr(self, step)(count)
            if self.own is not None and not self.own[1].interrupted:
                self.check(self.talk.history.request(self.own[0]))

    def ask(self, count: int) -> None:
        words = self.some(count)
        self.own = self.talk.ask(" ".join(words))
        self.told.append((words, self.own[1]))

    def generate(self, count: int) -> None:
        """The request in between is checked before this is said: what was generated in one go has no request."""
        if self.own is None or self.own[1].done.done():
            return
        turn, reply = self.own
        words = " ".join(self.some(count))
        reply.text = f"{reply.text} {words}"
        turn.said = f"{turn.said} {words}"
        self.call(1)

    def call(self, count: int) -> None:
        if self.own is not None and not self.own[1].done.done():
            calls = [ToolCall(word, "tool", "{}") for word in self.some(count)]
            self.own[0].call(calls)

    def result(self, count: int) -> None:
        if self.own is not None and self.own[0].rounds:
            self.own[0].rounds[-1].results[0] = "result"

    def hear(self, count: int) -> None:
        for _, reply in self.told:
            if not reply.done.done():
                words = reply.text.split()
                known = len(reply.heard.split())
                reply.heard = " ".join(words[: known + count])
                break

    def done(self, count: int) -> None:
        for _, reply in self.told:
            if not reply.done.done():
                reply.heard = " ".join(reply.text.split())
                reply.finish(1.0)
                break

    def clear(self, count: int) -> None:
        for _, reply in self.told:
            if not reply.done.done():
                reply.finish(1.0, interrupted=True)

    def say(self, count: int) -> None:
        self.told.append(([], self.talk.reply(" ".join(self.some(count)))))

    def nothing(self, count: int) -> None:
        self.talk.reply().finish(0.0)

    def check(self, request: list[Message]) -> None:
        assert self.own is not None
        system, *messages = request
        assert system == Message("system", "system")
        assert messages[0].role == "user"
        assert messages[-1].role in ("user", "tool")
        for one, two in itertools.pairwise(messages):
            assert one.role != two.role or one.role == "tool"
        waiting: list[str] = []
        for message in messages:
            if message.role == "tool":
                assert message.tool_call_id == waiting.pop(0)
            else:
                assert not waiting
                waiting = [call.id for call in message.tool_calls]
        assert not waiting
        known = []
        for asked, reply in self.told:
            known += asked
            if reply is self.own[1]:
                known += self.own[0].said.split()
                break
            over = reply.done.done() and (reply.interrupted or reply.heard)
            known += (reply.heard if over else reply.text).split()
        shown = [m.content for m in messages if m.role != "tool" and m.content != ENGLISH.connected]
        words = " ".join(shown).split()
        assert words == known[len(known) - len(words) :]
        if len(words) < len(known):  # turns were left out: what is left is within the budget, or the turn itself
            size = sum(len(m.content) + sum(len(c.arguments) for c in m.tool_calls) for m in messages)
            own = self.own[0]
            assert size <= self.talk.history.budget or words == own.asked.split() + own.said.split()
        elif self.talk.history.budget == 100_000:
            assert words == known
