"""The file of `voiceflow call --script`, and the calls that are made by it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from cli.processes import command, serving
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.cli.scriptfile import FileStep, read_script
from voiceflow.errors import ConfigError
from voiceflow.frames import AudioRaw
from voiceflow.sounds.wavfile import read_wav, write_wav

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
NOWHERE = "ws://127.0.0.1:1/sip/media-stream"
WHOLE = """
voice: en_US-joe-medium
language: de
steps:
  - say: Good morning.
  - say: sounds/order.WAV
  - {say: "No, wait!", over: 1.5}
  - {press: 12#, after: 0}
  - {say: Hello?, at: 40}
  - wait: 2
  - wait: speech
  - wait: silence
  - press: "*"
"""
ANSWERS = """
from collections.abc import Iterator
from voiceflow import AudioRaw, Processor

class Beep(Processor):
    '''Greets, and answers after each utterance.'''
    silent = 0

    def process(self, frame: AudioRaw) -> Iterator[AudioRaw]:
        loud = abs(frame.samples.astype(int)).max() > 500
        self.silent = 0 if loud else self.silent + 1
        if self.silent == 25:
            yield tone(frame)

def tone(frame):
    import numpy
    wave = 8000 * numpy.sin(numpy.arange(0.4 * frame.format.rate))
    return AudioRaw(wave.astype("<i2").tobytes(), frame.format)

def pipeline(call):
    return call.source | Beep() | call.sink
"""


def short(folder: Path) -> Path:
    """The first words of the recording, as a file in `folder`."""
    speech = read_wav(SPEECH)
    write_wav(folder / "short.wav", AudioRaw(speech.data[: speech.format.bytes_for(0.8)], speech.format))
    return folder / "short.wav"


def refusal(tmp_path: Path, content: str) -> str:
    file = tmp_path / "script.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_script(file)
    return str(caught.value).removeprefix(f"{file}")


def test_every_step_is_read(tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(WHOLE)
    script = read_script(file)
    assert (script.voice, script.language) == ("en_US-joe-medium", "de")
    assert script.steps == [
        FileStep("finished", text="Good morning."),
        FileStep("finished", wav=tmp_path / "sounds" / "order.WAV"),
        FileStep("over", 1.5, text="No, wait!"),
        FileStep("after", keys="12#"),
        FileStep("at", 40.0, text="Hello?"),
        FileStep("after", 2.0),
        FileStep("begun"),
        FileStep("finished"),
        FileStep("finished", keys="*"),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", " is empty: expected `steps:`"),
        ("voice: x", ", line 1: expected `steps:`"),
        ("steps:\n  - sey: Hello", ", line 2: 'sey' is unknown here: did you mean say?"),
        ("step:\n  - say: Hello", ", line 1: 'step' is unknown here: did you mean steps?"),
        ("steps:\n  - say: Hello\n    press: 1", ", line 2: expected one of say, press and wait"),
        ("steps:\n  - {say: Hello, at: 1, over: 2}", ", line 2: expected one of say, press and wait"),
        ("steps:\n  - {wait: 1, at: 1}", ", line 2: expected one of say, press and wait"),
        ("steps:\n  - at: 1", ", line 2: expected one of say, press and wait"),
        ("steps:\n  - press: 1x", ", line 2: '1x': the keys of a telephone"),
        ("steps:\n  - wait: long", ", line 2: 'long': expected a number of seconds, speech or silence"),
        ("steps:\n  - {say: Hello, over: -1}", ", line 2: '-1': expected a number of seconds"),
        ("steps:\n  - say: ' '", ", line 2: expected what the caller says"),
        ("steps:\n  - Hello", ", line 2: expected `key: value` lines, came text"),
        ("- say: Hello", ", line 1: expected `key: value` lines, came a list"),
    ],
)
def test_what_cannot_be_read_names_its_line(tmp_path: Path, content: str, problem: str) -> None:
    assert refusal(tmp_path, content).startswith(problem)


@given(st.text(max_size=60) | st.text(alphabet="steps: -saywit{}[]\n0.5", max_size=80))
def test_any_text_is_a_script_or_one_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(text, encoding="utf-8", errors="replace", newline="")
    with contextlib.suppress(ConfigError):
        read_script(file)


def test_a_conversation_by_a_script_is_told_with_the_time_of_each_answer(tmp_path: Path) -> None:
    (tmp_path / "beep.py").write_text(ANSWERS)
    short(tmp_path)
    (tmp_path / "script.yaml").write_text("steps:\n  - {say: short.wav, at: 0}\n  - {press: 1, after: 0.1}\n")
    with serving(tmp_path, "beep.py", "-p", 0) as server:
        call = "call", server.media, "--script", "script.yaml"
        told = command(tmp_path, *call, "--json", VOICEFLOW_CACHE="none", HF_HUB_CACHE="none")
        assert told.returncode == 0, told.stderr
        report = json.loads(told.stdout)
        assert report["delay_ms"] is None
        assert [line["who"] for line in report["conversation"]] == ["caller", "agent"]
        assert report["conversation"][0]["at_seconds"] < 1.0
        (turn,) = report["turns"]
        assert 300 < turn["total_ms"] < 1500
        assert report["turn_ms"]["count"] == 1


@pytest.mark.slow
def test_rows_about_echoes_are_shown_of_echoes_only(tmp_path: Path) -> None:
    (tmp_path / "beep.py").write_text(ANSWERS)
    for target, rows in (("echo", {"delay", "jitter", "heard"}), ("beep.py", {"turns", "turn 1", "caller", "agent"})):
        with serving(tmp_path, target, "-p", 0) as server:
            done = command(
                tmp_path, "call", server.media, "--play", short(tmp_path), VOICEFLOW_CACHE="none", HF_HUB_CACHE="none"
            )
        assert done.returncode == 0, done.stderr
        names = {line.split("│")[1].strip() for line in done.stdout.splitlines() if "│" in line}
        assert names & {"delay", "jitter", "heard", "turns", "turn 1", "caller", "agent", "clear"} == rows


@pytest.mark.slow
def test_an_agent_who_only_greets_has_not_answered(tmp_path: Path) -> None:
    (tmp_path / "greets.py").write_text(
        ANSWERS.replace("self.silent == 25", "self.greet()").replace(
            "    silent = 0\n",
            "    silent = 0\n    greeted = False\n\n    def greet(self) -> bool:\n"
            "        first, self.greeted = not self.greeted, True\n        return first\n",
        )
    )
    with serving(tmp_path, "greets.py", "-p", 0) as server:
        script = tmp_path / "script.yaml"
        script.write_text(f"steps:\n  - {{say: {short(tmp_path)}, at: 1.5}}\n")
        done = command(tmp_path, "call", server.media, "--script", script)
    assert done.returncode == 1
    assert "Error: the caller was never answered" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--script script.yaml --play in.wav", "--play: with --script, the script says what the caller does"),
        ("--script script.yaml --digits 1", "--digits: with --script, the script says what the caller does"),
        ("--play in.wav --play in.wav --barge-in-at 1", "--barge-in-at goes with one --play: write a --script"),
        ("--script none.yaml", "cannot read none.yaml: No such file or directory"),
        ("--script script.yaml", "no.wav does not exist"),
        ("--script says.yaml", "--script has text to say, and no voice is here"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, options: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.yaml").write_text("steps:\n  - say: no.wav\n")
    (tmp_path / "says.yaml").write_text("steps:\n  - say: Hello\n")
    (tmp_path / "in.wav").write_bytes(SPEECH.read_bytes())
    monkeypatch.setattr("voiceflow.weights.where", lambda model: None)
    from click.testing import CliRunner

    from voiceflow.cli.call import call

    result = CliRunner().invoke(call, [NOWHERE, *options.split()])
    assert result.exit_code == 2
    assert said in result.stderr
