"""What the page is told of a conversation, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from doubles import Ear, Script, now
from talking import Interrupter, audio, run, talk

from voiceflow import (
    CANONICAL,
    DTMF,
    AudioRaw,
    Call,
    Frame,
    LLMText,
    Processor,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.captions import Captions
from voiceflow.transports.webrtc.messages import ToPage

Told = list[tuple[float, ToPage]]


class Page(Ear):
    """A sink that has captions."""

    captions: Captions

    def write_clear(self) -> None:
        super().write_clear()
        self.captions.clear()

    async def close(self) -> None:
        self.captions.close()


class FollowedCall(Call):
    """Keeps what the page was told, and when."""

    def __init__(self, *script: Frame | float, live: bool = False) -> None:
        page = Page(CANONICAL)
        super().__init__(Script(*script, live=live), page, transport="test")
        self.told: Told = []
        self.captions = page.captions = Captions(self, lambda message: self.told.append((now(), message)))


class Slow(Processor):
    """A model that thinks for half a second."""

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        await asyncio.sleep(0.5)
        yield LLMText(frame.text)


def told(*script: Frame | float, ears: tuple[Processor, ...] = ()) -> Told:
    call = FollowedCall(*script)
    run(call, talk(Slow(), ears=ears))
    return call.told


def test_the_page_sees_who_speaks_and_what_was_said() -> None:
    news = told(SpeechStarted(), 0.2, Transcript("go", final=False), 0.3, SpeechStopped(), Transcript("good"), 3.0)
    assert [message for _, message in news if isinstance(message, messages.PageSpeech | messages.PageTranscript)] == [
        messages.PageSpeech(True),
        messages.PageTranscript("go", False),
        messages.PageSpeech(False),
        messages.PageTranscript("good", True),
    ]


def test_the_agent_thinks_speaks_and_listens() -> None:
    news = told(Transcript("good"), 3.0)
    assert [(at, message) for at, message in news if isinstance(message, messages.PageState)] == [
        (0.0, messages.PageState("thinking")),
        (0.5, messages.PageState("speaking")),
        (1.1, messages.PageState("listening")),  # what has left is still in the browser
    ]


def test_a_reply_is_told_when_it_is_spoken_and_again_when_it_was_heard() -> None:
    news = told(Transcript("good"), 3.0, Transcript("day"), 3.0)
    assert [(at, message) for at, message in news if isinstance(message, messages.PageReply)] == [
        (0.5, messages.PageReply(1, "good", "", False, False)),
        (0.9, messages.PageReply(1, "good", "good", True, False)),
        (3.5, messages.PageReply(2, "day", "", False, False)),
        (3.8, messages.PageReply(2, "day", "day", True, False)),
    ]


def test_an_interruption_is_told_at_once_with_what_was_heard() -> None:
    news = told(Transcript("one two three four five"), 1.5, DTMF("1"), 3.0, ears=(Interrupter(),))
    after = [message for at, message in news if at == 1.5]
    assert after == [
        messages.PageClear(),
        messages.PageState("listening"),
        messages.PageReply(1, "one two three four five", "one two", True, True),
    ]


def test_a_reply_of_which_nothing_was_said_is_not_told() -> None:
    class Mute(Processor):
        async def process(self, frame: Transcript) -> LLMText | None:
            return None

    call = FollowedCall(Transcript("hm"), 1.0)
    run(call, talk(Mute()))
    assert not [message for _, message in call.told if isinstance(message, messages.PageReply)]
    assert call.told[-1][1] == messages.PageState("listening")


def test_an_echo_is_speech_without_words() -> None:
    spoken: list[AudioRaw | float] = [audio(0.02), 0.02] * 10
    call = FollowedCall(*spoken, live=True)
    run(call, lambda call: call.source | call.sink)
    assert {type(message) for _, message in call.told} <= {messages.PageState, messages.PageClear}
    assert call.told[0][1] == messages.PageState("speaking")
