"""What calls need of ICE that aioice, the library below aiortc, has no means for.

- Consent (RFC 7675) is asked for as soon as the peer has been quiet for a second, and is the sign that it is still
  there: a caller may be muted and send nothing. aioice asks every 5 s and ends the connection after 30.
- ICE restart (RFC 8445, section 9), by which a call moves to another network. aiortc ignores it.

Both stand on private attributes of aioice: `check` raises where they are not as expected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import aioice
from aioice.stun import TransactionError
from aioice.utils import random_string

from voiceflow.errors import CallError

if TYPE_CHECKING:
    from aioice import Connection
    from aiortc.rtcicetransport import RTCIceTransport

LOOK: Final = 0.5
"""Seconds between two checks of whether the peer has been quiet."""
PING: Final = 1.0
"""Seconds of quiet after which a peer is asked whether it is there. Usually audio comes all the time."""
REPEATS: Final = 2
"""How often an unanswered question is repeated: after 0.5 s and after 1.5 s."""
PACE: Final = 0.02
"""Seconds between two connectivity checks (RFC 8445, section 14.2)."""
KNOWN: Final = "0.13"
"""The version of aioice for which this is written."""
PRIVATE: Final = (
    "_check_list",
    "_check_list_done",
    "_check_periodic",
    "_local_password",
    "_local_username",
    "_nominated",
    "_remote_candidates",
)


class Consent:
    """Asks the peer of one connection whether it is there whenever it has been quiet, from when it is connected."""

    def __init__(self, ice: Connection, quiet: Callable[[], float], present: Callable[[], None]) -> None:
        """`quiet` returns for how many seconds nothing has come; `present` is called when the peer has answered."""
        check(ice)
        self._ice = ice
        self._quiet = quiet
        self._present = present
        ice.query_consent = self._watch  # type: ignore[method-assign]

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            if self._quiet() >= PING and await self._answers():
                self._present()

    async def _answers(self) -> bool:
        ice = self._ice
        pair, password = ice._nominated.get(1), ice.remote_password
        if pair is None or password is None:
            return False
        request = ice.build_request(pair, nominate=False)
        try:
            await pair.protocol.request(request, pair.remote_addr, password.encode(), retransmissions=REPEATS)
        except TransactionError:
            return False
        return True


def stop_asking(transport: RTCIceTransport) -> None:
    """Turn off the questions for consent. To be called before a connection is closed: if that was about to connect,
    they would start after the close and never end."""
    transport._connection.query_consent = _nothing  # type: ignore[method-assign]


async def _nothing() -> None:
    pass


def restart(ice: Connection, username: str, password: str) -> None:
    """Begin ICE anew, with new credentials of ours and these of the peer. The peer's new candidates are added after
    that, and then `check_pairs` runs. Media goes on over the path in use until the peer has chosen another."""
    for pair in ice._check_list:
        if pair.task is not None:
            pair.task.cancel()
    ice._check_list.clear()
    ice._remote_candidates.clear()
    ice._check_list_done = False
    ice._local_username, ice._local_password = random_string(4), random_string(22)
    ice.remote_username, ice.remote_password = username, password


async def check_pairs(ice: Connection) -> None:
    """Check the new pairs of candidates, until one of them works."""
    while ice._check_periodic():  # noqa: ASYNC110
        await asyncio.sleep(PACE)


def check(ice: Connection) -> None:
    """Raise `CallError` if aioice's internals are not as expected."""
    missing = [name for name in PRIVATE if not hasattr(ice, name)]
    if missing:
        raise CallError(
            f"aioice {aioice.__version__} has changed inside: expected Connection to have {', '.join(missing)}. "
            f"Browser calls need an aioice like {KNOWN}"
        )
