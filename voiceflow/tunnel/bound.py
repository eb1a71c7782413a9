"""Starts a program that ends with its parent, however that ends: python -I -S bound.py PARENT PROGRAM ARGUMENT...

Linux kills the program when the thread that has started it is gone (prctl(2), PR_SET_PDEATHSIG). Elsewhere it is only
started. This runs as a script in a process of its own and imports nothing of voiceflow: the same in a function that a
fork calls before it executes the program would not be safe in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(parent):  # it was gone before this took effect
        return
    try:
        os.execv(program, [program, *arguments])
    except OSError as error:
        sys.exit(f"cannot run {program}: {error.strerror}")


if __name__ == "__main__":
    main()
