"""How long a caller waits for an answer, and how soon the agent is quiet when interrupted: whole calls, real engines.

    python benchmarks/conversation.py [--rounds N] [--json FILE] [--quick]

Silero, Whisper base, SmolLM2-135M behind an OpenAI-compatible server, and Piper, all in this process, with a simulated
caller on Twilio's protocol. Needs no network, but the packages in tests/e2e/llm_server.py and engines.py; the machine
must be otherwise quiet. Measured:

- The time from voice to voice, by segments; and for the turn of median length, how much of each segment the silence gap
  and the engines took, which may work at once. The rest is the framework's share. A part of it is the time that the
  detector waits to complete a window of 32 ms from pieces of 20 ms.
- The time from the arrival of the packet that completes the detector's confirm time to `clear` at the caller, and by
  how many words the next request differs from what the caller has heard.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from engine_times import TimedLLM, TimedPiper, TimedWhisper, times
from report import console, options, show, write

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the caller and the language model are those of tests
from e2e import engines, interrupting, llm_server
from e2e.conversing import Conversation, calling
from server.serving import Served, loop_factory, serving

from voiceflow import AudioRaw, Call, Pipeline, Processor, SpeechStarted
from voiceflow.processors import BargeIn, SileroVAD
from voiceflow.processors.vad.detector import SILENCE
from voiceflow.turns.latency import TurnLatency

QUESTIONS = (
    "Say the word banana.",
    "The train leaves in the morning.",
    "What is the capital of France?",
    "My name is Robert.",
)
ECHO, STORYTELLER = "+12025550101", "+12025550102"
PROMPTS = {ECHO: llm_server.ECHO, STORYTELLER: llm_server.STORYTELLER}
REST = 2.0
"""Seconds from the end of an answer to the next question."""
SEGMENTS = TurnLatency.__struct_fields__
ENGINES = {"STT": "recognition", "LLM": "model", "TTS": "speech"}
"""The names of the engines in engine_times.py, by the headings of the report's columns."""
GOAL_SHARE, GOAL_CLEAR = 10.0, 20.0
"""The most milliseconds that the framework's share of a turn, and an interruption until `clear`, should take."""


class Turn(msgspec.Struct):
    """A turn that ended when its answer began to be heard."""

    latency: TurnLatency
    end: float
    """When the turn ended, by `time.monotonic`."""

    @property
    def segments(self) -> list[float]:
        """The lengths of the turn's segments, in seconds."""
        return [getattr(self.latency, name) for name in SEGMENTS]

    def busy(self, place: int, *engines: str) -> float:
        """For how many seconds of segment `place` any of `engines`, or any engine at all, was at work."""
        start = self.end - sum(self.segments[place:])
        return times.busy(start, start + self.segments[place], *engines)

    def rest(self, place: int) -> float:
        """How many seconds of segment `place` are the framework's: in the first, all but the silence gap; in the
        others, those in which no engine was at work."""
        return self.segments[place] - (SILENCE if place == 0 else self.busy(place))

    @property
    def share(self) -> float:
        """The framework's share of the turn, in seconds."""
        return sum(map(self.rest, range(len(SEGMENTS))))


class Started(msgspec.Struct):
    """A moment at which the detector became sure that the caller speaks."""

    pieces: int
    """How many pieces of audio had come in the call by then."""


class Watch(Processor):
    """Stands behind the detector, and notes with which piece of audio it becomes sure that the caller speaks."""

    def __init__(self, started: list[Started]) -> None:
        self._started = started
        self._pieces = 0

    def process(self, frame: AudioRaw | SpeechStarted) -> AudioRaw | SpeechStarted:
        if isinstance(frame, AudioRaw):
            self._pieces += 1
        else:
            self._started.append(Started(self._pieces))
        return frame


class Assistant:
    """Builds the pipeline that answers, and keeps the turns and interruptions of its calls."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.started: list[Started] = []

    def build(self, call: Call) -> Pipeline:
        call.on_turn(lambda latency: self.turns.append(Turn(latency, time.monotonic())))
        return (
            call.source
            | SileroVAD()
            | Watch(self.started)
            | BargeIn()
            | TimedWhisper("base")
            | TimedLLM(system=PROMPTS.get(call.did or "", ""))
            | TimedPiper(engines.VOICE)
            | call.sink
        )


class Interrupted(msgspec.Struct):
    """An interruption that was measured."""

    clear: float
    """Seconds from the piece with which the detector became sure to `clear` at the caller."""
    made: interrupting.Interruption


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    if reason := llm_server.missing() or engines.missing():
        raise SystemExit(reason)
    questions, after = (QUESTIONS[:1], interrupting.AFTER[:1]) if chosen.quick else (QUESTIONS, interrupting.AFTER)
    with console.status("reading the models") as status, llm_server.serving() as model:
        os.environ.update(model.environment)
        interrupting.prepare()
        for question in questions:
            engines.say(question)

        async def measure() -> tuple[list[Turn], list[Interrupted]]:
            assistant, interrupted = Assistant(), []
            async with serving(assistant.build) as served:
                for number in range(1, chosen.rounds + 1):
                    status.update(f"round {number} of {chosen.rounds}: questions")
                    await _ask(served, questions)
                turns = list(assistant.turns)
                for number, seconds in enumerate(after, 1):
                    status.update(f"interruption {number} of {len(after)}")
                    interrupted.append(await _interrupt(served, assistant, model, seconds))
            return turns, interrupted

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            turns, interrupted = runner.run(measure())
        status.update("listening to what the callers have heard")
        figures = _figures(turns, interrupted)
    write(chosen.json, figures, "faster-whisper", "piper-tts", "xllamacpp", "onnxruntime")


async def _ask(served: Served, questions: tuple[str, ...]) -> None:
    async with calling(served.media, ECHO) as call:
        await asyncio.sleep(REST)
        for question in questions:
            await call.answer(engines.say(question))
            await call.agent_is_quiet(REST)


async def _interrupt(
    served: Served, assistant: Assistant, model: llm_server.LanguageModel, after: float
) -> Interrupted:
    async with calling(served.media, STORYTELLER) as call:
        made = await interrupting.interrupt(call, model, after)
        sure = next(started for started in assistant.started[::-1] if _sent(call, started) < made.cleared)
        return Interrupted(made.cleared - _sent(call, sure), made)


def _sent(call: Conversation, started: Started) -> float:
    """When the piece was sent with which the detector became sure."""
    return call.wire.sent[started.pieces - 1]


def _figures(turns: list[Turn], interrupted: list[Interrupted]) -> dict[str, Any]:
    typical = sorted(turns, key=lambda turn: turn.latency.total)[len(turns) // 2]
    segments = [_segment(place, turns, typical) for place in range(len(SEGMENTS))]
    totals = [turn.latency.total for turn in turns]
    whole = {"segment": "whole", "median": _ms(statistics.median(totals)), "longest": _ms(max(totals))}
    whole |= {column: sum(row[column] for row in segments) for column in list(segments[0])[3:]}
    shares = [
        {"of the framework's share": name, "median ms": _ms(statistics.median(parts)), "longest ms": _ms(max(parts))}
        for name, parts in (
            ("all of it", [turn.share for turn in turns]),
            ("the detector's windows and the carrier's pieces", [turn.rest(0) for turn in turns]),
            ("without them", [turn.share - turn.rest(0) for turn in turns]),
        )
    ]
    clears = [
        {
            "interrupted after s": round(one.made.played.duration, 1),
            "clear ms": _ms(one.clear),
            "stale": one.made.stale,
            "words apart": one.made.words_apart,
            "remembered": one.made.remembered,
            "heard": engines.understood(one.made.played),
        }
        for one in interrupted
    ]
    show(f"from voice to voice, ms, {len(turns)} turns", [*segments, whole])
    show(f"the framework's share (goal: {GOAL_SHARE:g} ms)", shares)
    show(f"interruptions (goal: clear within {GOAL_CLEAR:g} ms)", clears)
    return {"segments": [*segments, whole], "share": shares, "interruptions": clears}


def _segment(place: int, turns: list[Turn], typical: Turn) -> dict[str, Any]:
    """The figures of segment `place` in ms, over all turns and in the `typical` turn, whose figures add up."""
    seconds = [turn.segments[place] for turn in turns]
    engines = {name: _ms(typical.busy(place, engine)) for name, engine in ENGINES.items()}
    return {
        "segment": SEGMENTS[place].replace("_", " "),
        "median": _ms(statistics.median(seconds)),
        "longest": _ms(max(seconds)),
        "median turn": _ms(typical.segments[place]),
        "gap": _ms(SILENCE if place == 0 else 0.0),
        **engines,
        "rest": _ms(typical.rest(place)),
    }


def _ms(seconds: float) -> float:
    return seconds * 1000


if __name__ == "__main__":
    main()
