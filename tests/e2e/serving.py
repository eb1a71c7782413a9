"""`voiceflow run assistant` with real engines, as a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from e2e import llm_server
from e2e.engines import VOICE
from launching import await_health, free_port, launched

COMMAND = [sys.executable, "-c", "from voiceflow.cli import main; main()", "run", "assistant"]
WATCHDOG = 120.0
"""Seconds within which it serves: its models have to be read."""
ECHO, STORYTELLER = "+12025550101", "+12025550102"
"""The numbers, and what the model is told where they are called."""
CONFIGURATION = f"""
dids:
  "{ECHO}":
    system_prompt: "{llm_server.ECHO}"
    tts_voice: {VOICE}
  "{STORYTELLER}":
    system_prompt: "{llm_server.STORYTELLER}"
    tts_voice: {VOICE}
"""
NOWHERE = "http://127.0.0.1:9"
"""Instead of where models are downloaded from: nothing here needs a network."""


class Assistant:
    """`url` is where its media streams go, `page` what one talks to it from."""

    def __init__(self, port: int, log: Path) -> None:
        self.url = f"ws://127.0.0.1:{port}/sip/media-stream"
        self.page = f"http://127.0.0.1:{port}"
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()


@contextlib.contextmanager
def running(folder: Path, model: llm_server.LanguageModel) -> Iterator[Assistant]:
    """The assistant, with `model` for its language model, while it runs."""
    (folder / "voiceflow.yaml").write_text(CONFIGURATION)
    port = free_port()
    log = folder / "log"
    environment = os.environ | model.environment | {"HF_ENDPOINT": NOWHERE}
    assistant = Assistant(port, log)
    with launched([*COMMAND, "--port", str(port)], folder, log, environment) as process:
        try:
            await_health(process, lambda: assistant.page, log, seconds=WATCHDOG)
            yield assistant
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(WATCHDOG)
