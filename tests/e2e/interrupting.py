"""A caller who interrupts a storyteller, and what came of it: on the wire, in the caller's ear, in the next request."""

from __future__ import annotations

import msgspec
from e2e.conversing import Conversation
from e2e.engines import say, understood, words, words_heard
from e2e.llm_server import LanguageModel

from voiceflow.frames import AudioRaw

QUESTION, STOP = "Tell me a story about a farmer.", "Stop, please."
AFTER = (1.0, 2.0, 1.4, 2.6, 1.7)
"""Seconds of an answer until the caller interrupts it."""


class Interruption(msgspec.Struct):
    cleared: float
    """When `clear` came, by `time.monotonic`."""
    stale: int
    """Pieces of the agent's audio that came between that and the next request."""
    said: str
    """What the agent was about to say."""
    remembered: str
    """What the agent has said, according to the next request."""
    played: AudioRaw
    """What of it the caller has heard."""

    @property
    def words_apart(self) -> int:
        """By how many words the memory differs from what was heard, as Whisper understands it, which listens twice: of
        audio that breaks off it sometimes leaves out the last words. The word in which the caller interrupted may count
        or not."""
        remembered, pause = len(words(self.remembered)), bytes(self.played.format.bytes_for(1.0))
        listened = (self.played, AudioRaw(self.played.data + pause, self.played.format))
        heard = [words_heard(self.said, understood(audio)) for audio in listened]
        return min(abs(count - last - remembered) for count in heard for last in (0, 1))


def prepare() -> None:
    """Have the caller's lines made before the call: in it that would keep the phone from its work."""
    say(QUESTION), say(STOP)


async def interrupt(call: Conversation, model: LanguageModel, after: float) -> Interruption:
    """Ask for a story, over the greeting, and interrupt it when so many seconds of it were heard."""
    asked = len(model.asked)
    await call.say(say(QUESTION))
    await call.until(lambda: len(model.asked) > asked)  # from here on the greeting is over
    story, start = model.asked[-1], call.heard
    await call.agent_has_spoken(start, after)
    clears = len(call.clears)
    call.interrupt(say(STOP))
    await call.until(lambda: len(call.clears) > clears)
    cleared, end = call.clears[clears], call.heard
    await call.until(lambda: model.asked[-1] is not story)
    request = model.asked[-1]
    stale = sum(cleared <= at < request.at for at in call.audio_at)
    before = request.messages[-2]
    remembered = str(before["content"]) if before["role"] == "assistant" else ""
    return Interruption(cleared, stale, story.answer, remembered, call.heard_since(start, end))
