"""What is sent, when, and how soon a `Clear` is heard. In virtual time."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.mediastreams import MediaStreamError
from doubles import now, virtual
from webrtc.sounds import speech

from voiceflow.transports.webrtc.opus import FORMAT, FRAME, FRAME_BYTES, SILENCE
from voiceflow.transports.webrtc.playoutqueue import PlayoutQueue
from voiceflow.transports.webrtc.track import AgentTrack

Sent = list[tuple[float, int | None, bytes]]


async def send(track: AgentTrack, until: float) -> Sent:
    """As aiortc does it. When each packet left, its timestamp, and it."""
    sent: Sent = []
    while now() < until:
        packet = await track.recv()
        sent.append((now(), packet.pts, bytes(packet)))
    return sent


def voiced(sent: Sent) -> list[float]:
    return [at for at, _, packet in sent if packet != SILENCE]


def test_there_is_a_packet_every_20_ms_whether_something_is_said_or_not() -> None:
    async def main() -> Sent:
        queue = PlayoutQueue(FRAME_BYTES)
        queue.put(speech()[: FORMAT.rate].tobytes())
        return await send(AgentTrack(queue), 3.0)

    sent = virtual(main())
    assert [at for at, _, _ in sent] == pytest.approx([place * 0.02 for place in range(len(sent))])
    assert [pts for _, pts, _ in sent] == [place * FRAME for place in range(len(sent))]
    assert voiced(sent)[-1] == pytest.approx(1.0)  # what the encoder had looked ahead at
    assert {packet for at, _, packet in sent if at > 1.01} == {SILENCE}


@pytest.mark.parametrize("moment", [0.3001, 0.31, 0.3199])
def test_after_a_clear_the_last_voiced_packet_leaves_within_20_ms(moment: float) -> None:
    async def main() -> Sent:
        queue = PlayoutQueue(FRAME_BYTES)
        queue.put(speech()[: FORMAT.rate].tobytes())
        asyncio.get_running_loop().call_at(moment, queue.clear)
        return await send(AgentTrack(queue), 1.0)

    sent = virtual(main())
    assert moment - 0.02 < voiced(sent)[-1] <= moment + 0.02


def test_what_was_taken_is_counted_to_the_sample() -> None:
    async def main() -> tuple[int, int]:
        queue = PlayoutQueue(FRAME_BYTES)
        queue.put(bytes(FORMAT.bytes_for(0.1)))
        await send(AgentTrack(queue), 0.05)
        return queue.taken, queue.clear()

    taken, dropped = virtual(main())
    assert (taken, dropped) == (4 * FRAME_BYTES, FRAME_BYTES)


def test_a_track_that_was_stopped_gives_nothing_more() -> None:
    async def main() -> None:
        track = AgentTrack(PlayoutQueue(FRAME_BYTES))
        await track.recv()
        track.stop()
        with pytest.raises(MediaStreamError):
            await track.recv()

    virtual(main())
