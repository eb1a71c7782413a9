"""How often browsers may offer calls: so often each, and so often all together.

An offer costs sockets, a certificate and packets, before it is known whether a call comes of it. Those count who are
admitted: nobody else can use up what there is. A browser is told from others by its user, where providers of identities
are named, and else by its address. Of IPv6 that is the network (/64), in which a machine has as many addresses as it
likes. Behind a proxy all have one address, and so the rate of one peer is one at which many people may call.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from typing import Final

from voiceflow.errors import VoiceflowError

BURST_OF_PEER: Final = 60
"""Offers of one peer at once, those of calls that are on included."""
RATE_OF_PEER: Final = 2.0
"""Offers a second of one peer in the long run."""
BURST: Final = 120
"""Offers of all peers at once."""
RATE: Final = 10.0
"""Offers a second of all peers in the long run."""


class TooManyOffersError(VoiceflowError):
    """An offer that comes too soon."""

    def __init__(self, wait: float) -> None:
        self.seconds = max(1, math.ceil(wait))
        """Whole seconds after which another one is taken."""
        super().__init__(f"too many calls are begun from here: call again in {self.seconds} s")


class TokenBucket:
    """A rate limit of `burst` events at once and `rate` events a second in the long run."""

    def __init__(self, burst: int, rate: float, now: float) -> None:
        self._burst, self._rate = burst, rate
        self._left, self._at = float(burst), now

    def wait(self, now: float) -> float:
        """Seconds from `now` until there is room for an event."""
        return max(0.0, (1 - self._left_at(now)) / self._rate)

    def take(self, now: float) -> None:
        """Count an event."""
        self._left, self._at = self._left_at(now) - 1, now

    def is_full(self, now: float) -> bool:
        """Whether nothing has to be remembered."""
        return self._left_at(now) >= self._burst

    def _left_at(self, now: float) -> float:
        return min(self._burst, self._left + self._rate * (now - self._at))


class OfferRates:
    """Counts the offers that are taken. Of a peer that is quiet for `BURST_OF_PEER / RATE_OF_PEER` seconds, nothing is
    remembered: there are never more than a few hundred."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._all = TokenBucket(BURST, RATE, clock())
        self._peers: dict[str, TokenBucket] = {}

    def take(self, peer: str) -> None:
        """Count an offer of `peer`. Raises `TooManyOffersError`; then it does not count."""
        now = self._clock()
        bucket = self._peers.pop(peer, None) or TokenBucket(BURST_OF_PEER, RATE_OF_PEER, now)
        wait = max(bucket.wait(now), self._all.wait(now))
        if not wait:
            bucket.take(now)
            self._all.take(now)
        if not bucket.is_full(now):
            self._peers[peer] = bucket  # the one that was asked last comes last
        while self._peers and (oldest := next(iter(self._peers))) and self._peers[oldest].is_full(now):
            del self._peers[oldest]
        if wait:
            raise TooManyOffersError(wait)

    def __len__(self) -> int:
        """How many peers are remembered."""
        return len(self._peers)


def network_of(host: str) -> str:
    """What stands for all addresses that a peer at `host` may have."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
