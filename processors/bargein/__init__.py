"""Turn-taking: when the caller interrupts the agent, and what counts as saying something."""

from voiceflow.backchannels import BACKCHANNELS
from voiceflow.processors.bargein.bargein import BargeIn

__all__ = ["BACKCHANNELS", "BargeIn"]
