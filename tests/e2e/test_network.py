"""Nothing leaves the machine that nobody asked for: each command runs in a network of its own, which is watched."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from e2e import engines
from e2e.isolation import ANSWER, Network, isolated, missing

from voiceflow import weights

TESTS = Path(__file__).resolve().parent.parent
SPEECH = TESTS / "data" / "speech.wav"
VOICEFLOW = [sys.executable, "-m", "voiceflow"]
LINGER = 3.0
"""Seconds that threads of libraries have to report, beside the process that has ended."""
ASSISTANT = f"""
import msgspec
from voiceflow.pipelines import assistant

def pipeline(call):
    call.route = msgspec.structs.replace(call.route, tts_voice="{engines.VOICE}")
    return assistant.pipeline(call)
"""
"""The assistant with a voice that is installed, for browsers, too."""
PHONE_AND_BROWSER = """
import pathlib, time
from cli.processes import command, serving
folder = pathlib.Path.cwd()
with serving(folder, "talk.py", "-p", 0) as server:
    for called in (command(folder, *server.trial), command(folder, "call", server.address)):
        print(called.stdout, called.stderr)
        assert called.returncode == 0
    print(server.log)
    time.sleep(3)
"""
IMPORTS = """
import voiceflow
import aiortc, anthropic, av, ctranslate2, dotenv, faster_whisper, huggingface_hub, ollama, onnxruntime, openai
import piper, phonenumbers, tokenizers, uvicorn
import time
time.sleep(3)
"""
MODELS = """
import asyncio
from voiceflow.processors import ClaudeLLM, OllamaLLM, OpenAILLM
nowhere = "http://127.0.0.1:9"

async def main():
    for model in (
        ClaudeLLM("claude-x", api_key="k", base_url=nowhere),
        OpenAILLM("gpt-x", api_key="k", base_url=nowhere),
        OllamaLLM("llama-x"),
    ):
        model.model = model.load()
        try:
            async for word in model.chat([{"role": "user", "content": "Hello"}]):
                print(word)
        except Exception as error:
            print(type(model).__name__, error)

asyncio.run(main())
"""

pytestmark = pytest.mark.skipif(missing() is not None, reason=f"{missing()}")


def watched(folder: Path, *command: object, **variables: str) -> Network:
    """What a command asks of the network that is run as by a user who has configured nothing."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "VOICEFLOW_CACHE": str(weights.cache_folder()),
        "PYTHONPATH": str(TESTS),
        **variables,
    }
    network = isolated(list(map(str, command)), folder, environment, linger=LINGER)
    assert network.code == 0
    return network


def left_at_home(folder: Path) -> list[str]:
    """What commands have left in the home folder."""
    return [str(path.relative_to(folder / "home")) for path in (folder / "home").rglob("*")]


def test_what_a_command_asks_of_the_network_would_be_noticed(tmp_path: Path) -> None:
    code = """
import contextlib, socket
for host in ("telemetry.example.com", "203.0.113.9"):
    with contextlib.suppress(OSError):
        socket.create_connection((host, 443), 1)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"report", ("203.0.113.7", 3478))
socket.create_server(("127.0.0.1", 8000)).close()
"""
    network = watched(tmp_path, sys.executable, "-c", code)
    assert network.lookups == ["telemetry.example.com"]
    assert network.peers == [f"{ANSWER}:443", "203.0.113.7:3478", "203.0.113.9:443"]


def test_a_whole_assistant_and_its_callers_ask_for_nothing(tmp_path: Path) -> None:
    if reason := engines.missing():
        pytest.skip(reason)
    (tmp_path / "talk.py").write_text(ASSISTANT)
    network = watched(tmp_path, sys.executable, "-c", PHONE_AND_BROWSER)
    assert (network.lookups, network.peers) == ([], [])
    assert left_at_home(tmp_path) == []


def test_a_model_that_is_not_here_is_all_that_is_asked_for(tmp_path: Path) -> None:
    if reason := engines.missing():
        pytest.skip(reason)
    run = [*VOICEFLOW, "run", "assistant", "--wav", SPEECH, "heard.wav", "--fast"]
    network = watched(tmp_path, *run, VOICEFLOW_CACHE=str(tmp_path / "cache"))
    assert network.lookups == ["huggingface.co"]
    assert network.peers == [f"{ANSWER}:443"]
    assert left_at_home(tmp_path) == []


@pytest.mark.parametrize(
    "line", ["doctor", "doctor --ice", "models", f"models download {engines.VOICE}", "routes", "graph assistant"]
)
def test_commands_that_look_at_this_machine_ask_for_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / "voiceflow.yaml").write_text("ice: []\n")
    network = watched(tmp_path, *VOICEFLOW, *line.split())
    assert (network.lookups, network.peers) == ([], [])
    assert left_at_home(tmp_path) == []


def test_doctor_looks_up_the_public_address_alone(tmp_path: Path) -> None:
    address = "wss://voice.example.com/sip/media-stream"
    network = watched(tmp_path, *VOICEFLOW, "doctor", SIP_PUBLIC_WS_URL=address)
    assert (network.lookups, network.peers) == (["voice.example.com"], [])


def test_no_library_reports_that_it_was_imported(tmp_path: Path) -> None:
    network = watched(tmp_path, sys.executable, "-c", IMPORTS)
    assert (network.lookups, network.peers) == ([], [])
    assert left_at_home(tmp_path) == []


def test_language_models_reach_their_server_and_nobody_else(tmp_path: Path) -> None:
    network = watched(tmp_path, sys.executable, "-c", MODELS, OLLAMA_URL="http://127.0.0.1:9")
    assert (network.lookups, network.peers) == ([], [])
    assert left_at_home(tmp_path) == []
