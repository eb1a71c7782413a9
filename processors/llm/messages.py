"""A conversation as messages, from which the form of each provider is made."""

from __future__ import annotations

import re
import uuid
from typing import Any, Literal

import msgspec


def encodable(text: str) -> str:
    """`text` with halves of surrogate pairs joined, or replaced where the other half lacks: they cannot be sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def new_id() -> str:
    """The `id` of a call that has none: nine letters and digits, which every server takes back; Mistral takes no
    other."""
    return uuid.uuid4().hex[:9]


class _Encodable(msgspec.Struct, frozen=True):
    """Text that can be sent to a model, whatever it was made from."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, str) and (text := encodable(value)) is not value:
                msgspec.structs.force_setattr(self, name, text)


class ToolCall(_Encodable, frozen=True):
    """A model's request to run a tool. `chat` may yield it between pieces of text."""

    id: str
    """Names the call in the message with its result; unique in the conversation."""
    name: str
    arguments: str
    """A JSON object as text, just as the model wrote it: it may be invalid."""
    extra: dict[str, Any] | None = None
    """What else the server sent with the call and wants back with it, such as a signature of its thoughts."""

    @property
    def safe_name(self) -> str:
        """The name as providers take it back: letters, digits, `_` and `-`, though a model may write anything."""
        return re.sub(r"[^A-Za-z0-9_-]", "_", self.name)[:64] or "unknown"

    @property
    def given(self) -> dict[str, Any]:
        """The arguments, decoded; empty if they are no JSON object, since providers refuse such in a request."""
        try:
            return msgspec.json.decode(self.arguments, type=dict[str, Any])
        except msgspec.DecodeError:
            return {}


class CutShort(msgspec.Struct, frozen=True):
    """The end of an answer that has broken off, most often in mid-sentence. `chat` may yield it last."""

    reason: str
    """Why: `length`, `content_filter`."""


class Message(_Encodable, frozen=True):
    """One step of a conversation. The first may be of the role system; after it the user begins."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    """Only of the role assistant: each is answered by a message of the role tool, right after this one."""
    tool_call_id: str = ""
    """Only of the role tool: the `id` of the call whose result `content` is."""
