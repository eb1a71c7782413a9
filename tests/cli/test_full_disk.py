"""A recording that cannot be written: the result of the call is printed all the same, and the exit code tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.processes import command, serving

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
FULL = Path("/dev/full")
"""Whatever is written there finds the disk full."""

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")


def test_the_report_of_a_call_survives_a_full_disk(tmp_path: Path) -> None:
    with serving(tmp_path, "echo", "-p", 0) as server:
        for options in (["--json"], []):
            done = command(tmp_path, "call", server.media, "--record", FULL, "--seconds", 0.6, *options)
            assert done.returncode == 1
            assert done.stderr.splitlines()[-1] == "Error: cannot write /dev/full: No space left on device"
            if options:
                report = json.loads(done.stdout)
                assert report["recorded"] is None
                assert report["call_seconds"] == 0.6
            else:
                assert "hung up" in done.stdout
                assert "/dev/full" not in done.stdout


@pytest.mark.parametrize("options", [["--json"], []])
def test_the_result_of_a_recorded_call_survives_a_full_disk(tmp_path: Path, options: list[str]) -> None:
    done = command(tmp_path, "run", "echo", "--wav", SPEECH, FULL, "--fast", *options)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: cannot write /dev/full: No space left on device"
    assert "the caller hung up" in done.stdout
    assert not options or json.loads(done.stdout)["correlation"] == 1.0


def test_a_failed_call_is_told_besides(tmp_path: Path) -> None:
    (tmp_path / "mute.py").write_text(
        "from voiceflow import AudioRaw, Processor\n"
        "class Fails(Processor):\n"
        "    def process(self, frame: AudioRaw) -> AudioRaw:\n"
        "        raise ValueError('no')\n"
        "def pipeline(call):\n"
        "    return call.source | Fails() | call.sink\n"
    )
    done = command(tmp_path, "run", "mute.py", "--wav", SPEECH, FULL, "--fast", "--json")
    assert done.returncode == 1
    assert "Error: cannot write /dev/full: No space left on device\n" in done.stderr
    assert "Error: the call failed: Fails raised ValueError: no" in done.stderr
