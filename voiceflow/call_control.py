"""Call control: commands to a carrier about one call, outside its media stream."""

from __future__ import annotations

from typing import Protocol


class CallControl(Protocol):
    """Commands to the carrier about one call.

    Each returns whether the call still existed. Each raises `ProviderConnectionError`, with the carrier's answer, if
    the command failed or if it is unknown whether it was carried out.
    """

    @property
    def digits_end_stream(self) -> bool:
        """Whether `send_digits` ends the media stream."""

    async def hangup(self) -> bool:
        """End the call."""

    async def transfer(self, to: str) -> bool:
        """Connect the caller to `to`, a number in E.164 or a SIP address. The media stream ends."""

    async def send_digits(self, digits: str) -> bool:
        """Play the tones of `digits` to the caller: 0-9, *, #, A-D; w pauses for 0.5 s, W for 1 s."""
