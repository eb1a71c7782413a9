"""Calls from browsers: what a bad network costs them, and what they cost the processor.

    python benchmarks/browsers.py [--json FILE] [--quick] [--calls N]

Both are measured beside bare aiortc. The network is simulated: packets of 20 ms, 5 % of them lost, the others late by
up to 50 ms and so out of order; the delay of a packet is from its sending until the jitter buffer passes it on. The
cost is that of an echo over loopback, in a process that does nothing else; the browsers are in another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiortc
from aiortc.jitterbuffer import JitterBuffer as AiortcBuffer
from aiortc.rtp import RtpPacket
from report import console, options, show, write

from voiceflow.transports.webrtc.jitter import Packet
from voiceflow.transports.webrtc.session import PeerSession

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the simulated network and browser are the tests'
from webrtc.browser import Browser, until
from webrtc.networks import RATE, Arrival, network, place_of, through
from webrtc.sounds import speech

BOUND = 1.3
"""The most CPU time that our echo should take, as a multiple of bare aiortc's."""
DELAY = 100
"""The most milliseconds by which the jitter buffer should delay a packet."""
WARM = 2.0
"""Seconds that calls run before they are measured."""

Delays = list[tuple[float, float]]
"""For each packet, when it was sent, and how long after that it left the jitter buffer. In seconds."""


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--calls", type=int, default=4, help="at the same time (4)")
    parser.add_argument("--serve", choices=list(ECHOES), help="be the server of the measurement")
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(serve(chosen.serve))
        return
    delays = delay_rows(minutes=0.2 if chosen.quick else 5)
    show(f"Delay with 5 % loss and 50 ms of jitter, in ms (good: {DELAY} at most, and no growth)", delays)
    seconds, rounds = (1, 1) if chosen.quick else (10, 3)
    with console.status("calling"):
        costs = cost_rows(chosen.calls, seconds, rounds)
    show(f"Processor time of an echo, {chosen.calls} calls (good: {BOUND} times bare aiortc's at most)", costs)
    write(chosen.json, {"bound": BOUND, "delay": delays, "cost": costs}, "aiortc", "av")


# Delay


def delay_rows(minutes: float) -> list[dict[str, Any]]:
    arrivals = network(round(minutes * 60 * 50), loss=0.05, jitter=0.05, seed=1)
    return [delay_row("voiceflow", ours(arrivals), arrivals), delay_row("aiortc", theirs(arrivals), arrivals)]


def delay_row(buffer: str, delays: Delays, arrivals: list[Arrival]) -> dict[str, Any]:
    values = sorted(delay * 1000 for _, delay in delays)
    parts = len(delays) // 10
    return {
        "buffer": buffer,
        "p50": statistics.median(values),
        "p99": values[int(len(values) * 0.99)],
        "max": values[-1],
        "first tenth": statistics.mean(delay for _, delay in delays[:parts]) * 1000,
        "last tenth": statistics.mean(delay for _, delay in delays[-parts:]) * 1000,
        "came but dropped, %": 100 * (1 - len(delays) / len(arrivals)),
    }


def ours(arrivals: list[Arrival]) -> Delays:
    sent = ((at, place_of(piece) * 960 / RATE) for at, piece in through(arrivals) if isinstance(piece, Packet))
    return [(began, at - began) for at, began in sent]


def theirs(arrivals: list[Arrival]) -> Delays:
    buffer, found = AiortcBuffer(capacity=16, prefetch=4), []
    for at, item in arrivals:
        received = RtpPacket(sequence_number=item.number, timestamp=item.timestamp)
        received._data = item.payload  # type: ignore[attr-defined]
        _, frame = buffer.add(received)
        if frame is not None:
            found.append((frame.timestamp / RATE, at - frame.timestamp / RATE))
    return found


# Cost


class Ours:
    """An echo by a voiceflow pipeline."""

    async def answer(self, sdp: str) -> str:
        session = await PeerSession.answer(sdp)
        self._running = asyncio.create_task(session.call().run(lambda call: call.source | call.sink))
        return session.sdp


class Bare:
    """An echo by aiortc alone: it sends the track that it receives."""

    async def answer(self, sdp: str) -> str:
        self._connection = connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration([]))
        connection.on("track", connection.addTrack)
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(sdp, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return connection.localDescription.sdp


ECHOES: dict[str, type[Ours] | type[Bare]] = {"voiceflow": Ours, "aiortc": Bare}


async def serve(kind: str) -> None:
    """Answer each line of standard input: an offer with an answer, anything else with the processor time so far."""
    calls = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        message = json.loads(line)
        if "offer" in message:
            calls.append(ECHOES[kind]())
            print(json.dumps(await calls[-1].answer(message["offer"])), flush=True)
        else:
            print(time.process_time(), flush=True)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


def cost_rows(calls: int, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """Measure the echoes in turn, so that whatever else the machine does disturbs both."""
    costs: dict[str, list[float]] = {kind: [] for kind in ECHOES}
    for _ in range(rounds):
        for kind in ECHOES:
            costs[kind].append(asyncio.run(cost(kind, calls, seconds)))
    bare = statistics.median(costs["aiortc"])
    return [
        {
            "echo": kind,
            "ms per call-second": statistics.median(found),
            "times aiortc's": statistics.median(found) / bare,
        }
        for kind, found in costs.items()
    ]


async def cost(kind: str, calls: int, seconds: float) -> float:
    """Milliseconds of CPU time for each second of each call."""
    said = speech()
    async with contextlib.AsyncExitStack() as stack:
        ask = await stack.enter_async_context(server(kind))
        browsers = [await stack.enter_async_context(Browser(said, repeats=True)) for _ in range(calls)]
        for browser in browsers:
            await browser.accept(await ask({"offer": await browser.offer()}))
        await until(lambda: all(len(browser.heard()) for browser in browsers), patience=20)
        await asyncio.sleep(WARM)
        began, before = time.perf_counter(), await ask({})
        await asyncio.sleep(seconds)
        spent = await ask({}) - before
        return 1000 * float(spent) / calls / (time.perf_counter() - began)


@contextlib.asynccontextmanager
async def server(kind: str) -> AsyncIterator[Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", kind, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    sending, receiving = process.stdin, process.stdout

    async def ask(message: dict[str, str]) -> Any:
        sending.write(json.dumps(message).encode() + b"\n")
        return json.loads(await receiving.readline())

    try:
        yield ask
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    main()
