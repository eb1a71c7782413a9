"""How long a turn took, from the caller's last sound to the agent's first, in segments that add up to the total."""

from __future__ import annotations

import msgspec


class TurnLatency(msgspec.Struct, frozen=True):
    """The latency of one turn, in seconds. Each segment begins where the one before it ends."""

    endpoint: float
    """From the caller's last sound until it was certain that they had stopped."""
    recognition: float
    """From there until the final transcript came."""
    first_token: float
    """From there until the model began its answer."""
    first_sentence: float
    """From there until there was a sentence to synthesise."""
    synthesis: float
    """From there until there was audio of that sentence."""
    playout: float
    """From there until the caller began to hear it, not counting the line's own delay, which is not known."""

    @property
    def total(self) -> float:
        return float(sum(msgspec.structs.astuple(self)))

    def __str__(self) -> str:
        parts = ", ".join(
            f"{name.replace('_', ' ')} {value:.2f}" for name, value in msgspec.structs.asdict(self).items()
        )
        return f"{self.total:.2f} s from voice to voice: {parts}"
