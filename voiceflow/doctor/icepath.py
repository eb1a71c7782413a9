"""Connects two peers on this machine by ICE, as a browser and the server do."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from aioice import Candidate, Connection, TransportPolicy
from aiortc.rtcicetransport import connection_kwargs

from voiceflow.server.listening import written
from voiceflow.transports.webrtc.session import usable
from voiceflow.transports.webrtc.turn_servers import IceServer

GATHER: Final = 8.0
"""Seconds to gather candidates. aioice gives up a silent server after 5."""
CONNECT: Final = 8.0
"""Seconds to connect, and to exchange data."""
STATES: Final = {"IN_PROGRESS": "no answer", "FAILED": "failed", "SUCCEEDED": "answered, but was not chosen"}
"""The states of candidate pairs, in words."""
DATA: Final = bytes(1200)
"""Sent both ways; as long as the largest packets at the beginning of a call."""


class Path(msgspec.Struct, frozen=True):
    """The result of an attempt to connect."""

    candidates: list[str]
    """The candidates of one peer, each as "TYPE HOST:PORT"."""
    pair: str | None = None
    """The pair over which data went both ways."""
    seconds: float = 0.0
    """How long it took to connect, from when the candidates were known."""
    failing: list[str] = []
    """The pairs that were tried in vain, each with its state."""


async def find(servers: Sequence[IceServer], *, relay_only: bool) -> Path:
    """Connect two peers that use `servers`, and send data over what was found."""
    policy = TransportPolicy.RELAY if relay_only else TransportPolicy.ALL
    kwargs = connection_kwargs(usable(servers))
    offering, answering = (
        Connection(ice_controlling=controls, transport_policy=policy, **kwargs) for controls in (True, False)
    )
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER):
                await asyncio.gather(offering.gather_candidates(), answering.gather_candidates())
        candidates = [_shown(candidate) for candidate in offering.local_candidates]
        began = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT):
                await _introduce(offering, answering)
                await _introduce(answering, offering)
                await asyncio.gather(offering.connect(), answering.connect())
                await _exchange(offering, answering)
        except (TimeoutError, ConnectionError):
            return Path(candidates, failing=list(_pairs(offering)))
        took = time.monotonic() - began
        return Path(candidates, next(_pairs(offering, nominated=True), "found"), took)
    finally:
        await asyncio.gather(offering.close(), answering.close())


async def _introduce(one: Connection, other: Connection) -> None:
    other.remote_username, other.remote_password = one.local_username, one.local_password
    for candidate in one.local_candidates:
        await other.add_remote_candidate(candidate)
    await other.add_remote_candidate(None)


async def _exchange(one: Connection, other: Connection) -> None:
    """Return once each peer has received `DATA`. Datagrams may get lost, so both send it again until then."""

    async def send(connection: Connection) -> None:
        while True:
            await connection.send(DATA)
            await asyncio.sleep(0.2)

    sending = [asyncio.create_task(send(connection)) for connection in (one, other)]
    try:
        await asyncio.gather(one.recv(), other.recv())
    finally:
        for task in sending:
            task.cancel()
        await asyncio.wait(sending)


def _pairs(connection: Connection, *, nominated: bool = False) -> Iterator[str]:
    # aioice has no public name for its check list; an aioice that calls it otherwise lists no pairs
    checked: list[Any] = getattr(connection, "_check_list", [])
    for pair in checked:
        ways = f"{_shown(pair.local_candidate)} -> {_shown(pair.remote_candidate)}"
        if not nominated:
            yield f"{ways}: {STATES.get(pair.state.name, 'not tried')}"
        elif pair.nominated:
            yield ways


def _shown(candidate: Candidate) -> str:
    return f"{candidate.type} {written(candidate.host, candidate.port)}"
