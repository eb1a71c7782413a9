"""Echo over a real WebSocket with Twilio's protocol: ours, a bare uvicorn echo as the floor, and pipecat, in turn.

    python benchmarks/wire.py [--rounds N] [--venv DIR] [--json FILE] [--quick]

Each server is a process of its own on the first core, the load (wire_load.py) one on the second; both must be
otherwise quiet. Linux only. A round takes some ten minutes; the first makes pipecat's environment. Measured:

- CPU in ms per call-second, delay and jitter (p99) in ms, messages per second, and how much of a core the load took,
  at 50 calls and at 400, or for pipecat as many as it sustains. "16k + 8" goes through 16 kHz: it decodes, resamples
  twice, encodes, and passes eight more stages or processors.
- Calls per core: the most, in steps of 50, with a jitter below 20 ms at the 99th percentile and nothing left behind.
- Memory and tasks of a call.
- From a key to `clear` on the wire, while a long announcement plays.

Figures are medians of the rounds; "x floor" is the median of the rounds' ratios. Where the load could not keep up, the
figures are void, and marked so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from compare_pipecat import HERE, PIPECAT, environment
from report import console, options, show, write

SERVER_CORE, LOAD_CORE = 0, 1
SECONDS = 8
FEW, MANY, STEP, MOST = 50, 400, 50, 1_600
"""Numbers of calls: of the first table, of the second, and the step and the limit of the search for the most."""
STEADY = 20.0
"""Milliseconds of jitter, at the 99th percentile, below which calls are good."""
LATE = 5.0
"""Milliseconds, at the 99th percentile, that the load may send late."""
STARTS_WITHIN = 60.0
"""Seconds that a server may take to start."""
PORT = "PORT"
PIPELINES = HERE / "pipelines"

Figures = dict[str, float]
Rounds = list[dict[str, dict[str, Figures]]]
"""The figures of each round, by section and server."""


class LoadError(Exception):
    """The load broke off, since a server closed a call, sent something unexpected, or did not answer."""


class Side(NamedTuple):
    """One server."""

    name: str
    command: list[str]
    """The command that starts it, with `PORT` where its port belongs."""
    sustains: int = MANY
    """The number of calls for the second table: for pipecat what it has been found to sustain."""
    step: int = STEP
    """How exactly the most calls that it sustains are searched for."""


def main() -> None:
    chosen = arguments()
    echoes, idles, speakers = sides(pipecat_python(chosen.venv))
    if chosen.quick:
        echoes = [side._replace(sustains=20) for side in echoes]
    seconds = 1 if chosen.quick else SECONDS
    idle, keys = (10, 10) if chosen.quick else (100, 200)
    sections: list[tuple[str, list[Side], Callable[[Side], Figures]]] = [
        ("few", echoes, lambda side: load(side, "echo", FEW, seconds)),
        ("many", echoes, lambda side: load(side, "echo", side.sustains, seconds)),
        ("idle", idles, lambda side: load(side, "idle", idle)),
        ("keys", speakers, lambda side: load(side, "keys", keys)),
        ("most", echoes, lambda side: most(side, seconds, chosen.quick)),
    ]
    rounds: Rounds = []
    with console.status("") as status:
        for number in range(1, chosen.rounds + 1):
            rounds.append({})
            for section, servers, measure in sections:
                rounds[-1][section] = {}
                for side in servers:
                    status.update(f"round {number} of {chosen.rounds}: {section}, {side.name}")
                    rounds[-1][section][side.name] = measure(side)
    report(rounds, chosen.json)


def arguments() -> argparse.Namespace:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--venv",
        type=Path,
        metavar="DIR",
        default=caches / "voiceflow-benchmarks" / f"{PIPECAT.replace('==', '-')}-python3.{sys.version_info[1]}",
        help="where pipecat's environment is or shall be (%(default)s)",
    )
    return parser.parse_args()


def sides(pipecat: Path) -> tuple[list[Side], list[Side], list[Side]]:
    """Three lists of servers: echoes, echoes that print their tasks at a key, and servers that speak at a key."""
    run = [str(Path(sys.executable).with_name("voiceflow")), "run"]
    theirs = [str(pipecat), str(HERE / "pipecat_echo.py"), PORT]
    wide = ["--rate", "16000", "--more", "8"]
    bare = Side("bare echo", [sys.executable, str(HERE / "bare_echo.py"), PORT])

    def ours(name: str, pipeline: str | Path) -> Side:
        return Side(name, [*run, str(pipeline), "--log-level", "WARNING", "--port", PORT])

    return (
        [
            bare,
            ours("ours", "echo"),
            ours("ours, 16k + 8", PIPELINES / "eight_stages.py"),
            Side("pipecat", theirs, sustains=160, step=20),
            Side("pipecat, 16k + 8", [*theirs, *wide], sustains=80, step=20),
        ],
        [
            bare,
            ours("ours, 16k + 8", PIPELINES / "counted.py"),
            Side("pipecat, 16k + 8", [*theirs, *wide]),
        ],
        [
            ours("ours", PIPELINES / "interrupted.py"),
            Side("pipecat", [*theirs, "--rate", "16000", "--speak"]),
        ],
    )


def pipecat_python(folder: Path) -> Path:
    """The Python of pipecat's environment, with what its FastAPI transport needs."""
    python = environment(folder, uvloop=True)
    if subprocess.run([python, "-c", "import fastapi, uvicorn"], stderr=subprocess.DEVNULL).returncode:
        subprocess.run([python, "-m", "pip", "install", "fastapi", "uvicorn>=0.35"], check=True)
    return python


# Running


@contextlib.contextmanager
def serving(side: Side) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a server. Yields its process and its port once it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [str(port) if word == PORT else word for word in side.command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    os.sched_setaffinity(server.pid, {SERVER_CORE})
    try:
        given_up = time.monotonic() + STARTS_WITHIN
        while not listens(port):
            if server.poll() is not None or time.monotonic() > given_up:
                raise SystemExit(f"{' '.join(side.command)} does not listen on port {port}")
            time.sleep(0.05)
        yield server, port
    finally:
        with server:  # closes its output and waits for it
            server.kill()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def load(side: Side, *what: object) -> Figures:
    """The figures of wire_load.py for a fresh server; for "idle" also the tasks per call, which the server prints."""
    with serving(side) as (server, port):
        command = [sys.executable, str(HERE / "wire_load.py"), str(port), str(server.pid), *map(str, what)]
        loading = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.sched_setaffinity(loading.pid, {LOAD_CORE})
        out, problem = loading.communicate()
        if loading.returncode:
            raise LoadError(f"{side.name}, {what}: {problem.strip()}")
        figures: Figures = json.loads(out)
        if what[0] == "idle":
            server.kill()
            before, after = map(int, server.communicate()[0].split()[-2:])
            figures["tasks"] = (after - before) / int(str(what[1]))
    return figures


def most(side: Side, seconds: int, quick: bool) -> Figures:
    """The largest number of calls that the server sustains: doubled until it is too large, then bisected."""
    good, bad = 0, side.sustains
    if quick:
        return {"calls": bad if sustained(side, bad, seconds) else 0}
    while bad <= MOST and sustained(side, bad, seconds):
        good, bad = bad, 2 * bad
    while bad - good > side.step:
        middle = (good + bad) // (2 * side.step) * side.step
        if sustained(side, middle, seconds):
            good = middle
        else:
            bad = middle
    return {"calls": good}


def sustained(side: Side, calls: int, seconds: int) -> bool:
    """Whether the server sustains `calls` calls, in one of two tries: other programs may have disturbed the first."""
    for _ in range(2):
        with contextlib.suppress(LoadError):
            figures = load(side, "echo", calls, seconds)
            if figures["jitter p99"] < STEADY and figures["returned"] > 0.99 and not void(figures):
                return True
    return False


def void(figures: Figures) -> bool:
    """Whether the load could not keep up, so that the figures say nothing about the server."""
    return figures["load cpu"] > 0.9 or figures["load late"] > LATE


# Reporting


def report(rounds: Rounds, path: Path | None) -> None:
    tables = {
        f"Echo at {FEW} calls": [echo_row(rounds, "few", name) for name in rounds[0]["few"]],
        "Echo at many calls": [echo_row(rounds, "many", name) for name in rounds[0]["many"]],
        "Calls per core": [
            {"server": name, "calls": int(median(rounds, "most", name, "calls"))} for name in rounds[0]["most"]
        ],
        "Memory and tasks of a call": [
            {"server": name, **{key: median(rounds, "idle", name, key) for key in ("KiB", "tasks")}}
            for name in rounds[0]["idle"]
        ],
        "From a key to clear, ms": [
            {"server": name, **{key: median(rounds, "keys", name, key) for key in ("p50", "p99", "count")}}
            for name in rounds[0]["keys"]
        ],
        "Ours against the targets": targets(rounds),
    }
    for title, rows in tables.items():
        show(f"{title}, medians of {len(rounds)} rounds", rows)
    write(path, {"pipecat": PIPECAT, "figures": tables, "rounds": rounds}, "uvicorn", "uvloop", "websockets", "numpy")


def echo_row(rounds: Rounds, table: str, name: str) -> dict[str, Any]:
    def of(key: str) -> float:
        return median(rounds, table, name, key)

    floors = [each[table][name]["cpu"] / each[table]["bare echo"]["cpu"] for each in rounds]
    is_void = any(void(each[table][name]) for each in rounds)
    return {
        "server": name,
        "calls": int(of("calls")),
        "CPU": of("cpu"),
        "x floor": statistics.median(floors),
        "delay": of("delay p50"),
        "p99": of("delay p99"),
        "jitter": of("jitter p99"),
        "in /s": round(of("in")),
        "out /s": round(of("out")),
        "load": "void" if is_void else of("load cpu"),
    }


def targets(rounds: Rounds) -> list[dict[str, Any]]:
    """The targets of the design, and how much better ours is than pipecat at the same work."""
    wide, theirs = "ours, 16k + 8", "pipecat, 16k + 8"
    wanted = (
        ("CPU ms / call-second, few calls", "few", wide, theirs, "cpu", 2.0),
        ("CPU ms / call-second, many calls", "many", wide, theirs, "cpu", 2.0),
        ("calls per core", "most", wide, theirs, "calls", 400),
        ("KiB of a call", "idle", wide, theirs, "KiB", 150),
        ("tasks of a call", "idle", wide, theirs, "tasks", 8),
        ("key to clear, ms", "keys", "ours", "pipecat", "p50", 0.5),
    )
    rows = []
    for what, table, name, peer, key, bound in wanted:
        value, other = median(rounds, table, name, key), median(rounds, table, peer, key)
        more_is_better = key == "calls"
        rows.append(
            {
                "what": what,
                "ours": value,
                "target": f"{'>=' if more_is_better else '<='} {bound}",
                "met": "yes" if (value >= bound if more_is_better else value <= bound) else "NO",
                "better": f"{value / other if more_is_better else other / value:.1f} x",
            }
        )
    return rows


def median(rounds: Rounds, table: str, name: str, key: str) -> float:
    return statistics.median(each[table][name][key] for each in rounds)


if __name__ == "__main__":
    main()
