"""Compares our engine with pipecat's: the same work on both, in turn, on the same Python and event loop.

    python benchmarks/compare_pipecat.py [--rounds N] [--venv DIR] [--json FILE] [--quick] [--uvloop]

The first run makes an environment with pipecat from PyPI, which takes minutes. Then each round runs our side
and pipecat's, each in a fresh process: two minutes a round. What is compared:

- 20 ms audio frames through 1, 10, 20 processors that pass them on, and one more that counts them. "queued" is the
  default kind of processor on both sides: ours has a task and a link, pipecat's two tasks and two queues. "direct" has
  no queue: our fused stages, and pipecat's `enable_direct_mode=True`.
- One frame alone through 10 processors that are idle.
- An interruption through 10 queued processors with 500 frames at each: the time until it has reached the end, and how
  many frames older than it come out afterwards. In "full" the frames have waited for a while; in "race" they have come
  just now. In ours one processor at the end holds the others up, since links are bounded; pipecat's queues are not, so
  there each processor works for 20 ms on a frame.
- CPU time of importing what a pipeline needs.

pipecat runs without RTVI, turn tracking and idle timeout, with whichever of its two audio frames is faster.
Figures are medians of the rounds; "better" is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from report import console, options, show, write

PIPECAT = "pipecat-ai==1.14.0"
HERE = Path(__file__).parent
CPU_OF_IMPORT = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"
IMPORTED = {"ours": "voiceflow", "pipecat": "pipecat.pipeline.worker, pipecat.workers.runner"}


def main() -> None:
    chosen = arguments()
    pythons = {"ours": Path(sys.executable), "pipecat": environment(chosen.venv, chosen.uvloop)}
    flags = [f"--{name}" for name in ("quick", "uvloop") if getattr(chosen, name)]
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(1, chosen.rounds + 1):
        rounds.append({})
        for side, python in pythons.items():
            with console.status(f"round {number} of {chosen.rounds}: {side}"):
                rounds[-1][side] = measured(python, side, flags)
    rows = compared(rounds)
    show(f"voiceflow and {PIPECAT}, medians of {chosen.rounds} rounds", rows)
    write(chosen.json, {"pipecat": PIPECAT, "flags": flags, "figures": rows, "rounds": rounds}, "numpy", "msgspec")


def arguments() -> argparse.Namespace:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--uvloop", action="store_true", help="on uvloop instead of asyncio's own loop, on both sides")
    parser.add_argument(
        "--venv",
        type=Path,
        metavar="DIR",
        default=caches / "voiceflow-benchmarks" / f"{PIPECAT.replace('==', '-')}-python3.{sys.version_info[1]}",
        help="where pipecat's environment is or shall be (%(default)s)",
    )
    return parser.parse_args()


def environment(folder: Path, uvloop: bool) -> Path:
    """The Python of an environment that has pipecat; the environment is made if it is missing."""
    python = folder / "bin" / "python"
    name, version = PIPECAT.split("==")
    wanted = "import importlib.metadata as m, sys; sys.exit(m.version(sys.argv[1]) != sys.argv[2])"
    ready = (
        python.exists()
        and not subprocess.run([python, "-c", wanted, name, version], stderr=subprocess.DEVNULL).returncode
    )
    if not ready:
        console.print(f"Installing {PIPECAT} into {folder}: this takes minutes, once.")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", PIPECAT], check=True)
    if uvloop:
        subprocess.run([python, "-m", "pip", "install", "-q", "uvloop"], check=True)
    return python


def measured(python: Path, side: str, flags: list[str]) -> dict[str, float]:
    """The figures of one round of one side."""
    script = HERE / ("voiceflow_side.py" if side == "ours" else "pipecat_side.py")
    figures: dict[str, float] = json.loads(run(python, script, *flags))
    importing = [float(run(python, "-c", CPU_OF_IMPORT.format(IMPORTED[side]))) for _ in range(5)]
    return {**figures, "import, CPU s": statistics.median(importing)}


def run(python: Path, *arguments: object) -> str:
    """The standard output of a fresh process. Its standard error is shown only if it fails."""
    done = subprocess.run([python, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        console.print(done.stderr, markup=False)
        raise SystemExit(f"{' '.join(map(str, done.args))} failed")
    return done.stdout


def compared(rounds: list[dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    rows = []
    for what in rounds[0]["ours"]:
        ours, theirs = ([each[side][what] for each in rounds] for side in ("ours", "pipecat"))
        pairs = list(zip(ours, theirs, strict=True))
        ratios = [a / b if what.endswith("/s") else b / a for a, b in pairs if a and b]
        rows.append(
            {
                "what": what,
                "ours": statistics.median(ours),
                "pipecat": statistics.median(theirs),
                "better": f"{statistics.median(ratios):.1f} x" if ratios else "",
            }
        )
    return rows


if __name__ == "__main__":
    main()
