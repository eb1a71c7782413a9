"""What `voiceflow doctor` says of the tunnel."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tunnel.double import Double

from voiceflow.doctor import Finding, Setting
from voiceflow.doctor.tunnel import cloudflared
from voiceflow.tunnel.binary import install_command

ID = "6ff42ae2-765d-4adf-8112-31c55c1551ef"
NAMED = f"TUNNEL_ID={ID}\nTUNNEL_URL=https://voice.example.com\n"
VERSION = "cloudflared version 2025.8.1 (built 2025-08-21-1534 UTC)"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'double'}:/usr/bin:/bin")
    return tmp_path


def finding() -> Finding:
    return asyncio.run(cloudflared(Setting({})))


def test_without_cloudflared_it_says_how_to_install_it(folder: Path) -> None:
    said = "cloudflared is not installed; `voiceflow run FILE --tunnel` needs it"
    assert finding() == Finding("cloudflared", "ok", said, install_command())
    Path(".tunnel-config").write_text(NAMED)
    assert finding() == Finding("cloudflared", "fail", said, install_command())


def test_it_says_which_one_is_found_and_its_version(folder: Path) -> None:
    double = Double(folder / "double")
    assert finding() == Finding("cloudflared", "ok", f"{VERSION}, {double.program}")
    double.program.chmod(0o644)
    assert finding().remedy == f"chmod +x {double.program}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("#!/bin/sh\necho 'cloudflared version 2021.1.0 (built x)'\n", "is too old: cloudflared version 2021.1.0"),
        ("#!/bin/sh\necho broken\nexit 1\n", "fails: broken"),
        ("\x7fELF for another machine", "fails: cannot run"),
    ],
)
def test_one_that_cannot_be_used_is_a_warning(folder: Path, content: str, said: str) -> None:
    program = Double(folder / "double").program
    program.write_text(content)
    status, told, remedy = finding().status, finding().said, finding().remedy
    assert status == "warn"
    assert told.startswith(f"{program} {said}")
    assert remedy == install_command()


def test_a_named_tunnel_is_checked_with_its_files(folder: Path) -> None:
    double = Double(folder / "double")
    Path(".tunnel-config").write_text(NAMED)
    credentials = folder / "home" / ".cloudflared" / f"{ID}.json"
    found = finding()
    assert (found.status, found.said) == (
        "fail",
        f"the tunnel {ID} of .tunnel-config needs {credentials}, which is not there",
    )
    credentials.parent.mkdir(parents=True)
    credentials.write_text("{}")
    said = f"{VERSION}, {double.program}, the tunnel {ID} at https://voice.example.com"
    assert finding() == Finding("cloudflared", "ok", said)
    Path(".tunnel-config").write_text(f"{NAMED}TUNNEL_NAM=x\n")
    assert finding().status == "warn"
    assert ".tunnel-config, line 3: TUNNEL_NAM is unknown" in finding().said
    Path(".tunnel-config").write_text("TUNNEL_ID\n")
    assert finding().status == "fail"
    assert finding().said.startswith(".tunnel-config, line 1: expected KEY=VALUE")
