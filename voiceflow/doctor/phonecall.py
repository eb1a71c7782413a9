"""Who calls whom."""

from __future__ import annotations

import msgspec


class Party(msgspec.Struct, frozen=True):
    """Who calls whom in the calls that are tried."""

    caller_id: str
    did: str
