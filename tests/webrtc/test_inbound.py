"""From packets to audio, in virtual time."""

from __future__ import annotations

import asyncio

from aiortc.rtp import RtpPacket
from doubles import now, virtual
from webrtc.networks import STEP, Arrival, network, packet, place_of
from webrtc.sounds import encode, loudest, speech

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.transports.webrtc.inbound import Inbound
from voiceflow.transports.webrtc.jitter import LATEST
from voiceflow.transports.webrtc.opus import FRAME, SILENCE

Heard = list[tuple[float, AudioRaw]]


def receive(arrivals: list[Arrival], payloads: list[bytes], patience: float = 1.0) -> tuple[Heard, Inbound]:
    """What comes out, and when."""
    heard: Heard = []

    async def main() -> Inbound:
        inbound = Inbound(lambda audio: heard.append((now(), audio)))
        for at, item in arrivals:
            await asyncio.sleep(at - now())
            received = RtpPacket(sequence_number=item.number, timestamp=item.timestamp)
            received.payload = payloads[place_of(item) % len(payloads)]
            inbound.arrive(received)
        await asyncio.sleep(patience)
        inbound.close()
        return inbound

    return heard, virtual(main())


def test_a_bad_network_costs_no_time_and_no_audio_but_what_it_lost() -> None:
    """5 % of the packets lost, the others up to 50 ms late."""
    count = 500
    arrivals = network(count, loss=0.05, jitter=0.05, seed=3)
    arrivals.append(Arrival(count * STEP + 0.05, packet(count)))
    heard, inbound = receive(arrivals, encode(speech()))
    assert sum(len(audio.data) for _, audio in heard) == (count + 1) * FRAME * 2
    assert inbound.lost == (count + 1 - len(arrivals)) * FRAME
    position = 0.0
    for at, audio in heard:
        assert at - position < 0.08  # 60 ms after its time, and that is known the better the longer it runs
        position += audio.duration
    assert {audio.format for _, audio in heard} == {AudioFormat("pcm16", 48_000)}


def test_a_gap_is_filled_when_the_missing_packet_is_too_late_though_nothing_else_comes() -> None:
    heard, _ = receive([Arrival(0, packet(0)), Arrival(2 * STEP, packet(2))], encode(speech()))
    assert [at for at, _ in heard] == [0, round(STEP + LATEST, 6), round(STEP + LATEST, 6)]


def test_a_long_gap_fades_into_silence() -> None:
    gap = loudest()
    before = [Arrival(place * STEP, packet(place)) for place in range(gap)]
    heard, inbound = receive([*before, Arrival((gap + 24) * STEP, packet(gap + 24))], encode(speech()))
    made_up = b"".join(audio.data for _, audio in heard)[gap * FRAME * 2 : -FRAME * 2]
    assert any(made_up[: FRAME * 2])
    assert not any(made_up[5 * FRAME * 2 :])
    assert len(made_up) == inbound.lost * 2 == 24 * FRAME * 2


def test_every_loss_is_made_up_for_anew() -> None:
    lost = [place for place in range(loudest() - 60, loudest() + 1) if place % 6 == 0]
    arrivals = [Arrival(place * STEP, packet(place)) for place in range(loudest() + 2) if place not in lost]
    heard, _ = receive(arrivals, encode(speech()))
    whole = b"".join(audio.data for _, audio in heard)
    made_up = [whole[place * FRAME * 2 : (place + 1) * FRAME * 2] for place in lost]
    assert all(any(data) for data in made_up[-3:])


def test_packets_that_are_no_opus_are_lost_ones() -> None:
    good, bad = SILENCE, b"\xff\xff\xff"
    heard, inbound = receive([Arrival(place * STEP, packet(place)) for place in range(6)], [good, bad, b""])
    assert sum(len(audio.data) for _, audio in heard) == 4 * FRAME * 2
    assert inbound.lost == 2 * 2 * FRAME / 2


def test_after_its_end_no_timer_is_left() -> None:
    heard, _ = receive([Arrival(0, packet(0)), Arrival(STEP, packet(2))], encode(speech()), patience=0.0)
    assert len(heard) == 1
