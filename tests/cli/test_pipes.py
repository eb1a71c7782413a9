"""Recordings from a pipe, as FFmpeg, SoX and arecord write them: without a length, in the telephone's codings."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path

import pytest
from cli.processes import COMMAND, WATCHDOG, environment, serving

from voiceflow.audio import AudioFormat
from voiceflow.processors.codec import convert
from voiceflow.sounds.wavfile import read_wav

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="there is no /dev/stdin here")


def piped(tag: int, encoding: str, length: int) -> bytes:
    """The recording as G.711, in a WAV file that states `length`."""
    audio = convert(read_wav(SPEECH), AudioFormat(encoding, 8_000))
    head = struct.pack("<HHIIHHH", tag, 1, 8_000, 8_000, 1, 8, 0)
    chunks = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", length)
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + chunks + audio.data


def run(folder: Path, recording: bytes, *arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder),
        input=recording,
        capture_output=True,
        timeout=WATCHDOG,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("tag", "encoding"), [(6, "alaw"), (7, "mulaw")])
@pytest.mark.parametrize("length", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_call_from_a_pipe_is_whole(tmp_path: Path, tag: int, encoding: str, length: int) -> None:
    line = "run", "echo", "--wav", "/dev/stdin", "heard.wav", "--fast", "--json"
    report = run(tmp_path, piped(tag, encoding, length), *line)
    assert report["in_seconds"] == pytest.approx(7.162, abs=0.001)
    assert report["correlation"] == 1.0


def test_a_caller_speaks_from_a_pipe(tmp_path: Path) -> None:
    with serving(tmp_path, "echo", "-p", 0) as server:
        line = "call", server.media, "--play", "/dev/stdin", "--seconds", "1.5", "--json"
        report = run(tmp_path, piped(7, "mulaw", 0x7FFFFFFF), *line)
    assert report["delay_ms"] is not None
