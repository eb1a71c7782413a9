"""Captions of the conversation for the browser's page: the words of caller and agent, and how much of a reply was
heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from voiceflow.frames import AudioRaw, Frame, SpeechStarted, SpeechStopped, Transcript
from voiceflow.transports.webrtc import messages

if TYPE_CHECKING:
    from voiceflow.call import Call
    from voiceflow.reply import Reply


TAIL: Final = 0.2
"""Seconds for which a browser still plays audio out of its own jitter buffer after we have sent it."""


class Captions:
    """Follows one call and sends its captions to the page through `tell`. To be made before the call runs."""

    def __init__(self, call: Call, tell: Callable[[messages.ToPage], None]) -> None:
        self._call = call
        self._tell = tell
        self._replies: dict[int, Reply] = {}
        """The replies that are not done, by number."""
        self._told: dict[int, messages.PageReply] = {}
        """The last message to the page about each of them."""
        self._begun = 0
        self._speaking = False
        """Whether the agent is being heard."""
        self._state = messages.PageState("listening")
        self._timer: asyncio.TimerHandle | None = None
        call.on_heard(self._hear)
        call.on_reply(self._begin)
        call.on_played(self._played)

    def _hear(self, frame: Frame) -> None:
        """Tell the page what the caller says."""
        match frame:
            case Transcript():
                self._tell(messages.PageTranscript(frame.text, frame.final))
            case SpeechStarted():
                self._tell(messages.PageSpeech(True))
            case SpeechStopped():
                self._tell(messages.PageSpeech(False))

    def clear(self) -> None:
        """Tell the page that the agent was interrupted."""
        self._tell(messages.PageClear())
        self._speaking = False
        self._tell_state()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self, reply: Reply) -> None:
        self._begun += 1
        number = self._begun
        self._replies[number] = reply
        reply.done.add_done_callback(lambda _: self._end(number))
        self._tell_state()

    def _end(self, number: int) -> None:
        self._tell_reply(number, done=True)
        del self._replies[number]
        self._told.pop(number, None)
        self._tell_state()

    def _played(self, audio: AudioRaw, at: float) -> None:
        """A piece of the agent's audio was sent, to be heard `at` this time of the loop's clock. Each is an occasion to
        tell the page how far the replies have come."""
        for number in self._replies:
            self._tell_reply(number, done=False)
        self._speaking = True
        self._tell_state()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(at + audio.duration + TAIL, self._rest)

    def _rest(self) -> None:
        """Note that the agent has come to rest, or wait on if more audio was sent since."""
        loop, end = asyncio.get_running_loop(), self._call.play_end + TAIL
        self._timer = loop.call_at(end, self._rest) if end > loop.time() else None
        if self._timer is None:
            self._speaking = False
            self._tell_state()

    def _tell_reply(self, number: int, *, done: bool) -> None:
        reply = self._replies[number]
        news = messages.PageReply(number, reply.text.strip(), reply.heard, done, reply.interrupted)
        if (news.text or news.heard) and news != self._told.get(number):
            self._told[number] = news
            self._tell(news)

    def _tell_state(self) -> None:
        waiting = any(not reply.done.done() for reply in self._replies.values())
        now = messages.PageState("speaking" if self._speaking else "thinking" if waiting else "listening")
        if now != self._state:
            self._state = now
            self._tell(now)
