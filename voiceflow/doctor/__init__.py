"""Checks that everything that calls need is there. A check is a coroutine that returns a finding; none waits for
another, and each has a deadline.

>>> setting = Setting.read(None)
>>> for name, check in checks(setting).items():
...     print(await examine(name, check, setting))
"""

from __future__ import annotations

import re
from functools import partial

from voiceflow.transports.carriers import carriers

from . import machine, reach, tunnel
from .finding import Check, Finding, Setting, examine
from .ice import examine_ice
from .outside import CallNumbers
from .phone import examine_phone

__all__ = ["CallNumbers", "Check", "Finding", "Setting", "checks", "examine", "examine_ice", "examine_phone"]


def checks(setting: Setting) -> dict[str, Check]:
    """All checks by name, in the order in which they are shown."""
    voices = dict.fromkeys(re.sub(r"#\d+$", "", route.tts_voice) for route in setting.routes)  # NAME#SPEAKER
    return {
        "python": machine.python,
        "configuration": machine.configuration,
        **{f"extra {name}": partial(machine.extra, name=name) for name in machine.PURPOSE},
        "whisper": machine.whisper,
        **{f"voice {name}": partial(machine.voice, name=name) for name in voices},
        "language model": machine.language_model,
        "ollama": machine.ollama,
        "port": reach.port,
        **{each.name: partial(reach.carrier, carrier=each) for each in carriers()},
        "public address": reach.public_address,
        "cloudflared": tunnel.cloudflared,
    }
