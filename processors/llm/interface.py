"""The base class of language models: turns in, words out, and no silence when the model fails."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from voiceflow.errors import ProviderConnectionError
from voiceflow.frames import Error, LLMCut, LLMText, Transcript
from voiceflow.processor import Processor
from voiceflow.processors.llm.generation import Generation, Withdrawn
from voiceflow.processors.llm.history import History, Turn, has_words
from voiceflow.processors.llm.messages import CutShort, Message, ToolCall
from voiceflow.processors.llm.pieces import Answer, Piece
from voiceflow.processors.llm.refusals import ContextFullError, RequestRefusedError
from voiceflow.processors.llm.tools import Tool, Toolbox
from voiceflow.processors.resume_reply import ResumeReply

if TYPE_CHECKING:
    from voiceflow.call import Call

ROUNDS = 5
"""How many times in a row the model may call tools before it answers."""
CALLS = 8
"""How many tools the model may call at once."""
FINISH_SECONDS, CLOSE_SECONDS = 4.0, 0.5
"""Seconds that running tools have when the call drains, and when it closes: a little less than the engine's limits."""


class LLMOptions(TypedDict, total=False):
    """The keyword arguments of every model."""

    system: str
    """The system prompt."""
    history: int
    """How many characters of conversation a request has at most, besides the system prompt; 20 000 are about 5 000
    tokens. The oldest turns go first. Where the model's context is smaller, that is learned when it is full."""
    max_tokens: int
    """How many tokens a reply may have. 300 are two minutes of speech."""
    temperature: float | None
    """How varied the answers are: 0 is the least. None leaves it to the model."""
    tools: Sequence[Callable[..., Any]]
    """Functions that the model may call: see tools.py."""
    timeout: float
    """How many seconds the model may take to its first word, and from one to the next. Waiting for a thread, where
    `chat` is not async, is not counted."""


class LLM(Processor):
    """A language model. Subclass it and write `chat(self, messages)`: a function that returns the answer, or a
    generator that yields it piece by piece; either may be `async`, and runs in a thread if it is not. The last of
    `messages` is the one to answer.

    Answers final transcripts, each turn once. If the model fails, an `Error` frame follows and the caller hears an
    apology. To call functions of `self.tools`, `chat` yields a `ToolCall` for each; it is called again with results.
    """

    overlap = True
    needs = Transcript
    """Without turns of the caller's there is nothing to answer."""

    thinks_first: bool | None = None
    """Whether an answer is held back until a thought ends that has no beginning, or the answer does. Where it is None,
    the first words decide. The answers show it."""

    def __init__(
        self,
        *,
        system: str = "",
        history: int = 20_000,
        max_tokens: int = 300,
        temperature: float | None = None,
        tools: Sequence[Callable[..., Any]] = (),
        timeout: float = 12.0,
    ) -> None:
        if getattr(self.chat, "__func__", None) is LLM.chat:
            raise TypeError(f"{self.name} has no `chat`: write `def chat(self, messages: list[Message]) -> str`")
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.timeout = timeout
        self._history = History(system, history)
        self._toolbox = Toolbox(tools)

    def chat(self, messages: list[Message]) -> Answer:
        """The answer to the last of `messages`, or its pieces."""
        raise NotImplementedError

    @property
    def model_key(self) -> Any:
        """All arguments but prompt and tools: those may be made for one call, and `load` does not depend on them."""
        return {name: value for name, value in super().model_key.items() if name not in ("system", "tools")}

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that the model may call."""
        return self._toolbox.tools

    async def open(self, call: Call) -> None:
        call.on_reply(self._history.announce)

    async def process(self, frame: Transcript | ResumeReply) -> AsyncIterator[LLMText | LLMCut | Error]:
        if isinstance(frame, ResumeReply):
            turn = self._history.go_on()
        else:
            text = frame.text.strip()
            if not frame.final or not text:
                return
            turn = self._history.ask(text)
        self._history.words = self.call.words
        try:
            async with contextlib.aclosing(self._answer(turn)) as answer:
                async for part in answer:
                    yield part
        except ProviderConnectionError as error:
            failure = str(error)
            if isinstance(error, RequestRefusedError):
                self._history.forget(turn)
            self.call.log.warning("%s: %s", self.name, failure)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            self.call.log.warning("%s: %s", self.name, failure, exc_info=error)
        else:
            return
        if turn.interrupted:
            return
        yield Error(failure, self.name)
        words = self.call.words
        if has_words(turn.said):
            yield LLMText(f"\n{words.lost_thought}\n")  # newlines end the sentence that broke off
        else:
            yield LLMText("\n" + words.cannot_think if turn.said else words.cannot_think)

    async def finish(self) -> None:
        await self._toolbox.finish(FINISH_SECONDS)

    async def close(self) -> None:
        await self._toolbox.close(CLOSE_SECONDS)

    async def _answer(self, turn: Turn) -> AsyncGenerator[LLMText | LLMCut, None]:
        """Yield what to say in `turn`, as it comes; between its parts, run the tools that the model calls."""
        for used in range(ROUNDS + 1):
            before, cut = len(turn.said), False
            calls: list[ToolCall] = []
            async with contextlib.aclosing(self._ask(turn)) as generated:
                async for piece in generated:
                    match piece:
                        case ToolCall():
                            calls.append(piece)
                            if len(calls) == CALLS:
                                break
                        case CutShort():
                            cut = True
                            yield LLMCut()
                        case Withdrawn():
                            turn.said = turn.said[:before]
                            self.call.clear()
                        case _:
                            turn.said += piece
                            yield LLMText(piece)
            if not calls:
                break
            if used == ROUNDS:
                raise ProviderConnectionError(f"the model called tools {ROUNDS} times in a row and did not answer")
            if len(turn.said) > before:
                turn.said += "\n"
                yield LLMText("\n")  # ends the sentence: it is spoken before the tools are done
            await self._toolbox.run(calls, turn, self.call)
        if not (turn.answered or turn.goes_on):
            thought = f" within {self.max_tokens} tokens: thoughts count as well" if cut else ""
            raise ProviderConnectionError(f"the model answered nothing{thought}")

    async def _ask(self, turn: Turn) -> AsyncGenerator[Piece | Withdrawn, None]:
        """Ask for the answer of `turn`, and yield it. A request that is refused for what it contains is never repeated:
        another one with less is made, once."""
        messages, again, taken = self._history.request(turn), False, False
        while True:
            try:
                async with contextlib.aclosing(self._generate(messages)) as generated:
                    async for piece in generated:
                        if not taken:
                            taken = True
                            self._history.accept(turn)
                        yield piece
                return
            except RequestRefusedError as error:
                if again or taken:
                    raise
                if isinstance(error, ContextFullError):
                    self._history.halve(turn)
                else:
                    self._history.doubt(turn)
                less = self._history.request(turn)
                if less == messages:
                    raise
                self.call.log.warning("%s: %s. Asked again with less of the conversation", self.name, error)
            messages, again = less, True

    async def _generate(self, messages: list[Message]) -> AsyncGenerator[Piece | Withdrawn, None]:
        """Yield what may be spoken of the model's answer to `messages`, and its tool calls."""
        tools, thinks = self._toolbox.parameters, self.thinks_first
        generation = Generation(tools, thinks=thinks, max_tokens=self.max_tokens, timeout=self.timeout)
        async with contextlib.aclosing(generation.read(self.chat, messages)) as answer:
            async for piece in answer:
                if isinstance(piece, CutShort):
                    why = (self.name, piece.reason, self.max_tokens)
                    self.call.log.warning("%s: an answer breaks off (%s; max_tokens is %d)", *why)
                yield piece
        self._learn(generation.spoken.thought_aloud)

    def _learn(self, thought_aloud: bool) -> None:
        if thought_aloud and not self.thinks_first:
            self.call.log.warning(
                "%s: thoughts came as a part of the answer, without a beginning. From now on answers are held back "
                "until their thoughts end; a server that separates these saves that time (llama.cpp: "
                "--reasoning-format, vLLM: --reasoning-parser)",
                self.name,
            )
        self.thinks_first = thought_aloud
