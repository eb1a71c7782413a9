"""The events of a call that users may subscribe to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from voiceflow.frames import AudioRaw, Frame
from voiceflow.pipeline import Element
from voiceflow.reply import Reply
from voiceflow.turns.latency import TurnLatency

from .log import CallLog
from .subscribers import Subscribers

Observer: TypeAlias = Callable[[Element, Element, Frame], object]


class Events:
    """The subscriptions to one call; `Call.on_...` and `Call.observe` add to them."""

    def __init__(self, log: CallLog) -> None:
        self.heard: Subscribers[[Frame]] = Subscribers("on_heard", log)
        self.replied: Subscribers[[Reply]] = Subscribers("on_reply", log)
        self.played: Subscribers[[AudioRaw, float]] = Subscribers("on_played", log)
        self.turned: Subscribers[[TurnLatency]] = Subscribers("on_turn", log)
        self.passed: Subscribers[[Element, Element, Frame]] = Subscribers("observe", log)
