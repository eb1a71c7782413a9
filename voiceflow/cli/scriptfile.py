"""The file of `voiceflow call --script`: what the caller says and presses, and when.

    voice: en_US-joe-medium    # of what is written; without it, a voice that is installed
    language: en               # in which the conversation is transcribed
    steps:
      - say: Good morning. I would like a table for two.
      - say: eight o'clock.wav
      - say: No, wait!
        over: 1.5              # seconds after the agent has begun to speak
      - press: 12#
        after: 0               # seconds after the step before
      - say: Are you still there?
        at: 40                 # seconds after the beginning of the call
      - wait: 2                # seconds; or `speech`, or `silence`, of the agent

Without `over`, `after` or `at`, a step comes when the agent has answered the step before and been quiet for a second,
or has said nothing for eight. Keys such as "*" need quotes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from voiceflow.config.yamlfile import Value, read_yaml
from voiceflow.errors import ConfigError

from .call_options import KEYS, KEYS_EXPECTED

if TYPE_CHECKING:
    from voiceflow.simulator.cues import When

ACTS: Final = ("say", "press", "wait")
TIMES: Final[tuple[When, ...]] = ("at", "after", "over")
WAITS: Final[dict[str, When]] = {"speech": "begun", "silence": "finished"}


class FileStep(NamedTuple):
    """A step, as it is written."""

    when: When
    seconds: float = 0.0
    text: str = ""
    """What is said by a voice."""
    wav: Path | None = None
    """What is said as it was recorded."""
    keys: str = ""


class ScriptFile(NamedTuple):
    steps: list[FileStep]
    voice: str | None
    language: str | None


def read_script(path: Path) -> ScriptFile:
    """Read the file. Raises `ConfigError`, which names its line."""
    root = read_yaml(path)
    if root is None:
        raise ConfigError(f"{path} is empty: expected `steps:` and a list of what the caller says, presses, waits for")
    known = {key.text(): value for key, value in _known(root, ("steps", "voice", "language"))}
    if "steps" not in known:
        raise root.error("expected `steps:` and a list of what the caller says, presses and waits for")
    steps = [_step(value, path.parent) for value in known["steps"].items()]
    voice, language = (known[name].text() if name in known else None for name in ("voice", "language"))
    return ScriptFile(steps, voice, language)


def _step(value: Value, folder: Path) -> FileStep:
    found = {key.text(): value for key, value in _known(value, (*ACTS, *TIMES))}
    acts = [name for name in ACTS if name in found]
    times = [name for name in TIMES if name in found]
    if len(acts) != 1 or len(times) > 1 or (acts == ["wait"] and times):
        raise value.error(
            "expected one of say, press and wait, and with say and press at most one of at, after and over"
        )
    [act] = acts
    text = found[act].text()
    if act == "wait":
        when = WAITS.get(text)
        return (
            FileStep(when)
            if when
            else FileStep("after", _seconds(found[act], "a number of seconds, speech or silence"))
        )
    when, seconds = (times[0], _seconds(found[times[0]])) if times else ("finished", 0.0)
    if act == "press":
        if not re.fullmatch(KEYS, text):
            raise found[act].error(f"{text!r}: {KEYS_EXPECTED}")
        return FileStep(when, seconds, keys=text)
    if text.lower().endswith(".wav"):
        return FileStep(when, seconds, wav=folder / text)
    if not text.strip():
        raise found[act].error("expected what the caller says: a text, or the name of a WAV file")
    return FileStep(when, seconds, text=text)


def _known(mapping: Value, names: Sequence[str]) -> list[tuple[Value, Value]]:
    entries = mapping.entries()
    for key, _ in entries:
        if key.text() not in names:
            near = difflib.get_close_matches(key.text(), names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected {', '.join(names)}"
            raise key.error(f"{key.text()!r} is unknown here: {hint}")
    return [(key, value) for key, value in entries if not value.missing]


def _seconds(value: Value, expected: str = "a number of seconds") -> float:
    text = value.text()
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise value.error(f"{text!r}: expected {expected}")
    return float(text)
