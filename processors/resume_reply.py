"""The frame that asks a model to go on with an answer."""

from __future__ import annotations

from voiceflow.frames import Frame


class ResumeReply(Frame, frozen=True, gc=False):
    """The answer was interrupted by a sound that was no turn, before all of it had been made: say the rest."""
