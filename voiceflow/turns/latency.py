"""How long each turn took: from the caller's last sound to the agent's first, cut into segments that sum up."""

from __future__ import annotations

import msgspec


class TurnLatency(msgspec.Struct, frozen=True):
    """One turn's latency. All in seconds; each segment begins where the one before it ends."""

    endpoint: float
    """From the caller's last sound until it was certain that it was the last."""
    recognition: float
    """Until the words were known."""
    first_token: float
    """Until the model began its answer."""
    first_sentence: float
    """Until there was a sentence to synthesise."""
    synthesis: float
    """Until there was audio of it."""
    playout: float
    """Until the caller began to hear it, as far as we know: the line's own delay is not in it."""

    @property
    def total(self) -> float:
        return float(sum(msgspec.structs.astuple(self)))

    def __str__(self) -> str:
        parts = ", ".join(
            f"{name.replace('_', ' ')} {value:.2f}" for name, value in msgspec.structs.asdict(self).items()
        )
        return f"{self.total:.2f} s from voice to voice: {parts}"
