"""The whole of it: a spoken question over a carrier's protocol, real engines, a spoken answer."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from e2e import interrupting
from e2e.conversing import Arrival, calling
from e2e.engines import say, understood
from e2e.interrupting import AFTER, Interruption, interrupt
from e2e.llm_server import LanguageModel
from e2e.serving import ECHO, STORYTELLER, Assistant

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.transports.dialect import Refusal

MULAW = AudioFormat("mulaw", 8_000)
GREETING = "hello how can i help you"
HOLD_LINE = "one moment please"


class Question(NamedTuple):
    provider: str
    format: AudioFormat
    text: str
    answer: str
    """A word that must be in it."""


QUESTIONS = (
    Question("twilio", MULAW, "Say the word banana.", "banana"),
    Question("telnyx", MULAW, "The train leaves in the morning.", "train"),
    Question("telnyx", AudioFormat("pcm16", 16_000), "Say the word banana.", "banana"),
)


class Heard(NamedTuple):
    greeting: AudioRaw
    answer: AudioRaw
    arrivals: list[Arrival]


def test_three_callers_at_once_are_greeted_and_answered(assistant: Assistant) -> None:
    for question in QUESTIONS:
        say(question.text)

    async def ask(question: Question) -> Heard:
        async with calling(assistant.url, ECHO, provider=question.provider, format=question.format) as call:
            await call.agent_has_spoken(0)
            await call.agent_is_quiet(0.5)
            greeting = call.heard_since(0)
            start, answer = call.heard, await call.answer(say(question.text))
            if await asyncio.to_thread(understood, answer) == HOLD_LINE:  # this machine is slow today
                await call.agent_has_spoken(call.heard)
                await call.agent_is_quiet()
                answer = call.heard_since(start)
            return Heard(greeting, answer, call.wire.arrivals)

    async def main() -> list[Heard]:
        return await asyncio.gather(*map(ask, QUESTIONS))

    for question, heard in zip(QUESTIONS, asyncio.run(main()), strict=True):
        assert understood(heard.greeting) == GREETING
        assert question.answer in understood(heard.answer), question
        assert not [arrival for arrival in heard.arrivals if isinstance(arrival.request, Refusal)], question


def test_an_interruption_leaves_nothing_stale_and_a_history_of_what_was_heard(
    assistant: Assistant, model: LanguageModel
) -> None:
    interrupting.prepare()

    async def main() -> list[Interruption]:
        made = []
        for after in AFTER:
            async with calling(assistant.url, STORYTELLER) as call:
                made.append(await interrupt(call, model, after))
        return made

    apart = []
    for interruption in asyncio.run(main()):
        assert interruption.stale == 0
        assert interruption.remembered
        assert interruption.said.startswith(interruption.remembered)
        apart.append((interruption.words_apart, interruption.remembered, understood(interruption.played)))
    *most, worst = sorted(apart)
    assert all(words <= 1 for words, *_ in most), apart
    assert worst[0] <= 3, apart  # Whisper does not always understand the beginning of a sentence that breaks off
