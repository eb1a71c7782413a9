"""Finding cloudflared, and what is said where it is missing, too old, or no program."""

from __future__ import annotations

import asyncio
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from tunnel.double import Double

from voiceflow.errors import TunnelError
from voiceflow.tunnel.binary import find, found, install_command, is_too_old, version
from voiceflow.tunnel.opening import SETTINGS

REAL = found()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, and a PATH with nothing but the folder `bin` in it."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "project" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "below")
    return tmp_path / "project"


def program(file: Path, content: str = "#!/bin/sh\n") -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(
    ("system", "machine", "command"),
    [
        ("linux", "x86_64", "sudo curl -fLo /usr/local/bin/cloudflared https://github.com/cloudflare/cloudflared"),
        ("linux", "aarch64", "/cloudflared-linux-arm64 && sudo chmod +x"),
        ("darwin", "arm64", "brew install cloudflared"),
    ],
)
def test_where_it_is_missing_the_command_that_installs_it_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, system: str, machine: str, command: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(TunnelError) as caught:
        find()
    assert str(caught.value).startswith("cloudflared is not installed: ")
    assert command in str(caught.value)
    assert install_command() in str(caught.value)


def test_one_that_is_not_executable_is_named(folder: Path) -> None:
    file = Path(program(folder.parent / "bin" / "cloudflared"))
    assert find() == str(file)
    file.chmod(0o644)
    with pytest.raises(TunnelError, match=f"{file} is not executable: chmod \\+x {file}"):
        find()


def test_npms_package_has_it_in_a_folder_above(folder: Path) -> None:
    there = program(folder / "node_modules" / "cloudflared" / "bin" / "cloudflared")
    assert find() == there
    assert find() != program(folder.parent / "bin" / "cloudflared")
    assert find() == str(folder.parent / "bin" / "cloudflared")


def test_npms_command_is_passed_by_since_what_it_starts_would_outlive_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = folder / "node_modules" / "cloudflared"
    script = program(package / "lib" / "cloudflared.js", "#!/usr/bin/env node\n")
    commands = folder / "node_modules" / ".bin"
    commands.mkdir()
    (commands / "cloudflared").symlink_to("../cloudflared/lib/cloudflared.js")
    monkeypatch.setenv("PATH", str(commands))
    assert Path(find()).resolve() == Path(script)  # the package has not downloaded it, and its command will
    there = program(package / "bin" / "cloudflared")
    assert find() == there


def test_pypis_package_has_it_beside_its_modules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = folder.parent / "packages" / "pycloudflared"
    program(package / "__init__.py", "raise AssertionError('it is not imported')")
    monkeypatch.syspath_prepend(package.parent)
    assert found() is None
    there = program(package / "cloudflared-linux-amd64")
    assert find() == there


@pytest.mark.parametrize(
    ("said", "old"),
    [
        ("cloudflared version 2022.12.1 (built 2022-12-20-1200 UTC)", True),
        ("cloudflared version 2023.1.0 (built 2023-01-10-1200 UTC)", True),
        ("cloudflared version 2023.1.1 (built 2023-01-11-1200 UTC)", False),
        ("cloudflared version 2025.11.1 (built 2025-11-07-1200 UTC)", False),
        ("cloudflared version DEV (built unknown)", False),
        ("", False),
    ],
)
def test_a_version_is_too_old_or_not(said: str, old: bool) -> None:
    assert is_too_old(said) is old


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("echo cloudflared version 2025.8.1", ("cloudflared version 2025.8.1", True)),
        ("echo broken >&2; exit 3", ("broken", False)),
        ("exit 3", ("nothing, exit code 3", False)),
    ],
)
def test_its_version_is_asked(folder: Path, content: str, said: tuple[str, bool]) -> None:
    assert asyncio.run(version(program(folder / "cloudflared", f"#!/bin/sh\n{content}\n"))) == said


def test_one_that_does_not_say_its_version_is_not_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceflow.tunnel.binary.VERSION_WITHIN", 0.5)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    silent = program(folder / "cloudflared", f"#!/bin/sh\necho $$ > {folder}/pid\nsleep 1000 &\nwait\n")
    assert asyncio.run(version(silent)) == ("nothing", False)
    shown = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], check=True, capture_output=True, text=True).stdout
    group = (folder / "pid").read_text().strip()
    assert group not in [line.split()[0] for line in shown.splitlines() if not line.split()[1].startswith("Z")]


@pytest.mark.skipif(
    REAL is None, reason="cloudflared is not installed, and no package of PyPI, npm or Debian brings it"
)
def test_the_real_one_says_its_version_and_knows_our_options(tmp_path: Path) -> None:
    assert REAL is not None
    said, works = asyncio.run(version(REAL))
    assert works
    assert said.startswith("cloudflared version ")
    shown = subprocess.run([REAL, "tunnel", "run", "--help"], check=True, capture_output=True, text=True).stdout
    assert "--url" in shown
    shown = subprocess.run([REAL, "tunnel", "--help"], check=True, capture_output=True, text=True).stdout
    assert all(option in shown for option in ("--config", "--no-autoupdate", "--url"))
    settings = tmp_path / "config.yml"
    settings.write_text(f"{SETTINGS}ingress:\n  - service: http://127.0.0.1:8000\n")
    checked = subprocess.run(
        [REAL, "tunnel", "--config", settings, "ingress", "validate"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr


def test_the_double_says_what_the_real_one_says(tmp_path: Path) -> None:
    said, works = asyncio.run(version(str(Double(tmp_path / "double").program)))
    assert works
    assert said == "cloudflared version 2025.8.1 (built 2025-08-21-1534 UTC)"
