"""Turn-taking: when the caller interrupts the agent, and what counts as saying something."""

from voiceflow.processors.turns.backchannels import BACKCHANNELS
from voiceflow.processors.turns.bargein import BargeIn

__all__ = ["BACKCHANNELS", "BargeIn"]
