"""`voiceflow run --wav` says whether the call was any good, by its exit code and in words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from voiceflow import AudioRaw
from voiceflow.cli import main
from voiceflow.sounds.wavfile import read_wav, write_wav

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
PARTS = '''
import asyncio
from collections.abc import AsyncIterator, Iterator
from voiceflow import *
from voiceflow.processors import Dialog

class Ears(Processor):
    """Hears something every two seconds."""
    heard = 0
    def process(self, frame: AudioRaw) -> Iterator[Transcript]:
        self.heard += 1
        if self.heard % 100 == 1:
            yield Transcript(f"Number {self.heard // 100}?")

class Brain(Processor):
    async def process(self, frame: Transcript) -> AsyncIterator[LLMText | Error]:
        {brain}

class Mouth(Processor):
    async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
        yield Mark(frame.text)
        {mouth}
        yield AudioRaw(bytes(6400))
        yield Mark()

def pipeline(call):
    return call.source | {row} | call.sink
'''
ANSWERS = 'yield LLMText("Yes.")'
NEVER = "await asyncio.Event().wait()"
ROW = "Ears() | Brain() | Mouth()"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def call(*, brain: str = ANSWERS, mouth: str = "pass", row: str = ROW, more: str = "") -> tuple[int, Any, str]:
    """Exit code, report and standard error."""
    content = PARTS.replace("{brain}", brain).replace("{mouth}", mouth).replace("{row}", row)
    Path("file.py").write_text(content + more)
    result = CliRunner().invoke(main, ["run", "file.py", "--wav", str(SPEECH), "heard.wav", "--fast", "--json"])
    return result.exit_code, json.loads(result.stdout), result.stderr


def line(*, of: str) -> int:
    return Path("file.py").read_text().splitlines().index(of) + 1


def test_a_call_that_was_answered_is_good() -> None:
    code, report, errors = call()
    assert (code, report["error"]) == (0, None)
    assert "Error" not in errors


def test_who_hangs_is_named_with_what_it_was_given_and_where_it_waits() -> None:
    code, report, errors = call(brain=f"{NEVER}\n        {ANSWERS}")
    place = f"{Path('file.py').resolve()}, line {line(of=f'        {NEVER}')}"
    assert code == 1
    assert report["error"].startswith("Brain hangs: it was given Transcript('Number ")
    assert report["error"].endswith(f"'), and did not finish; it waits at {place}")
    assert errors.endswith(f"Error: {report['error']}\n")


def test_not_the_one_behind_it_that_waits_is_named() -> None:
    code, report, _ = call(mouth=NEVER)
    assert code == 1
    assert report["error"].startswith("Mouth hangs: it was given LLMText('Yes.'), and did not finish; it waits at ")


def test_who_hangs_in_a_fork_is_named() -> None:
    row = "Ears() | Parallel(Brain() | Mouth(), Silent())"
    silent = "\nclass Silent(Processor):\n    async def process(self, frame: Transcript) -> None:\n        "
    code, report, _ = call(row=row, more=silent + NEVER)
    assert code == 1
    assert report["error"].startswith("Silent hangs: it was given Transcript('Number ")


@pytest.mark.parametrize("options", [["--fast"], []], ids=str)
@pytest.mark.parametrize(("row", "name"), [(ROW, "Brain"), ("Silent()", "Silent")])
def test_who_hangs_in_a_thread_is_named_and_the_command_ends(row: str, name: str, options: list[str]) -> None:
    pool = "shared_pool().run" if options else "asyncio.to_thread"
    hangs = f"await {pool}(threading.Event().wait)"
    content = PARTS.replace("{brain}", f"{hangs}\n        {ANSWERS}").replace("{mouth}", "pass").replace("{row}", row)
    silent = f"\nclass Silent(Processor):\n    async def process(self, frame: AudioRaw) -> None:\n        {hangs}\n"
    imports = "import threading\nfrom voiceflow.inference import shared_pool\n"
    Path("file.py").write_text(imports + content + silent)
    speech = read_wav(SPEECH)
    write_wav("in.wav", AudioRaw(speech.data[:6400], speech.format))
    impatient = (
        "from voiceflow.cli import hanging, main; from voiceflow.testing import virtualloop\n"
        "from voiceflow.transports import wav\n"
        "hanging.LONG, virtualloop.STANDSTILL, wav.PATIENCE, hanging.SLOW = 0.2, 0.2, 1.0, 0.1\n"
        "main()"
    )
    command = [sys.executable, "-c", impatient, "run", "file.py", "--wav", "in.wav", "heard.wav", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    told = rf"^Error: {name} hangs: .* it waits at .*file.py, line \d+$"
    assert re.search(told, done.stderr, re.MULTILINE), done.stderr
    assert "caller heard" in done.stdout


def test_who_is_still_talking_when_the_caller_leaves_does_not_hang() -> None:
    code, report, _ = call(brain="for _ in range(400):\n            await asyncio.sleep(0.2)\n            " + ANSWERS)
    assert (code, report["error"]) == (0, None)


def test_who_has_nothing_to_do_while_a_long_reply_is_heard_does_not_hang() -> None:
    once = """
class Once(Processor):
    heard = 0
    def process(self, frame: AudioRaw) -> Iterator[Transcript]:
        self.heard += 1
        if self.heard == 1:
            yield Transcript("Once upon a time?")
"""
    code, report, _ = call(row="Once() | Brain() | Mouth()", more=once, mouth="yield AudioRaw(bytes(32_000 * 20))")
    assert (code, report["error"]) == (0, None)
    assert report["call_seconds"] > 20


def test_a_child_process_is_waited_for_in_virtual_time() -> None:
    asks = (
        "child = await asyncio.create_subprocess_exec('echo', 'Yes.', stdout=-1)\n"
        "        said, _ = await asyncio.wait_for(child.communicate(), 30)\n"
        "        yield LLMText(said.decode())"
    )
    code, report, _ = call(brain=asks)
    assert (code, report["error"]) == (0, None)
    assert [line["said"] for line in report["conversation"] if line["who"] == "agent"][:4] == ["Yes."] * 4


def test_who_does_not_finish_at_the_end_is_named() -> None:
    late = "\nclass Late(Processor):\n    async def process(self, frame: DTMF) -> None: ...\n"
    late += f"    async def finish(self):\n        {NEVER}\n"
    code, report, _ = call(row="Late()", more=late)
    assert code == 1
    assert report["error"].startswith("Late hangs: it was given the end of the call, and did not finish; it waits at ")


def test_a_processor_that_fails_is_named() -> None:
    code, report, errors = call(brain='raise ValueError("no")\n        yield')
    assert (code, report["error"]) == (1, "Brain raised ValueError: no")
    assert errors.endswith("Error: the call failed: Brain raised ValueError: no\n")


@pytest.mark.parametrize("sorry", ["", '; yield LLMText("Sorry.")'], ids=["silent", "sorry"])
def test_a_model_that_fails_in_every_turn_is_a_failure(sorry: str) -> None:
    code, report, errors = call(brain=f'yield Error("no model", "Brain"){sorry}')
    assert (code, report["error"]) == (1, "nothing but errors came of what the caller said: Brain: no model")
    assert report["reason"] == "the caller hung up"
    assert errors.splitlines()[-1] == f"Error: {report['error']}"


def test_a_model_that_fails_in_one_turn_of_several_is_none() -> None:
    fails = 'yield Error("no model", "Brain") if "1" in frame.text else LLMText("Yes.")'
    assert call(brain=fails)[:1] == (0,)


def test_recognition_that_only_fails_is_a_failure() -> None:
    deaf = "\nclass Deaf(Processor):\n    def process(self, frame: AudioRaw) -> Transcript | Error:\n"
    deaf += "        return Error('no ears')\n"
    code, report, _ = call(row="Deaf() | Brain() | Mouth()", more=deaf)
    assert (code, report["error"]) == (1, "nothing but errors came of what the caller said: no ears")


def test_a_caller_who_is_never_answered_is_a_failure() -> None:
    code, report, errors = call(brain="return\n        yield")
    assert (code, report["error"]) == (1, "the caller was never answered")
    assert errors.splitlines()[-1] == "Error: the caller was never answered"


def test_a_greeting_is_no_answer() -> None:
    talk = "\nasync def talk(call):\n    await call.say('Hello.')\n"
    code, report, _ = call(row="Ears() | Dialog(talk) | Mouth()", more=talk)
    assert (code, report["error"]) == (1, "the caller was never answered")
    talk += "    async for heard in call.listen():\n        await call.say('Yes.')\n"
    assert call(row="Ears() | Dialog(talk) | Mouth()", more=talk)[0] == 0


def test_who_only_listens_need_not_answer() -> None:
    assert call(row="Ears()")[0] == 0


def test_a_caller_who_said_nothing_that_was_understood_needs_no_answer() -> None:
    mute = (
        "\nclass Deaf(Processor):\n    def process(self, frame: AudioRaw) -> Transcript | None:\n        return None\n"
    )
    assert call(row="Deaf() | Brain() | Mouth()", more=mute)[0] == 0


@pytest.mark.parametrize(("answer", "code"), [("yield AudioRaw(bytes(640))", 0), ("return; yield", 1)])
def test_who_speaks_from_audio_to_audio_is_held_to_it(answer: str, code: int) -> None:
    moshi = (
        "\nclass Moshi(Processor):\n    speaks = True\n"
        f"    async def process(self, frame: AudioRaw) -> AsyncIterator[AudioRaw | LLMEnd]:\n        {answer}\n"
    )
    assert call(row="Moshi()", more=moshi)[0] == code
