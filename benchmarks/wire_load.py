"""The load on a server: Twilio's end of many calls at once, as cheap as possible in Python. wire.py runs it.

    python benchmarks/wire_load.py PORT SERVER_PID echo CALLS SECONDS
    python benchmarks/wire_load.py PORT SERVER_PID idle CALLS
    python benchmarks/wire_load.py PORT SERVER_PID keys COUNT

Each call sends a piece of 20 ms every 20 ms; the calls take turns at equal distances. Messages are made beforehand,
sockets are plain and one epoll waits for them, to the millisecond; nothing is played. The figures, one JSON object
on standard output, are those of the steady part: the first seconds do not count.

`echo`: an echo loses nothing, so pieces that come back are told apart by counting bytes: the delay of a piece is from
its sending to the message that brings its last byte. Jitter is by how much the gap between two messages differs from
the length of the audio in the first. `idle`: memory for each call; the server prints its tasks at a key. `keys`: the
time from a key to the server's `clear`.
"""

from __future__ import annotations

import base64
import json
import os
import random
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from work import quantiles

PIECE = 0.02
SIZE = 160
"""Bytes of a piece, of mu-law at 8 kHz."""
WARM_UP = 3.0
"""Seconds that calls run before they are measured."""
FIRST_CALLS = 10
"""Calls that are made before memory is first read, to fill caches that all calls share."""
KEY_EVERY = 5
"""Pieces from one key to the next, so that speech plays again."""
STREAM = "MZ" + "0" * 32

clock = time.perf_counter


def frame(text: str) -> bytes:
    """A WebSocket message as a client sends it (RFC 6455, section 5.2), masked with zeros, which change nothing."""
    data = text.encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFE]) + len(data).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + data


def event(name: str, number: int, body: str) -> bytes:
    return frame(f'{{"event":"{name}","sequenceNumber":"{number}","streamSid":"{STREAM}",{body}}}')


def hello() -> bytes:
    start = {
        "accountSid": "AC" + "0" * 32,
        "streamSid": STREAM,
        "callSid": "CA" + "0" * 32,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {},
    }
    connected = frame('{"event":"connected","protocol":"Call","version":"1.0.0"}')
    return connected + event("start", 1, f'"start":{json.dumps(start)}')


def media(count: int) -> list[bytes]:
    """The messages of one call: noise, so that nothing is taken for silence."""
    noise = random.Random(1)
    return [
        event(
            "media",
            number + 2,
            f'"media":{{"track":"inbound","chunk":"{number + 1}","timestamp":"{20 * number}",'
            f'"payload":"{base64.b64encode(noise.randbytes(SIZE)).decode()}"}}',
        )
        for number in range(count)
    ]


KEY = event("dtmf", 0, '"dtmf":{"track":"inbound_track","digit":"1"}')


class Call:
    """One WebSocket, open and greeted."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(
            f"GET /sip/media-stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n"
            f"Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(1)
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise SystemExit(f"expected a WebSocket, got {answer!r}")
        self.socket.sendall(hello())
        self.socket.setblocking(False)
        self.number = 0
        """Pieces sent."""
        self.sent: deque[float] = deque()
        """When the pieces were sent that have not come back."""
        self.back = 0
        """Bytes that came back of the oldest of them."""
        self.heard_at = self.heard = 0.0
        """When the last audio came, and its length in seconds."""
        self._rest = b""

    def receive(self) -> list[bytes]:
        """The messages that have come."""
        data = self._rest + self.socket.recv(1 << 16)
        if len(data) == len(self._rest):
            raise SystemExit("the server closed a call")
        messages, place = [], 0
        while len(data) - place >= 4:
            head, length = 2, data[place + 1]
            if length == 126:
                head, length = 4, int.from_bytes(data[place + 2 : place + 4], "big")
            end = place + head + length
            if end > len(data):
                break
            if data[place] == 0x81:
                messages.append(data[place + head : end])
            elif data[place] == 0x89:  # a ping, whose answer bears the same payload
                self.socket.send(bytes([0x8A, 0x80 | length]) + bytes(4) + data[place + head : end])
            else:
                raise SystemExit(f"expected text or a ping, got {data[place:end]!r}")
            place = end
        self._rest = data[place:]
        return messages


class Load:
    """Calls that speak in turn."""

    def __init__(self, port: int, messages: list[bytes], listen: Callable[[Call, bytes, float], None]) -> None:
        """`listen` is given the call, each message that comes, and the time."""
        self.calls: list[Call] = []
        self.messages = messages
        self.late: list[float] = []
        """By how much each piece was sent too late, in seconds."""
        self._port = port
        self._listen = listen
        self._poll = select.epoll()
        self._by_number: dict[int, Call] = {}

    def dial(self, count: int) -> None:
        for _ in range(count):
            call = Call(self._port)
            self.calls.append(call)
            self._by_number[call.socket.fileno()] = call
            self._poll.register(call.socket, select.EPOLLIN)

    def speak(self, seconds: float, before: Callable[[Call], None] | None = None) -> None:
        """Let all calls speak for `seconds`. `before` is called before each piece, and may send something else."""
        calls, messages, step = self.calls, self.messages, PIECE / len(self.calls)
        turn, turns, began = 0, round(seconds / step), clock()
        while turn < turns:
            now = clock()
            while turn < turns and (due := began + turn * step) <= now:
                call = calls[turn % len(calls)]
                if before is not None:
                    before(call)
                call.sent.append(clock())
                call.socket.send(messages[call.number])
                call.number += 1
                self.late.append(now - due)
                turn += 1
            for number, _ in self._poll.poll(max(0.0, began + turn * step - clock())):
                call = self._by_number[number]
                texts, now = call.receive(), clock()
                for text in texts:
                    self._listen(call, text, now)


class Echoes:
    """Measures the audio that comes back; all times are in seconds."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.delays: list[float] = []
        self.jitters: list[float] = []
        self.size = 0
        """Bytes of audio that came back."""

    def listen(self, call: Call, text: bytes, now: float) -> None:
        start = text.find(b'"', text.find(b'"payload"') + 9) + 1
        end = text.find(b'"', start)
        size = (end - start) * 3 // 4 - text.count(b"=", end - 2, end)
        self.size += size
        self.jitters.append(abs(now - call.heard_at - call.heard))
        call.heard_at, call.heard = now, size / SIZE * PIECE
        call.back += size
        while call.back >= SIZE and call.sent:
            call.back -= SIZE
            self.delays.append(now - call.sent.popleft())


def echo(port: int, server: int, calls: int, seconds: float) -> dict[str, float]:
    echoes = Echoes()
    load = Load(port, media(round((WARM_UP + seconds) / PIECE) + 1), echoes.listen)
    load.dial(calls)
    load.speak(WARM_UP)
    echoes.start()
    load.late.clear()
    began, cpu, own = clock(), cpu_seconds(server), time.process_time()
    load.speak(seconds)
    took, spent = clock() - began, cpu_seconds(server) - cpu
    sent = len(load.late)
    delay, jitter, late = (quantiles([value * 1000 for value in v]) for v in (echoes.delays, echoes.jitters, load.late))
    return {
        "calls": calls,
        "cpu": spent / (calls * took) * 1000,
        "delay p50": delay[0],
        "delay p99": delay[1],
        "jitter p99": jitter[1],
        "in": sent / took,
        "out": len(echoes.jitters) / took,
        "returned": echoes.size / (sent * SIZE),
        "load cpu": (time.process_time() - own) / took,
        "load late": late[1],
    }


def idle(port: int, server: int, calls: int) -> dict[str, float]:
    load = Load(port, media(round(2 * WARM_UP / PIECE) + 1), lambda call, text, now: None)
    resident = []
    for more in (FIRST_CALLS, calls):
        load.dial(more)
        load.speak(WARM_UP)
        load.calls[0].socket.send(KEY)
        resident.append(int(Path(f"/proc/{server}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    time.sleep(0.5)  # the server has yet to print
    return {"KiB": (resident[1] - resident[0]) / calls / 1024}


def keys(port: int, server: int, count: int) -> dict[str, float]:
    pressed: list[float] = []
    took: list[float] = []

    def listen(call: Call, text: bytes, now: float) -> None:
        if b'"clear"' in text and len(pressed) > 1:  # at the first there was nothing to clear
            took.append((now - pressed[-1]) * 1000)

    def press(call: Call) -> None:
        if call.number % KEY_EVERY == 0:
            pressed.append(clock())
            call.socket.send(KEY)

    pieces = (count + 1) * KEY_EVERY
    load = Load(port, media(pieces), listen)
    load.dial(1)
    load.speak(pieces * PIECE, press)
    p50, p99 = quantiles(took)
    return {"count": len(took), "p50": p50, "p99": p99}


def cpu_seconds(process: int) -> float:
    """The CPU time that a process has used so far (proc(5): utime and stime, in ticks)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    port, server, what, *amounts = sys.argv[1:]
    measures: dict[str, Callable[..., dict[str, float]]] = {"echo": echo, "idle": idle, "keys": keys}
    print(json.dumps(measures[what](int(port), int(server), *map(int, amounts))))
