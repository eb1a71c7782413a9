"""Conversations written as one coroutine, for those who do not want to write processors, and a greeting.

async def talk(call: Call) -> None:
    name = await call.ask("Hello! What is your name?", timeout=5.0)
    await call.say(f"Nice to meet you, {name.text}." if name else "Never mind.")

def pipeline(call: Call) -> Pipeline:
    return call.source | SileroVAD() | WhisperSTT() | Dialog(talk) | PiperTTS() | call.sink
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from voiceflow.frames import DTMF, Transcript
from voiceflow.processor import Processor

if TYPE_CHECKING:
    from voiceflow.call import Call

Talk = Callable[["Call"], Coroutine[Any, Any, None]]
"""A coroutine function that leads a conversation with `call.say`, `ask`, `listen`, `digits` and `hangup`."""


class Dialog(Processor):
    """Speaks in place of a language model: runs the conversation `talk(call)` once the call has opened.

    When `talk` returns, the call is hung up; an exception that it raises ends the call. When the caller hangs up,
    whatever `talk` awaits of the call returns at once or is cancelled with the call: put what must happen then into a
    `finally`. Transcripts and keys are consumed. Raises `TypeError` unless `talk` is an `async def`.
    """

    speaks = True

    def __init__(self, talk: Talk) -> None:
        if not inspect.iscoroutinefunction(talk):
            raise TypeError(f"Dialog({talk!r}): a dialog is written `async def talk(call: Call) -> None`")
        self._talk = talk

    async def open(self, call: Call) -> None:
        async def lead() -> None:
            await self._talk(call)
            await call.hangup(force=True)  # `talk` is over: nothing would answer an interruption

        call.start(lead, self.name, leads=True)

    def process(self, frame: Transcript | DTMF) -> None:
        """Consume the frame. The call itself has seen it already: `listen`, `ask` and `digits` return it."""


class Greeting(Processor):
    """Says `text` when the call has opened, before the caller speaks; without it, a greeting in the call's language.
    Goes before the processor that speaks."""

    def __init__(self, text: str | None = None) -> None:
        self._text = text

    async def open(self, call: Call) -> None:
        async def greet() -> None:
            await call.say(self._text or call.words.greeting)

        call.start(greet, self.name)

    def process(self, frame: DTMF) -> DTMF:
        """Pass every key on. A processor has to consume some frame type, and every transport has keys."""
        return frame
