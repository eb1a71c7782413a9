"""Finds what could be read as calls of tools in what callers or tools say. That is data: a model that repeats it,
where calls come as text, calls nothing by that. No I/O in here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from voiceflow.processors.llm.messages import Message, ToolCall
from voiceflow.processors.llm.spoken import SpokenText
from voiceflow.processors.llm.written_calls import Tools, calls_in_every_form

_INERT = re.compile(r"([<\[]) ")
"""What `markers.inert` makes of the beginning of a marker."""


def quoted_calls(messages: Iterable[Message], tools: Tools) -> Iterator[ToolCall]:
    """The calls in what the model was told by others, in whatever form."""
    for message in messages:
        if message.role in ("user", "tool"):
            text = _INERT.sub(r"\1", message.content)
            spoken = SpokenText(tools)
            spoken.feed(text)
            spoken.finish()
            yield from spoken.calls
            yield from calls_in_every_form(text, tools)
