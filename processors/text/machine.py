"""Decides what to do with text for machines, which language models write now and then: tokens of chat templates and
calls of tools. `LLM` keeps its own from being spoken; other processors that make text may not."""

from __future__ import annotations

import re
from typing import Final

from voiceflow.processors.text.cuts import WAIT, Cut

_MARKER: Final = re.compile(
    r"<[|｜][^<>|｜\s]{1,60}[|｜]>|<\|[a-z_]{1,30}>|<[a-z_]{1,30}\|>|</?[A-Za-z]+(?:_[A-Za-z]+)+>"
)
_BEGUN: Final = re.compile(r"<(?:[|｜][^<>|｜\s]{0,60}[|｜]?|/?[A-Za-z_]{0,40}\|?)\Z")
_REGION: Final = re.compile(r"<(tool_calls?|function_calls?|tool_responses?|tool_code|function_results?)>")


def marker(text: str, at: int, *, over: bool) -> Cut | None:
    """The cut for what may be a token of a chat template at `at`, such as <|im_end|> or <end_of_turn>. None for all
    else."""
    if found := _MARKER.match(text, at):
        return Cut(len(found[0]), removed=True)
    return WAIT if not over and _BEGUN.match(text, at) else None


def region(text: str, at: int) -> str:
    """What ends the call of a tool that begins at `at`; empty if none does."""
    found = _REGION.match(text, at)
    return f"</{found[1]}>" if found else ""
