"""The jitter buffer: disorder, loss, pauses, and how long anything waits."""

from __future__ import annotations

import random

import pytest
from aiortc.jitterbuffer import JitterBuffer as AiortcBuffer
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st
from webrtc.networks import (
    RATE,
    SAMPLES,
    STEP,
    Arrival,
    Released,
    in_time,
    lost,
    network,
    packet,
    packets,
    place_of,
    samples,
    through,
)

from voiceflow.transports.webrtc.jitter import ANEW, LATEST, RECENT, JitterBuffer, Packet

late = st.floats(0, LATEST - 0.001)
streams = st.lists(st.tuples(late, st.booleans()), min_size=1, max_size=60)
"""How late each packet comes, and whether it is lost."""


def arrivals_of(stream: list[tuple[float, bool]]) -> list[Arrival]:
    """The first packet is the fastest, so that the delays count from it; the last is not lost."""
    last = len(stream)
    came = [Arrival(0.0, packet(0))]
    came += [
        Arrival(place * STEP + delay, packet(place))
        for place, (delay, is_lost) in enumerate(stream, 1)
        if not is_lost or place == last
    ]
    return in_time(came)


def delays(released: list[Released]) -> list[tuple[float, float]]:
    """When each packet was sent, and how long after that it was released."""
    return [
        (place_of(piece) * STEP, at - place_of(piece) * STEP) for at, piece in released if isinstance(piece, Packet)
    ]


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=60))
def test_what_comes_in_order_never_waits(gaps: list[float]) -> None:
    buffer, now = JitterBuffer(RATE), 0.0
    for place, gap in enumerate(gaps):
        now += gap
        assert buffer.push(packet(place), now) == [packet(place)]
        assert buffer.due is None


@given(streams)
def test_what_is_less_than_60_ms_late_comes_out_whole_and_in_order(stream: list[tuple[float, bool]]) -> None:
    arrivals = arrivals_of([(delay, False) for delay, _ in stream])
    assert packets(through(arrivals)) == list(range(len(stream) + 1))


@given(streams)
def test_loss_takes_nothing_else_with_it_and_a_second_stays_a_second(stream: list[tuple[float, bool]]) -> None:
    arrivals = arrivals_of(stream)
    released = through(arrivals)
    assert packets(released) == sorted(place_of(item.packet) for item in arrivals)
    assert samples(released) == (len(stream) + 1) * SAMPLES
    assert lost(released) == (len(stream) + 1 - len(arrivals)) * SAMPLES


@given(streams)
def test_nothing_waits_longer_than_60_ms_after_its_time(stream: list[tuple[float, bool]]) -> None:
    assert all(delay <= LATEST + 1e-9 for _, delay in delays(through(arrivals_of(stream))))


@given(streams, st.data())
def test_packets_that_come_again_change_nothing(stream: list[tuple[float, bool]], data: st.DataObject) -> None:
    arrivals = arrivals_of(stream)
    again = [Arrival(a.at + data.draw(st.floats(0, 1)), a.packet) for a in arrivals if data.draw(st.booleans())]
    assert packets(through(in_time(arrivals + again))) == packets(through(arrivals))


@given(streams, st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1))
def test_numbers_and_timestamps_may_wrap(stream: list[tuple[float, bool]], number: int, timestamp: int) -> None:
    arrivals = arrivals_of(stream)
    moved = [Arrival(a.at, packet(place_of(a.packet), number, timestamp)) for a in arrivals]
    assert packets(through(moved)) == packets(through(arrivals))
    assert samples(through(moved)) == samples(through(arrivals))


@given(st.lists(st.tuples(st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.floats(0, 0.1)), max_size=200))
def test_numbers_that_mean_nothing_never_pile_up_nor_fill_time(junk: list[tuple[int, int, float]]) -> None:
    buffer, now, out = JitterBuffer(RATE), 0.0, 0
    for number, timestamp, gap in junk:
        now += gap
        pieces = buffer.push(Packet(number, timestamp, SAMPLES, b""), now)
        out += sum(isinstance(piece, Packet) for piece in pieces)
        assert buffer.due is None or buffer.due <= now + LATEST
        assert samples([Released(now, piece) for piece in pieces]) <= (ANEW + 2) * (RATE + SAMPLES)
    out += sum(isinstance(piece, Packet) for piece in buffer.expire(now + LATEST))
    assert buffer.due is None
    assert out <= len(junk)


def test_a_lost_packet_is_given_up_60_ms_after_its_time() -> None:
    released = through([Arrival(place * STEP, packet(place)) for place in range(10) if place != 3])
    assert [round(at, 6) for at, piece in released if not isinstance(piece, Packet)] == [round(3 * STEP + LATEST, 6)]
    assert delays(released)[-1][1] == pytest.approx(0)  # and leaves no delay behind


def test_a_packet_that_comes_after_it_was_given_up_is_dropped() -> None:
    arrivals = [Arrival(place * STEP, packet(place)) for place in range(10) if place != 3]
    assert packets(through(in_time([*arrivals, Arrival(0.15, packet(3))]))) == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_a_pause_of_the_sender_is_filled_up_to_a_second_and_no_longer() -> None:
    def after(pause: float) -> int:
        rest = Packet(1, round(pause * RATE) + SAMPLES, SAMPLES, bytes(4))
        return lost(through([Arrival(0, packet(0)), Arrival(pause + STEP, rest)]))

    assert after(0.5) == RATE // 2
    assert after(1.5) == 0


def test_a_sender_that_begins_anew_is_followed_at_once() -> None:
    anew = [Arrival(1 + place * STEP, packet(place, 30_000, 5_000_000)) for place in range(5)]
    assert packets(through([Arrival(0, packet(0)), *anew])) == [0, 0, 1, 2, 3, 4]


def test_what_is_held_is_released_before_a_sender_begins_anew() -> None:
    arrivals = [Arrival(0, packet(0)), Arrival(0.01, packet(2)), Arrival(0.02, packet(7, 30_000))]
    assert packets(through(arrivals)) == [0, 2, 7]


def test_a_way_that_becomes_longer_loses_nothing_and_is_known_after_a_while() -> None:
    step_up = [
        Arrival(place * STEP + (0.3 if place >= 50 else 0.0) + (0.05 if place % 7 == 0 else 0), packet(place))
        for place in range(600)
    ]
    released = through(in_time(step_up))
    settled = 50 * STEP + 2 * RECENT
    assert [place for place in packets(released) if place * STEP > settled] == list(range(251, 600))
    assert all(delay <= 0.3 + LATEST for _, delay in delays(released))


@pytest.mark.parametrize("drift", [0.9995, 1.0005])
def test_a_clock_that_runs_wrong_does_not_bring_delay(drift: float) -> None:
    chance = random.Random(7)
    arrivals = [
        Arrival(place * STEP * drift + chance.uniform(0, 0.03), packet(place))
        for place in range(30_000)  # ten minutes
        if chance.random() > 0.05
    ]
    released = through(in_time(arrivals))
    waited = [at - piece_at * drift for (piece_at, _), at in zip(delays(released), _times(released), strict=True)]
    assert max(waited) < 0.03 + LATEST + 0.004
    assert max(waited[-1000:]) < max(waited[:1000]) + 0.01


def _times(released: list[Released]) -> list[float]:
    return [at for at, piece in released if isinstance(piece, Packet)]


def aiortc_delays(arrivals: list[Arrival]) -> list[tuple[float, float]]:
    """The same for the buffer that aiortc would use."""
    buffer = AiortcBuffer(capacity=16, prefetch=4)
    found = []
    for at, item in arrivals:
        received = RtpPacket(sequence_number=item.number, timestamp=item.timestamp)
        received._data = item.payload  # type: ignore[attr-defined]
        _, frame = buffer.add(received)
        if frame is not None:
            sent = frame.timestamp / RATE
            found.append((sent, at - sent))
    return found


def test_with_5_percent_loss_and_50_ms_of_jitter_the_delay_stays_and_aiortcs_grows() -> None:
    """Five minutes of a bad network."""
    arrivals = network(15_000, loss=0.05, jitter=0.05, seed=5)
    ours, theirs = delays(through(arrivals)), aiortc_delays(arrivals)
    assert max(delay for _, delay in ours) < 0.1
    assert sum(delay for _, delay in ours[-1000:]) < 1.1 * sum(delay for _, delay in ours[:1000])
    assert len(ours) == len(arrivals)  # nothing is lost but what the network lost
    assert sum(delay for _, delay in theirs[-1000:]) / 1000 > 0.2
    assert len(theirs) < len(arrivals)
