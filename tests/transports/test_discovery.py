"""Which carriers there are: ours, those of installed packages, those that were registered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from madeup import CARRIER, Madeup
from server.running import running

from voiceflow import ConfigError
from voiceflow.transports.carriers import carrier_named, names, register, unregister

TESTS = Path(__file__).parent.parent


def test_carriers_that_are_registered_come_after_ours_until_they_are_forgotten() -> None:
    register(CARRIER)
    assert names() == ("twilio", "telnyx", "madeup")
    assert carrier_named("madeup") is CARRIER
    unregister("madeup")
    assert names() == ("twilio", "telnyx")


@pytest.mark.parametrize("name", ["", "Made Up", "1up", "webrtc", "wav", "made-up"])
def test_a_carrier_needs_a_name_of_its_own(name: str) -> None:
    class Misnamed(Madeup):
        pass

    Misnamed.name = name
    with pytest.raises(ConfigError, match="is not a name for a carrier"):
        register(Misnamed())


class Installed:
    """Installs a distribution with an entry point, for processes that are started later."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(TESTS)]))

    def __call__(self, entry_point: str) -> None:
        about = self._folder / "acme_carriers-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-carriers\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[voiceflow.carriers]\n{entry_point}\n")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    return Installed(folder, monkeypatch)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from voiceflow.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


def test_an_installed_package_adds_its_carrier_to_every_command(installed: Installed, tmp_path: Path) -> None:
    installed("madeup = madeup:CARRIER")
    with running(tmp_path) as server:
        assert "/sip/madeup/answer" in server.log
        called = command("call", server.media, "--as", "madeup", "--seconds", "1.2", "--digits", "5", "--json")
        assert called.returncode == 0, called.stderr
        found = json.loads(called.stdout)
        assert (found["provider"], found["codec"]) == ("madeup", "WIDE 16000 Hz")
        assert (found["failed"], found["refused"]) == (0, [])
        spoken = command("call", server.media, "--as", "madeup", "--seconds", "2", "--json")
        assert json.loads(spoken.stdout)["heard"]["correlation_without_gaps"] > 0.9
        assert "by madeup" in server.log


@pytest.mark.parametrize(
    ("entry_point", "expected"),
    [
        ("madeup = madeup:NOTHING", "madeup:NOTHING (the entry point 'madeup' of acme-carriers) cannot be loaded"),
        ("madeup = nowhere:CARRIER", "No module named 'nowhere'"),
        ("madeup = madeup:KINDS", "cannot be loaded"),
        ("madeup = madeup:Madeup", "expected a Carrier at madeup:Madeup"),
        ("other = madeup:CARRIER", "expected a carrier called 'other'"),
    ],
)
@pytest.mark.parametrize("arguments", [("graph", "echo", "--as", "madeup"), ("call", "--help"), ("run", "echo")])
def test_a_package_whose_carrier_cannot_be_loaded_is_named(
    installed: Installed, entry_point: str, expected: str, arguments: tuple[str, ...]
) -> None:
    installed(entry_point)
    done = command(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_provider_that_nobody_knows_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    file = tmp_path / "voiceflow.yaml"
    file.write_text("provider: madeup\n")
    for arguments in (("--provider", "madeup"), ("-c", str(file))):
        done = command("run", "echo", *arguments)
        assert done.returncode == 2
        assert "'madeup'" in done.stderr
        assert "twilio, telnyx" in done.stderr
