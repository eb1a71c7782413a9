"""What callers hear who are connected while there is no place for their call: a sentence, and the call ends."""

from __future__ import annotations

from voiceflow.call import Build, Call
from voiceflow.inference import contained
from voiceflow.linking.linker import link
from voiceflow.logs import get_logger
from voiceflow.pipeline import Element, Pipeline
from voiceflow.processors.dialog import Dialog
from voiceflow.processors.tts import TTS, recorded

log = get_logger("voiceflow.server")


def all_busy(build: Build) -> Build:
    """The pipeline of a call for which there is no place. Of `build`, the pipeline that it would have had, it has the
    voice alone; where there is none, the sentence is a recording."""

    def pipeline(call: Call) -> Element:
        voice = _voice(build, call)
        if voice is None:
            return Pipeline(call.source, Dialog(_play), call.sink)
        return Pipeline(call.source, Dialog(_say), voice, call.sink)

    return pipeline


async def _say(call: Call) -> None:
    await call.say(call.words.busy, interruptible=False)


async def _play(call: Call) -> None:
    await call.play(recorded("busy", call.language), interruptible=False)


def _voice(build: Build, call: Call) -> TTS | None:
    """The first voice of a call's pipeline."""
    try:
        with contained():
            steps = link(build(call)).walk()
            return next((step.processor for step in steps if isinstance(step.processor, TTS)), None)
    except Exception as error:
        log.debug("the voice of a pipeline is not known", exc_info=error)
        return None
