"""A conversation as messages, from which the form of each provider is made."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ToolCall(msgspec.Struct, frozen=True):
    """A model's request to run a tool. `chat` may yield it between pieces of text."""

    id: str
    """Names the call in the message with its result; unique in the conversation."""
    name: str
    arguments: str
    """A JSON object as text, just as the model wrote it: it may be invalid."""
    extra: dict[str, Any] | None = None
    """What else the server sent with the call and wants back with it, such as a signature of its thoughts."""

    @property
    def given(self) -> dict[str, Any]:
        """The arguments, decoded; empty if they are no JSON object, since providers refuse such in a request."""
        try:
            return msgspec.json.decode(self.arguments, type=dict[str, Any])
        except msgspec.DecodeError:
            return {}


class Message(msgspec.Struct, frozen=True):
    """One step of a conversation. The first may be of the role system; after it the user begins."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    """Only of the role assistant: each is answered by a message of the role tool, right after this one."""
    tool_call_id: str = ""
    """Only of the role tool: the `id` of the call whose result `content` is."""
