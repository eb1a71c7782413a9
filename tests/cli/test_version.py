"""Which voiceflow this is, and that it runs as a module."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from cli.processes import command

import voiceflow
from voiceflow.errors import DISTRIBUTION


def test_the_version_is_that_of_the_distribution() -> None:
    assert voiceflow.__version__ == version(DISTRIBUTION)


def test_other_names_are_missing_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'voiceflow' has no attribute '__versions__'"):
        voiceflow.__versions__  # noqa: B018


def test_importing_voiceflow_does_not_look_for_its_version() -> None:
    code = "import sys, voiceflow; print('importlib.metadata' in sys.modules); voiceflow.__version__"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_module_runs_as_the_command_does(tmp_path: Path) -> None:
    done = command(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"voiceflow, version {voiceflow.__version__}\n")


def test_the_distribution_is_named_in_one_place() -> None:
    package = Path(voiceflow.__file__).parent
    files = [path for path in package.rglob("*.py") if f'"{DISTRIBUTION}' in path.read_text()]
    assert files == [package / "errors.py"]
