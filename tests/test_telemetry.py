"""The switches of libraries that would report to their makers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PRINT = "import os, voiceflow; print(os.environ['ORT_DISABLE_TELEMETRY'], os.environ['HF_HUB_DISABLE_TELEMETRY'])"


@pytest.mark.parametrize(("variables", "found"), [({}, "1 1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0 1")])
def test_importing_voiceflow_switches_telemetry_off_unless_the_user_wants_it(
    variables: dict[str, str], found: str
) -> None:
    ours = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    done = subprocess.run(
        [sys.executable, "-c", PRINT], env={**ours, **variables}, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{found}\n"
