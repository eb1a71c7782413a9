"""Nothing is told to the makers of the libraries that voiceflow uses: what happens in calls is nobody's business.

onnxruntime, from 1.29 on, reports to its maker how it is used and keeps an id of the machine in the home folder; it
reads its switch when it is imported. huggingface_hub is imported by faster-whisper. Others heed DO_NOT_TRACK.
"""

from __future__ import annotations

import os
from typing import Final

SWITCHES: Final = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
"""Environment variables that switch off telemetry. Child processes inherit them."""


def switch_off() -> None:
    """Set the switches, but for those that the user has set. To be called before the libraries are imported."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
