"""Processors in a module with postponed annotations, for test_signature.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from voiceflow import Clear, Frame, LLMText, Processor, processor


class Whole(Processor):
    async def process(self, frame: LLMText) -> AsyncIterator[LLMText | Clear]:
        yield frame


class Early(Processor):
    def process(self, frame: Last) -> None:
        pass


class Last(Frame):
    pass


def local_processor() -> tuple[type[Frame], type[Processor]]:
    class Gesture(Frame):
        pass

    class Local(Processor):
        def process(self, frame: Gesture) -> Gesture | None:
            return frame

    return Gesture, Local


def local_function() -> tuple[type[Frame], type[Processor]]:
    class Gesture(Frame):
        pass

    @processor
    def local(frame: Gesture) -> None:
        pass

    return Gesture, local
