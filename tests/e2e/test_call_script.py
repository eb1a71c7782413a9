"""`voiceflow call --script`: a conversation of a simulated caller with real engines at both ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.processes import command, serving
from e2e import engines

from voiceflow import weights

ASSISTANT = f"""
import msgspec
from voiceflow.pipelines import assistant

def pipeline(call):
    call.route = msgspec.structs.replace(call.route, tts_voice="{engines.VOICE}")
    return assistant.pipeline(call)
"""
SCRIPT = f"""
voice: {engines.VOICE}
steps:
  - say: Hello
  - say: Thank you and good bye.
"""
LONGEST = 180.0
"""Seconds after which the call has failed: its words are recognised after it, on a machine that others may use."""


def test_both_sides_of_a_scripted_conversation_are_told_in_words(tmp_path: Path) -> None:
    if reason := engines.missing():
        pytest.skip(reason)
    (tmp_path / "talk.py").write_text(ASSISTANT)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    cache = {"VOICEFLOW_CACHE": str(weights.cache_folder())}
    with serving(tmp_path, "talk.py", "-p", 0, **cache) as server:
        call = [*server.trial, "--script", "script.yaml", "--json"]
        done = command(tmp_path, *call, watchdog=LONGEST, **cache)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    lines = [(line["who"], engines.words(line["text"])) for line in report["conversation"]]
    assert lines[0] == ("agent", ["hello", "how", "can", "i", "help", "you"])
    assert [words for who, words in lines if who == "caller"] == [["hello"], ["thank", "you", "and", "good", "bye"]]
    assert lines[-1][0] == "agent"
    assert report["turns"]
    assert len(report["turns"]) == report["turn_ms"]["count"]
