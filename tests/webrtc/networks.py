"""Streams of packets as networks bring them, for the tests of what receives them."""

from __future__ import annotations

import random
from typing import NamedTuple

from voiceflow.transports.webrtc.jitter import JitterBuffer, Lost, Packet, Piece

RATE = 48_000
SAMPLES = 960
STEP = SAMPLES / RATE


class Arrival(NamedTuple):
    at: float
    packet: Packet


class Released(NamedTuple):
    at: float
    piece: Piece


def packet(place: int, number: int = 0, timestamp: int = 0) -> Packet:
    """The packet at this place of a stream that begins with `number` and `timestamp`."""
    return Packet((number + place) % 2**16, (timestamp + place * SAMPLES) % 2**32, SAMPLES, place.to_bytes(4, "big"))


def place_of(piece: Packet) -> int:
    return int.from_bytes(piece.payload, "big")


def in_time(arrivals: list[Arrival]) -> list[Arrival]:
    return sorted(arrivals, key=lambda arrival: arrival.at)


def network(count: int, *, loss: float, jitter: float, seed: int) -> list[Arrival]:
    """A stream of which this part is lost, and whose packets are late by up to `jitter` seconds."""
    chance = random.Random(seed)
    arrivals = [
        Arrival(place * STEP + chance.uniform(0, jitter), packet(place))
        for place in range(count)
        if place == 0 or chance.random() >= loss
    ]
    return in_time(arrivals)


def through(arrivals: list[Arrival], end: float | None = None) -> list[Released]:
    """What a jitter buffer releases, and when, up to `end`."""
    buffer = JitterBuffer(RATE)
    released: list[Released] = []

    def expire(until: float) -> None:
        while (due := buffer.due) is not None and due <= until:
            released.extend(Released(due, piece) for piece in buffer.expire(due))

    for at, item in arrivals:
        expire(at)
        released += [Released(at, piece) for piece in buffer.push(item, at)]
    expire(float("inf") if end is None else end)
    return released


def samples(released: list[Released]) -> int:
    return sum(piece.samples for _, piece in released)


def packets(released: list[Released]) -> list[int]:
    """The places of the packets among what was released, in order."""
    return [place_of(piece) for _, piece in released if isinstance(piece, Packet)]


def lost(released: list[Released]) -> int:
    return sum(piece.samples for _, piece in released if isinstance(piece, Lost))
