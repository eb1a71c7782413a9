"""What the network does to what a browser sends, in virtual time."""

from __future__ import annotations

import asyncio
import random

import pytest
from doubles import now, virtual

from voiceflow.simulator.packetloss import LossyPath
from voiceflow.simulator.script import Network

RTP = bytes([128, 96])
OTHERS = (bytes([22, 254]), bytes([0, 1]), bytes([128, 200]), bytes([129, 201]))
"""DTLS, STUN, and reports in RTCP."""


async def through(network: Network, packets: list[bytes], wait: float = 1.0) -> list[tuple[float, bytes]]:
    """What comes of packets that are sent every 20 ms, and when."""
    random.seed(1)
    came: list[tuple[float, bytes]] = []

    async def send(data: bytes) -> None:
        came.append((now(), data))

    path = LossyPath(send, network)
    for packet in packets:
        await path.send(packet)
        await asyncio.sleep(0.02)
    await asyncio.sleep(wait)
    await path.close()
    return came


def packets(count: int) -> list[bytes]:
    return [RTP + bytes([number]) for number in range(count)]


def test_audio_is_lost_and_nothing_else() -> None:
    came = virtual(through(Network(loss=1.0), [*packets(5), *OTHERS]))
    assert [data for _, data in came] == [*OTHERS]
    assert 60 < len(virtual(through(Network(loss=0.2), packets(100)))) < 95


def test_each_packet_is_late_by_itself_so_that_one_may_overtake_another() -> None:
    came = virtual(through(Network(jitter=0.05), packets(100)))
    late = [at - 0.02 * data[2] for at, data in came]
    assert len(came) == 100
    assert min(late) >= 0
    assert 0.03 < max(late) <= 0.05
    assert [data for _, data in came] != packets(100)


def test_the_next_one_overtakes() -> None:
    came = virtual(through(Network(reorder=1.0), packets(4)))
    assert [data[2] for _, data in came] == [1, 0, 3, 2]


def test_what_is_on_its_way_when_it_ends_is_lost() -> None:
    assert len(virtual(through(Network(jitter=10.0), packets(10), wait=0.1))) < 5


@pytest.mark.parametrize("data", OTHERS)
def test_what_is_no_audio_passes_at_once(data: bytes) -> None:
    assert virtual(through(Network(loss=1.0, jitter=1.0, reorder=1.0), [data])) == [(0.0, data)]
