"""How well the ledger knows what was heard, over carriers from the perfect to the broken.

    python benchmarks/ledger.py [--json FILE] [--quick]

Replies are interrupted at random moments, in virtual time. The error is the time that the ledger says was heard, less
the time that the simulated carrier had played when the clear reached it: it is positive if the caller heard less than
the agent believes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from report import console, options, show, write

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the simulated carrier is that of the tests
from carrierline import Carrier, Interruption, interrupt

BOUND = 0.03
"""The largest error that the design allows, in seconds."""
CASES = (
    ("no delay", Carrier(), 10.0),
    ("150 ms one way", Carrier(0.15), 10.0),
    ("150-180 ms one way", Carrier(0.15, 0.03), 10.0),
    ("marks late by 0-3 s", Carrier(0.15, 0.03, echoing="late"), 10.0),
    ("marks out of order", Carrier(0.15, 0.03, echoing="out of order"), 10.0),
    ("marks in bunches", Carrier(0.15, 0.03, echoing="in bunches"), 10.0),
    ("no marks", Carrier(0.15, 0.03, echoing="never"), 10.0),
    ("20 ms jitter buffer", Carrier(0.15, 0.03, jitter_buffer=0.02), 10.0),
    ("0.1 % slow", Carrier(0.15, 0.03, speed=0.999), 10.0),
    ("0.1 % fast", Carrier(0.15, 0.03, speed=1.001), 10.0),
    ("5 % slow", Carrier(0.15, 0.03, speed=0.95), 3.0),
    ("5 % slow", Carrier(0.15, 0.03, speed=0.95), 10.0),
    ("5 % slow", Carrier(0.15, 0.03, speed=0.95), 30.0),
    ("5 % fast", Carrier(0.15, 0.03, speed=1.05), 10.0),
)
"""Carriers, each with the longest length of a reply in seconds. From the third on, all are as far away as the third."""


def main() -> None:
    chosen = options(__doc__).parse_args()
    times = 20 if chosen.quick else 1_000
    rows = []
    with console.status("interrupting") as status:
        for name, carrier, longest in CASES:
            status.update(name)
            interruptions = interrupt(carrier, times=times, seed=1, longest=longest)
            rows.append({"carrier": name, "up to, s": longest} | row(interruptions))
    show(f"Error in what was heard in ms, {times} interruptions (good: 30 ms at most)", rows)
    write(chosen.json, {"bound_ms": BOUND * 1000, "figures": rows}, "numpy", "msgspec")


def row(interruptions: list[Interruption]) -> dict[str, Any]:
    errors = sorted(abs(i.error) * 1000 for i in interruptions)
    return {
        "good, %": 100 * sum(error <= BOUND * 1000 for error in errors) / len(errors),
        "mean": sum(i.error for i in interruptions) / len(errors) * 1000,
        "p50": errors[len(errors) // 2],
        "p99": errors[min(len(errors) - 1, int(len(errors) * 0.99))],
        "most": errors[-1],
    }


if __name__ == "__main__":
    main()
