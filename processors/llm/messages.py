"""What models are asked: a conversation as messages, the form that every provider's own is made of."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ToolCall(msgspec.Struct, frozen=True):
    """The model wants a tool to be run. `chat` may yield it between pieces of text."""

    id: str
    """What the result is matched by; unique in the conversation."""
    name: str
    arguments: str
    """A JSON object, as text: as the model wrote it, which may be wrong."""

    @property
    def given(self) -> dict[str, Any]:
        """The arguments; none if they are no JSON object, which providers refuse to be shown again."""
        try:
            return msgspec.json.decode(self.arguments, type=dict[str, Any])
        except msgspec.DecodeError:
            return {}


class Message(msgspec.Struct, frozen=True):
    """One step of a conversation. The first may be the system's; after it the user begins."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    """Of the assistant: each is answered by a tool's message, right after it."""
    tool_call_id: str = ""
    """Of a tool: the call that `content` is the result of."""
