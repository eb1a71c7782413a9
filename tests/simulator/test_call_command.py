"""`voiceflow call`: what it asks for, what it prints, and how it exits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cli.refusals import refusal
from click.testing import CliRunner, Result
from simulator.servers import echo, in_thread, serving
from websockets.asyncio.server import ServerConnection

from voiceflow.audio import AudioFormat
from voiceflow.cli.call import call
from voiceflow.sounds.wavfile import read_wav

NOWHERE = "ws://127.0.0.1:1/sip/media-stream"
SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(call, [str(argument) for argument in arguments], prog_name="voiceflow call")


def report(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    decoded: dict[str, Any] = json.loads(result.stdout)
    return decoded


def test_a_call_to_an_echo_is_reported_for_machines() -> None:
    with in_thread(serving(echo)) as url:
        found = report(run(url, "--seconds", "1.2", "--json"))
    assert (found["url"], found["provider"], found["codec"]) == (url, "twilio", "PCMU 8000 Hz")
    assert (found["calls"], found["failed"], found["call_seconds"]) == (1, 0, 1.2)
    assert found["ended"] == [{"reason": "hung up", "failed": False, "count": 1}]
    assert found["heard"]["correlation_without_gaps"] > 0.9
    assert found["delay_ms"]["count"] > 0
    assert found["messages"]["sent"] == 2 + 60 + 1
    assert found["refused"] == []
    assert found["recorded"] is None
    assert found["phone"]["cpu_ms_per_call_second"] > 0


def test_the_table_says_the_same_to_people() -> None:
    with in_thread(serving(echo)) as url:
        result = run(url, "--seconds", "0.5", "--calls", "3")
    assert result.exit_code == 0
    for words in (url, "3 calls, 1.5 s in all", "3 x hung up", "delay", "jitter", "first audio", "gaps", "this phone"):
        assert words in result.stdout
    assert "0.5 of 0.5 s" in result.stderr  # the bar came to its end


@pytest.mark.parametrize(
    ("codec", "rate"), [("PCMU", 8_000), ("PCMA", 8_000), ("G722", 16_000), ("L16", 16_000), ("l16 --rate 8000", 8_000)]
)
def test_every_codec_of_telnyx_comes_back_and_is_recorded_at_its_rate(codec: str, rate: int, tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    options = ("--as", "telnyx", "--codec", *codec.split(), "--play", SPEECH, "--seconds", "1.2", "--json")
    with in_thread(serving(echo)) as url:
        found = report(run(url, *options, "--record", heard, "--mono"))
    assert found["heard"]["correlation_without_gaps"] > 0.9
    assert found["recorded"] == str(heard)
    assert read_wav(heard).format is AudioFormat("pcm16", rate)


def test_a_recording_has_the_caller_on_the_left_and_the_agent_on_the_right(tmp_path: Path) -> None:
    async def mute(socket: ServerConnection) -> None:
        async for _ in socket:
            pass

    path = tmp_path / "call.wav"
    with in_thread(serving(mute)) as url:
        found = report(run(url, "--seconds", "0.4", "--record", path, "--json"))
    both = read_wav(path)
    assert both.format is AudioFormat("pcm16", 8_000, 2)
    assert len(both.samples) == 3_200
    assert both.samples[:, 0].any()
    assert not both.samples[:, 1].any()
    assert found["heard"] is found["delay_ms"] is found["first_audio_ms"] is None


def test_what_the_carrier_refuses_stands_in_the_table() -> None:
    async def wrong(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.recv()
        for _ in range(2):
            await socket.send('{"event":"clear","streamSid":"MZ0"}')
        await socket.wait_closed()

    with in_thread(serving(wrong)) as url:
        result = run(url, "--seconds", "0.2")
    assert result.exit_code == 0
    assert "2 x 31951 Stream - Protocol - Invalid Message" in result.stdout


def test_a_server_that_fails_a_call_is_exit_code_1_and_told_with_its_reason() -> None:
    async def fail(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(1011, "out of order")

    with in_thread(serving(fail)) as url:
        result = run(url)
    assert result.exit_code == 1
    assert "1011 out of order" in result.stdout


@pytest.mark.parametrize(("seconds", "code"), [([], 1), (["--seconds", "1.8"], 1), (["--seconds", "1.4"], 0)])
def test_a_server_that_never_answers_is_exit_code_1_if_the_caller_waits(
    seconds: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mute(socket: ServerConnection) -> None:
        async for _ in socket:
            pass

    for module in ("voiceflow.simulator.load", "voiceflow.cli.simulation"):
        monkeypatch.setattr(f"{module}.ANSWER", 0.4)
    with in_thread(serving(mute)) as url:
        result = run(url, "--digits", "1", *seconds)  # over after 1.2 s
    assert result.exit_code == code
    assert ("Error: the caller was never answered" in result.stderr) == bool(code)


def test_keys_and_the_token_reach_the_server() -> None:
    messages: list[str] = []

    async def listen(socket: ServerConnection) -> None:
        messages.extend([str(message) async for message in socket])

    with in_thread(serving(listen)) as url:
        keys = ("--digits", "1w#", "--barge-in-at", "0.1", "--seconds", "1")
        found = report(run(url, *keys, "--token", "abc.d", "--call-id", "CA7", "--from", "+12025550111", "--json"))
    start = json.loads(messages[1])["start"]
    assert start["callSid"] == "CA7"
    assert start["customParameters"] == {"from": "+12025550111", "to": "+12025550199", "token": "abc.d"}
    assert [json.loads(message)["dtmf"]["digit"] for message in messages if '"dtmf"' in message] == ["1", "#"]
    assert found["clear_ms"] is None


def test_a_caller_who_vanishes_has_not_failed() -> None:
    with in_thread(serving(echo)) as url:
        assert report(run(url, "--vanish-after", "0.1", "--json"))["ended"][0]["reason"] == "vanished"


def test_ctrl_c_ends_the_call_and_still_says_what_came_of_it() -> None:
    talking = threading.Event()

    async def listen(socket: ServerConnection) -> None:
        async for message in socket:
            if '"media"' in str(message):
                talking.set()

    with in_thread(serving(listen)) as url:
        command = [sys.executable, "-c", "from voiceflow.cli.call import call; call()", url, "--seconds", "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert talking.wait(30)
            process.send_signal(signal.SIGINT)
            printed, _ = process.communicate()
    assert "stopped by the user" in printed
    assert process.returncode == 130


def test_help_shows_what_to_type() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "voiceflow call ws://127.0.0.1:8000/sip/media-stream" in result.stdout
    assert "--barge-in-at SECONDS" in result.stdout


# -- what cannot begin


def test_where_nothing_listens_is_one_line() -> None:
    assert (
        refusal(run(NOWHERE)) == "nothing listens on 127.0.0.1 port 1: start a server there, with `voiceflow run FILE`"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--codec", "PCMA"], "Twilio streams PCMU or L16 only"),
        (["--as", "telnyx", "--rate", "16000"], "only that of --codec L16 varies"),
        (["--as", "telnyx", "--codec", "L16", "--rate", "1"], "outside 4 000 to 192 000 Hz"),
        (["--reorder", "1"], "Twilio sends audio in order"),
        (["--digits", "12x"], "the keys of a telephone"),
        (["--token", "abc", "--calls", "2"], "leave out --calls"),
        (["--mono"], "add --record WAV"),
        (["--record", "/no/such/folder/call.wav"], "the folder /no/such/folder does not exist"),
        (["--play", "missing.wav"], "missing.wav does not exist"),
        (["--play", __file__], "is not a WAV file"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_call(options: list[str], words: str) -> None:
    assert words in refusal(run(NOWHERE, *options))


def test_another_url_is_refused_with_an_example() -> None:
    assert "expected one such as ws://" in refusal(run("127.0.0.1:8000"))
    assert "expected one such as ws://" in refusal(run("http://127.0.0.1:8000", "--as", "twilio"))
