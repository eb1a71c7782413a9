"""`mypy --strict` on users' own models: each right form passes, and each mistake is reported where it is.

A row of the table is one file of a user; all of them are checked in one run of mypy.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent


class Case(NamedTuple):
    """A user's file, and what mypy says of it."""

    name: str
    source: str
    error: str | None = None
    """A part of the error; None if there is none."""


IMPORTS = """\
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any
from voiceflow import Call, LLMText, Pipeline, Processor
from voiceflow.processors import LLM, STT, TTS, Message, Speech, ToolCall, Transcription
"""

CHAT, TRANSCRIBE, SYNTHESIZE = (
    "(LLM):\n    {} chat(self, messages: list[Message]) -> {}:\n        {}\n",
    "(STT):\n    {} transcribe(self, audio: bytes, rate: int) -> {}:\n        {}\n",
    "(TTS):\n    rate = 8000\n    {} synthesize(self, text: str, voice: str) -> {}:\n        {}\n",
)
RESULTS = {
    CHAT: (("str", '"yes"'), ("str | ToolCall", '"yes"')),
    TRANSCRIBE: (("str", '"yes"'), ("Transcription", 'Transcription("yes")')),
    SYNTHESIZE: (("bytes", 'b""'), ("Speech", 'Speech(b"")')),
}
ITERATE = "async def iterate() -> AsyncIterator[str]:\n    yield 'yes'"
METHODS = {CHAT: "chat", TRANSCRIBE: "transcribe", SYNTHESIZE: "synthesize"}


def forms(kind: str, value: str) -> list[tuple[str, str, str]]:
    """A function, generator, coroutine and async generator that give `value`."""
    return [
        ("def", kind, f"return {value}"),
        ("def", f"Iterator[{kind}]", f"yield {value}"),
        ("async def", kind, f"return {value}"),
        ("async def", f"AsyncIterator[{kind}]", f"yield {value}"),
    ]


RIGHT = [
    Case(f"right_{METHODS[method]}_{number}_{place}", "class Own" + method.format(*form))
    for method, results in RESULTS.items()
    for number, result in enumerate(results)
    for place, form in enumerate(forms(*result))
]
WRONG_RESULT = [
    Case(f"wrong_result_{METHODS[method]}_{place}", "class Own" + method.format(*form), f'of "{METHODS[method]}"')
    for method in RESULTS
    for place, form in enumerate(forms("int", "1"))
]
WRONG_PARAMETER = [
    Case(name, f"class Own({base}):\n    {method}", error)
    for name, base, method, error in (
        ("chat_type", "LLM", "def chat(self, messages: list[str]) -> str: ...", 'Argument 1 of "chat"'),
        ("chat_more", "LLM", "def chat(self, messages: list[Message], more: int) -> str: ...", 'of "chat"'),
        ("chat_none", "LLM", "def chat(self) -> str: ...", 'of "chat"'),
        ("chat_async", "LLM", "async def chat(self, messages: str) -> str: ...", 'Argument 1 of "chat"'),
        ("transcribe_type", "STT", "def transcribe(self, audio: str, rate: int) -> str: ...", 'Argument 1 of "tran'),
        ("transcribe_order", "STT", "def transcribe(self, rate: int, audio: bytes) -> str: ...", 'Argument 1 of "tran'),
        ("transcribe_less", "STT", "def transcribe(self, audio: bytes) -> str: ...", 'of "transcribe"'),
        ("synthesize_type", "TTS", "def synthesize(self, text: str, voice: int) -> bytes: ...", 'Argument 2 of "synth'),
        ("synthesize_order", "TTS", "def synthesize(self, voice: str, text: str) -> bytes: ...", 'of "synthesize"'),
        ("synthesize_less", "TTS", "def synthesize(self, text: str) -> bytes: ...", 'of "synthesize"'),
    )
]
OTHER = [
    Case("wider", "class Own(LLM):\n    def chat(self, messages: Sequence[Message]) -> str:\n        return ''"),
    Case("another_name", "class Own(LLM):\n    def chat(self, asked: list[Message]) -> str:\n        return ''"),
    Case("any", "class Own(LLM):\n    def chat(self, messages: Any) -> Any:\n        return ''"),
    Case("stream", "class Own" + CHAT.format("async def", "AsyncIterator[str]", "return iterate()") + ITERATE),
    Case("lambda", "class Own(LLM):\n    chat = lambda self, messages: 'yes'"),
    Case("options", "from voiceflow.processors import AutoLLM\nAutoLLM('x', system='Be brief.', temperature=0.5)"),
    Case("wrong_option", "from voiceflow.processors import AutoLLM\nAutoLLM(temperature='hot')", '"temperature"'),
    Case("unknown_option", "from voiceflow.processors import OpenAILLM\nOpenAILLM(key='k')", 'argument "key"'),
]
PROCESS = "class Own(Processor):\n    {} process(self, frame: LLMText) -> {}:\n        {}"
PROCESSORS = [
    *(Case(f"right_process_{i}", PROCESS.format(*form)) for i, form in enumerate(forms("LLMText", "LLMText('yes')"))),
    *(
        Case(f"wrong_process_{i}", PROCESS.format(*form), '"process"')
        for i, form in enumerate(forms("str", "'yes'"))
        if form[1] != "str" or form[0] != "def"
    ),
    Case("wrong_process_plain", PROCESS.format("def", "int", "return 1"), '"process"'),
    Case("process_nothing", PROCESS.format("def", "None", "return None")),
    Case("process_count", "class Own(Processor):\n    def process(self) -> None: ...", '"process"'),
    Case("process_more", "class Own(Processor):\n    def process(self, a: LLMText, b: int) -> None: ...", '"process"'),
    Case("process_field", PROCESS.format("def", "LLMText", "return LLMText(frame.words)"), '"words"'),
]
CALLS = [
    Case("route", "def pipeline(call: Call) -> str:\n    return call.route.llm_model"),
    Case("wrong_route", "def pipeline(call: Call) -> str:\n    return call.route.llm_modell", '"llm_modell"'),
    Case(
        "observer",
        "def watch(call: Call) -> None:\n    undo = call.on_reply(lambda reply: print(reply.heard))\n    undo()",
    ),
    Case("wrong_observer", "def watch(call: Call) -> None:\n    call.on_heard(lambda a, b: None)", '"on_heard"'),
    Case("wrong_say", "async def talk(call: Call) -> None:\n    await call.say(1)", '"say"'),
    Case("pipeline", "def pipeline(call: Call) -> Pipeline:\n    return call.source | call.sink"),
]
CASES = [*PROCESSORS, *CALLS, *RIGHT, *WRONG_RESULT, *WRONG_PARAMETER, *OTHER]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> dict[str, list[str]]:
    """What mypy says of each case: one run over all of them."""
    folder = tmp_path_factory.mktemp("typing")
    for case in CASES:
        (folder / f"{case.name}.py").write_text(f"{IMPORTS}\n\n{case.source}\n")
    cache = pytestconfig.cache.mkdir("mypy") if pytestconfig.cache is not None else folder / "cache"
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--hide-error-context"]
    command += ["--config-file=", f"--cache-dir={cache}", "--no-error-summary", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    said: dict[str, list[str]] = {case.name: [] for case in CASES}
    for line in ran.stdout.splitlines():
        if found := re.match(r".*?(\w+)\.py:\d+: error: (.*)", line):
            said[found[1]].append(found[2])
    return said


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_type_checker_reports_mistakes_and_nothing_else(case: Case, told: dict[str, list[str]]) -> None:
    errors = told[case.name]
    if case.error is None:
        assert errors == []
    else:
        assert any(case.error in error for error in errors), errors
