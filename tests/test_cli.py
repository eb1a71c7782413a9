"""The command line: what it does, what it says, and how it exits."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli.refusals import refusal
from click.testing import CliRunner, Result

from voiceflow.cli import main
from voiceflow.sounds.wavfile import read_wav

SPEECH = Path(__file__).parent / "data" / "speech.wav"
COMMAND = [sys.executable, "-c", "from voiceflow.cli import main; main()"]

PASS_ON = """
from voiceflow import AudioRaw, Processor

class Step(Processor):
    count = 0

    def process(self, frame: AudioRaw) -> AudioRaw:
        self.count += 1
        {body}
        return frame

def pipeline(call):
    return call.source | Step() | call.sink
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="voiceflow")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder; what a pipeline file did to `sys.path` is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def call(target: object, *options: str) -> Result:
    return run("run", target, "--wav", SPEECH, "heard.wav", "--fast", *options)


# -- run


def test_an_echo_is_heard_20_ms_late_and_unchanged(folder: Path) -> None:
    result = call("echo", "--json")
    assert result.exit_code == 0
    report: dict[str, Any] = json.loads(result.stdout)
    assert report.pop("took_seconds") > 0
    assert report.pop("speed") > 0
    assert report == {
        "in": str(SPEECH),
        "in_seconds": 7.162,
        "out": "heard.wav",
        "out_seconds": 8.162,
        "delay_ms": 20.0,
        "correlation": 1.0,
        "reason": "the caller hung up",
        "error": None,
        "call_seconds": 8.162,
        "conversation": [],
    }
    said, heard = read_wav(SPEECH), read_wav(folder / "heard.wav")
    assert heard.data[640 : 640 + len(said.data)] == said.data


def test_the_table_says_what_the_call_came_to(folder: Path) -> None:
    result = call("echo")
    assert result.exit_code == 0
    for words in ("7.16 s in ", "8.16 s in heard.wav", "20.0 ms", "1.0000", "the caller hung up", "x real time"):
        assert words in result.stdout
    assert "8.2 of 8.2 s" in result.stderr  # the bar came to its end


def test_without_fast_a_call_takes_its_time(folder: Path) -> None:
    short = folder / "short.wav"
    content = SPEECH.read_bytes()
    short.write_bytes(content[:40] + (3_200).to_bytes(4, "little") + content[44:3_244])
    result = run("run", "echo", "--wav", short, "heard.wav", "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["took_seconds"] >= report["call_seconds"] == 1.1


def test_a_pipeline_that_says_nothing_leaves_an_empty_recording(folder: Path) -> None:
    Path("mute.py").write_text(PASS_ON.format(body="return None"))
    report = json.loads(call("mute.py", "--json").stdout)
    assert report["out_seconds"] == 0
    assert report["delay_ms"] is report["correlation"] is None
    assert "one of them is silent" in call("mute.py").stdout


def test_a_pipeline_file_may_import_its_neighbours(folder: Path) -> None:
    Path("neighbour.py").write_text("def build(call):\n    return call.source | call.sink\n")
    Path("sub").mkdir()
    Path("neighbour.py").rename("sub/vf_neighbour.py")
    Path("sub/my-pipeline.py").write_text("from vf_neighbour import build as pipeline\n")
    assert call("sub/my-pipeline.py").exit_code == 0


def test_a_file_goes_before_a_built_in_name_and_a_folder_does_not(folder: Path) -> None:
    Path("echo").mkdir()
    assert call("echo").exit_code == 0
    Path("echo").rmdir()
    Path("echo").write_text("pipeline = None")
    result = call("echo")
    assert "echo has no `pipeline`" in result.stderr
    assert "the file echo is run, and not the built-in pipeline of that name" in result.stderr
    assert "is run, and not" not in call("./echo").stderr


def test_a_failing_call_is_exit_code_1_and_what_was_heard_is_written(folder: Path) -> None:
    Path("fails.py").write_text(PASS_ON.format(body="assert self.count < 101, 'too much'"))
    result = call("fails.py", "--json")
    assert result.exit_code == 1
    assert "Error: the call failed: Step raised AssertionError: too much" in result.stderr
    report = json.loads(result.stdout)
    assert report["error"] == "Step raised AssertionError: too much"
    assert report["out_seconds"] == 2.02  # 100 frames, from 20 ms on
    assert read_wav(folder / "heard.wav").duration == 2.02


def test_what_was_heard_is_written_when_the_user_stops_the_call(folder: Path) -> None:
    heed = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in the background
    Path("asks.py").write_text(heed + PASS_ON.format(body="if self.count == 10: print('begun', flush=True)"))
    arguments = [*COMMAND, "run", "asks.py", "--wav", str(SPEECH), "heard.wav"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        table, errors = process.communicate()
    assert process.returncode == 130
    assert "stopped by the user" in table
    assert "Traceback" not in errors
    assert 0.2 <= read_wav(folder / "heard.wav").duration < 7


def test_what_only_a_recording_has_is_refused_without_one() -> None:
    assert refusal(run("run", "echo", "--fast")) == "--fast and --json go with --wav IN OUT"


@pytest.mark.parametrize(
    "option", ["--host=127.0.0.1", "--port=0", "--ws-url=wss://a.b", "--provider=twilio", "--reload", "--insecure"]
)
def test_what_only_a_server_has_is_refused_with_a_recording(folder: Path, option: str) -> None:
    name = option.partition("=")[0]
    assert refusal(call("echo", option)) == f"{name} is about serving: leave it out, or --wav"


def test_a_port_in_use_is_said_in_one_line(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("run", "echo", "--port", port)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        f"Error: port {port} on 127.0.0.1 is in use: stop what serves there, or use --port"
    )


def test_an_address_that_is_not_ours_is_said_in_one_line(folder: Path) -> None:
    result = run("run", "echo", "--host", "192.0.2.1")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("Error: cannot serve on 192.0.2.1, port 8000: ")


@pytest.mark.parametrize("url", ["https://example.com/media", "wss://example.com/media?token=1", "ws://example.com/"])
def test_a_public_address_that_carriers_refuse_is_refused(folder: Path, url: str) -> None:
    assert refusal(run("run", "echo", "--ws-url", url)).startswith(
        f"--ws-url is {url!r}: expected wss://HOST/sip/media-stream"
    )


# -- what is wrong with FILE


@pytest.mark.parametrize("command", ["run", "graph"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "file.py has no `pipeline`: write `def pipeline(call: Call) -> Pipeline:`"),
        ("pipeline = 3", "`pipeline` in file.py is an object of type int, not a function"),
        ("import math\nimport nope_nope", "file.py, line 2: ModuleNotFoundError: No module named 'nope_nope'"),
        ("x = 1\ndef pipeline(call)\n", "file.py, line 2: SyntaxError: expected ':'"),
        ("\0", "file.py: SyntaxError: source code string cannot contain null bytes"),
        ("import sys\n\nsys.exit(3)", "file.py, line 3: SystemExit: 3"),
        ("def pipeline(call):\n    deep()\n\ndef deep():\n    return {}['x']\n", "file.py, line 5: KeyError: 'x'"),
        ("def pipeline():\n    pass", "file.py: TypeError: pipeline() takes 0 positional arguments but 1 was given"),
        ("def pipeline(call):\n    call.source", "pipeline(call) in file.py returns nothing, not a Pipeline: write"),
        ("def pipeline(call):\n    return 'x'", "in file.py returns an object of type str, not a Pipeline"),
        ("async def pipeline(call):\n    pass", "`pipeline` in file.py is asynchronous: write `def`"),
        ("def pipeline(call):\n    return call.source | 3", "file.py, line 2: LinkError: a pipeline is made of"),
        ("def pipeline(call):\n    return call.sink | call.source", "a pipeline begins with call.source"),
        (PASS_ON.format(body="").replace("AudioRaw:", "int:"), "Step.process, result: expected frame types"),
        (PASS_ON.format(body="").replace("frame: AudioRaw", "frame"), "does not say the type of `frame`"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(folder: Path, command: str, content: str, expected: str) -> None:
    Path("file.py").write_text(content)
    result = call("file.py") if command == "run" else run("graph", "file.py")
    assert expected in refusal(result)
    assert not Path("heard.wav").exists()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("ecko", "there is no file ecko. Did you mean echo? Built-in pipelines: "),
        ("Echo.py", "there is no file Echo.py. Did you mean echo? Built-in pipelines: "),
        ("a/b.py", "there is no file a/b.py. Built-in pipelines: "),
        (".", ". is a folder, not a Python file."),
    ],
)
def test_a_missing_file_is_said_with_the_nearest_built_in_name(folder: Path, target: str, expected: str) -> None:
    line = refusal(call(target))
    assert line.startswith(expected)
    assert "echo" in line
    assert line.endswith("To start one of your own: voiceflow new FILE")


def test_an_error_in_a_neighbour_names_the_line_that_led_there(folder: Path) -> None:
    Path("vf_broken.py").write_text("\n\n1 / 0\n")
    Path("file.py").write_text("\nimport vf_broken\n")
    assert refusal(call("file.py")) == "file.py, line 2: ZeroDivisionError: division by zero"
    Path("vf_broken.py").write_text("\n\n1 / / 0\n")
    assert refusal(call("file.py")).endswith("vf_broken.py, line 3: SyntaxError: invalid syntax")


def test_a_model_that_does_not_load_is_no_traceback(folder: Path) -> None:
    loads = "    def load(self):\n        raise ConnectionError('no model server')\n\n    def process"
    Path("file.py").write_text(PASS_ON.format(body="").replace("    def process", loads))
    assert "no model server" in refusal(call("file.py"))


@pytest.mark.parametrize("command", ["run", "graph"])
def test_debug_shows_the_traceback(folder: Path, command: str) -> None:
    Path("file.py").write_text("import math\nraise ValueError('why')\n")
    debug = "--log-level", "debug"
    result = call("file.py", *debug) if command == "run" else run("graph", "file.py", *debug)
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("Error: file.py, line 2: ValueError: why\n")


# -- what is wrong with IN and OUT


def test_a_recording_that_cannot_be_read_is_one_line(folder: Path) -> None:
    Path("in.wav").write_bytes(b"ID3")
    assert refusal(run("run", "echo", "--wav", "in.wav", "out.wav")).startswith("in.wav is not a WAV file")
    assert refusal(run("run", "echo", "--wav", "no.wav", "out.wav")).startswith("no.wav does not exist")


def test_an_output_that_cannot_be_written_is_said_before_the_call(folder: Path) -> None:
    Path("in.wav").write_bytes(SPEECH.read_bytes())
    wav = "run", "echo", "--wav", "in.wav"
    assert refusal(run(*wav, "no/out.wav")) == "cannot write no/out.wav: the folder no does not exist"
    assert refusal(run(*wav, ".")) == "cannot write .: it is a folder, name a file"
    assert refusal(run(*wav, folder / "in.wav")).endswith("is the caller's recording itself: name another file for OUT")


# -- graph


def test_graph_draws_text() -> None:
    result = run("graph", "echo")
    assert result.exit_code == 0
    assert "●  WavSource   task 1 · speaker\n│  pcm16 16000 Hz" in result.stdout


@pytest.mark.parametrize(("picture", "start"), [("text", "╒══"), ("mermaid", "flowchart TD"), ("svg", "<svg ")])
def test_graph_writes_a_file(folder: Path, picture: str, start: str) -> None:
    result = run("graph", "echo", "--format", picture, "-o", "out")
    assert result.exit_code == 0
    assert result.output == ""
    assert Path("out").read_text(encoding="utf-8").startswith(start)


def test_graph_says_where_it_cannot_write(folder: Path) -> None:
    assert refusal(run("graph", "echo", "-o", "no/out")) == "cannot write no/out: No such file or directory"


# -- new


@pytest.mark.parametrize("name", ["hello.py", "my first.py"])
def test_a_new_pipeline_runs(folder: Path, name: str) -> None:
    created = run("new", name)
    assert created.exit_code == 0
    assert "voiceflow run" in created.stdout
    result = call(name, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["delay_ms"] == 20
    assert report["correlation"] > 0.999
    assert abs(read_wav("heard.wav").samples).max() == pytest.approx(read_wav(SPEECH).samples.max() / 2, rel=0.05)


def test_new_overwrites_nothing(folder: Path) -> None:
    Path("mine.py").write_text("mine")
    assert refusal(run("new", "mine.py")) == "mine.py exists and is left as it is: choose another name"
    assert Path("mine.py").read_text() == "mine"


def test_new_says_where_it_cannot_write(folder: Path) -> None:
    assert refusal(run("new", "no/hello.py")) == "cannot write no/hello.py: No such file or directory"


# -- help


@pytest.mark.parametrize("command", [[], ["run"], ["graph"], ["new"]])
def test_help_has_examples(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"  voiceflow {' '.join(command)}" in result.stdout


def test_version() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("voiceflow, version ")


def test_help_loads_nothing_that_only_commands_need() -> None:
    heavy = "rich", "soxr", "voiceflow.draw", "voiceflow.transports.wav"
    code = f"import sys, voiceflow.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_who_said_what_is_shown_instead_of_how_alike_it_is(tmp_path):
    pipeline = tmp_path / "talk.py"
    pipeline.write_text(
        "from collections.abc import AsyncIterator, Iterator\n"
        "from voiceflow import AudioRaw, Call, LLMText, Mark, Pipeline, Processor, Transcript\n"
        "class Ears(Processor):\n"
        "    heard = 0\n"
        "    def process(self, frame: AudioRaw) -> Iterator[Transcript]:\n"
        "        self.heard += 1\n"
        "        if self.heard == 10:\n"
        "            yield Transcript('What time is it?')\n"
        "class Brain(Processor):\n"
        "    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:\n"
        "        yield LLMText('Late.')\n"
        "class Mouth(Processor):\n"
        "    async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:\n"
        "        yield Mark(frame.text)\n"
        "        yield AudioRaw(bytes(6400))\n"
        "        yield Mark()\n"
        "def pipeline(call: Call) -> Pipeline:\n"
        "    return call.source | Ears() | Brain() | Mouth() | call.sink\n"
    )
    arguments = ["run", str(pipeline), "--wav", str(SPEECH), str(tmp_path / "heard.wav"), "--fast"]
    shown = CliRunner().invoke(main, arguments)
    assert "What time is it?" in shown.output
    assert "correlation" not in shown.output
    report = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    assert report["conversation"] == [
        {"who": "caller", "said": "What time is it?"},
        {"who": "agent", "said": "Late.", "interrupted": False},
    ]
