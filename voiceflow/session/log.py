"""The log of one call."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from voiceflow.logs import get_logger


class CallLog(logging.LoggerAdapter[logging.Logger]):
    """Begins each message with the id of its call, which is also the attribute `call` of the log records."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        message, kwargs = super().process(msg, kwargs)
        return f"call {self.extra['call'] if self.extra else ''}: {message}", kwargs


def call_log(call_id: str) -> CallLog:
    """The log of the call with this id."""
    return CallLog(get_logger("voiceflow.call"), {"call": call_id})
