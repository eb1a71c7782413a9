"""`voiceflow run --transcript`: prints conversations, line by line as they are heard, for developers of pipelines.

    call 0123456789ab 0:01.2 agent: Hello! How can I help you?
    call 0123456789ab 0:03.9 caller: A table for two, please.
    call 0123456789ab 0:05.1 agent: For which [not heard: day would you like it?]
    call 0123456789ab 0:06.0 caller pressed 1
    call 0123456789ab 0:09.4 over

The id is that of the call's lines in the log. The times, minutes and seconds of the call, are when a line began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from voiceflow.frames import DTMF, AudioRaw, End, Frame, Transcript
from voiceflow.logs import masked

from .logs import escaped

if TYPE_CHECKING:
    from voiceflow.call import Build, Call
    from voiceflow.pipeline import Element
    from voiceflow.reply import Reply


def _print(line: str) -> None:
    click.echo(line, err=True)


def printed(build: Build, tell: Callable[[str], object] = _print) -> Build:
    """`build` for calls whose conversations are told to `tell`, line by line: on standard error, where the log is."""

    def followed(call: Call) -> Element:
        PrintedCall(call, tell)
        return build(call)

    return followed


class PrintedCall:
    """Follows one call. To be made before it runs."""

    def __init__(self, call: Call, tell: Callable[[str], object]) -> None:
        self._call = call
        self._tell = tell
        self._replies: dict[Reply, float | None] = {}
        """Those that are not told yet, and when each began to be heard."""
        self._deaf: Callable[[], None] | None = None
        """Stops listening for the beginning of replies."""
        call.on_heard(self._heard)
        call.on_reply(self._replied)

    def _heard(self, frame: Frame) -> None:
        """The caller said or did something."""
        match frame:
            case Transcript(final=True) if frame.text.strip():
                self._line(f"caller: {frame.text}", frame.start or self._call.elapsed)
            case DTMF():
                self._line(f"caller pressed {frame.digit}", self._call.elapsed)
            case End():
                asyncio.get_running_loop().call_soon(self._close)

    def _replied(self, reply: Reply) -> None:
        self._replies[reply] = None
        self._await(reply)
        if self._deaf is None:
            self._deaf = self._call.on_played(self._played)

    def _await(self, reply: Reply) -> None:
        reply.done.add_done_callback(lambda done: self._done(reply, done))

    def _played(self, audio: AudioRaw, at: float) -> None:
        """A piece of the agent's audio will be heard `at` this time: the first of a reply is where that begins."""
        now = self._call.elapsed + at - asyncio.get_running_loop().time()
        for reply, began in self._replies.items():
            if began is None and reply.start is not None:
                self._replies[reply] = now
        if None not in self._replies.values():
            self._rest()

    def _rest(self) -> None:
        if self._deaf is not None:
            self._deaf()
            self._deaf = None

    def _done(self, reply: Reply, done: asyncio.Future[float]) -> None:
        if reply.done is done:
            self._tell_reply(reply)
        else:  # it goes on
            self._await(reply)

    def _tell_reply(self, reply: Reply) -> None:
        if reply not in self._replies:
            return
        began = self._replies.pop(reply)
        if words := _words(reply):
            now = self._call.elapsed
            self._line(f"agent: {words}", now if began is None else min(began, now))

    def _close(self) -> None:
        """The call is over: of a reply that was under way, what was heard until then is all."""
        for reply in list(self._replies):
            self._tell_reply(reply)
        self._rest()
        self._line("over", self._call.elapsed)

    def _line(self, text: str, seconds: float) -> None:
        minutes, tenths = divmod(round(seconds * 10), 600)
        said = escaped(masked(" ".join(text.split())))
        self._tell(f"call {self._call.id} {minutes}:{tenths // 10:02d}.{tenths % 10} {said}")


def _words(reply: Reply) -> str:
    """What was heard of a reply, and what was not. Empty for one of which nothing was to be heard."""
    text, heard = reply.text.split(), reply.heard.split()
    whole = reply.done.done() and not reply.interrupted and reply.seconds > 0
    if whole:
        return " ".join(heard or text) or f"(sound, {reply.seconds:.1f} s)"
    if not heard and not text:
        return f"(sound, {reply.seconds:.1f} s, interrupted)" if reply.seconds > 0 else ""
    lost = " ".join(text[len(heard) :])
    return " ".join(filter(None, (*heard, lost and f"[not heard: {lost}]")))
