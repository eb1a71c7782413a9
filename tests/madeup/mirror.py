"""Madeup's dialect, Madeup's end."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from voiceflow.frames import AudioRaw
from voiceflow.transports.dialect import (
    UNREADABLE,
    Buffer,
    ClearRequest,
    MarkRequest,
    Message,
    Refusal,
    Request,
    Start,
    shorten,
)


class MadeupMirror:
    """Madeup's end."""

    buffer: Buffer | None = None

    def __init__(self, start: Start) -> None:
        self.start = start

    def hello(self) -> list[Message]:
        start = self.start
        began = {"line": start.stream_id, "call": start.call_sid, "from": start.caller_id, "to": start.did}
        return ["MADEUP 1", json.dumps({"kind": "call", **began, "parameters": start.parameters})]

    def media(self, data: bytes) -> Message:
        return data

    def lose(self, data: bytes) -> None:
        pass

    def dtmf(self, digit: str) -> Message:
        return json.dumps({"kind": "key", "key": digit})

    def mark(self, name: str) -> Message:
        return json.dumps({"kind": "played", "name": name})

    def stop(self) -> Message:
        return '{"kind":"bye"}'

    def refuse(self, refused: Refusal) -> list[Message]:
        return []

    def receive(self, message: Message) -> list[Request]:
        if isinstance(message, bytes):
            return [AudioRaw(message, self.start.outbound)]
        try:
            asked = msgspec.json.decode(message, type=dict[str, Any])
        except UNREADABLE as error:
            return [Refusal(1, "unreadable", f"{error}: {shorten(message)}")]
        match asked:
            case {"kind": "tell", "name": str(name)}:
                return [MarkRequest(name)]
            case {"kind": "drop"}:
                return [ClearRequest()]
        return [Refusal(2, "unknown", shorten(message))]
