"""When the engines of a call are at work, and what is left of a turn without them.

Recognition, model and speech as users have them, but that each notes when it begins and when it is done. What is
between is the framework's: its queues, its threads, its frames, and whoever waits for the processor.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import msgspec

from voiceflow.processors import AutoLLM, PiperTTS, WhisperSTT
from voiceflow.processors.llm import Message
from voiceflow.processors.llm.pieces import Piece
from voiceflow.processors.stt import Transcription


class Work(msgspec.Struct):
    """An engine's work, by `time.monotonic`."""

    engine: str
    start: float
    end: float


class Times:
    """Everything that the engines did."""

    def __init__(self) -> None:
        self.work: list[Work] = []

    def note(self, engine: str, start: float) -> None:
        self.work.append(Work(engine, start, time.monotonic()))

    def busy(self, start: float, end: float, *engines: str) -> float:
        """For how many seconds of that time any of `engines`, or without them any at all, was at work."""
        spans = sorted((work.start, work.end) for work in self.work if not engines or work.engine in engines)
        total, done = 0.0, start
        for begin, finish in spans:
            begin, finish = max(begin, done), min(finish, end)
            if finish > begin:
                total += finish - begin
                done = finish
        return total


times = Times()
"""Of this process. Processors of the same class and arguments share their model: so it is no argument of theirs."""


class TimedWhisper(WhisperSTT):
    def transcribe(self, audio: bytes, rate: int) -> Transcription:
        start = time.monotonic()
        try:
            return super().transcribe(audio, rate)
        finally:
            times.note("recognition", start)


class TimedLLM(AutoLLM):
    async def chat(self, messages: list[Message]) -> AsyncIterator[Piece]:
        start = time.monotonic()
        async for piece in super().chat(messages):
            times.note("model", start)
            yield piece
            start = time.monotonic()
        times.note("model", start)


class TimedPiper(PiperTTS):
    def synthesize(self, text: str, voice: str) -> bytes:
        start = time.monotonic()
        try:
            return super().synthesize(text, voice)
        finally:
            times.note("speech", start)
