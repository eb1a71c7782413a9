"""Notes when the engines of a call are at work, so that the framework's own share of a turn can be told.

The processors for recognition, language model and speech are those of users, except that each notes when its engine
begins and ends to work. The time between is the framework's: its queues, threads and frames, and waiting for the CPU.
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
    """A span of an engine's work, by `time.monotonic`."""

    engine: str
    start: float
    end: float


class Times:
    """All the work of the engines."""

    def __init__(self) -> None:
        self.work: list[Work] = []

    def note(self, engine: str, start: float) -> None:
        self.work.append(Work(engine, start, time.monotonic()))

    def busy(self, start: float, end: float, *engines: str) -> float:
        """For how many seconds between `start` and `end` any of `engines` (by default, any engine) was at work."""
        spans = sorted((work.start, work.end) for work in self.work if not engines or work.engine in engines)
        total, done = 0.0, start
        for begin, finish in spans:
            begin, finish = max(begin, done), min(finish, end)
            if finish > begin:
                total += finish - begin
                done = finish
        return total


times = Times()
"""The work of the engines in this process. It is no argument of the processors, as those of the same class and
arguments share their model."""


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
