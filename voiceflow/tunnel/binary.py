"""Finding cloudflared: on the PATH, or where the packages of npm and PyPI that are named for it put it.

Neither package has the program inside. npm's `cloudflared` downloads it when it is installed, PyPI's `pycloudflared`
when it is first used; both from Cloudflare's releases.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from voiceflow.errors import TunnelError

from .process import Cloudflared

NAME: Final = "cloudflared"
OLDEST: Final = (2023, 1, 1)
"""The oldest version that is used. Older ones refuse quick tunnels where there is a configuration of cloudflared's."""
VERSION_WITHIN: Final = 3.0
"""Seconds within which a program that works has said its version."""
RELEASES: Final = "https://github.com/cloudflare/cloudflared/releases/latest/download"
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "i686": "386"}
_VERSION: Final = re.compile(r"cloudflared version (\d{4})\.(\d+)\.(\d+)")


def find() -> str:
    """The path of cloudflared. Raises `TunnelError`, with the command that installs it."""
    program = found()
    if program is None:
        raise TunnelError(": ".join(absence()))
    return program


def found() -> str | None:
    """The path of cloudflared, if it is there."""
    first = shutil.which(NAME)
    for path in (*([Path(first)] if first else []), *_in_packages(Path.cwd())):
        program = _behind(path)
        if program.is_file() and os.access(program, os.X_OK):
            return str(program)
    return None


def absence() -> tuple[str, str]:
    """What is wrong where it is not `found`, and the command to run."""
    for folder in os.get_exec_path():
        if (file := Path(folder, NAME)).is_file():
            return f"{file} is not executable", f"chmod +x {file}"
    return "cloudflared is not installed", install_command()


def install_command() -> str:
    """The command by which cloudflared is installed on this machine."""
    if sys.platform == "darwin":
        return f"brew install {NAME}"
    machine = _MACHINES.get(platform.machine(), "amd64")
    target = f"/usr/local/bin/{NAME}"
    return (
        f"sudo curl -fLo {target} {RELEASES}/{NAME}-linux-{machine} && sudo chmod +x {target} "
        f"(or: npm install {NAME}, which downloads it)"
    )


async def version(program: str) -> tuple[str, bool]:
    """What `program` says of its version, and whether it said it as a program that works does: within `VERSION_WITHIN`,
    with the exit code 0. Raises `TunnelError` if it cannot be run."""
    run = await Cloudflared.start([program, "--version"])
    try:
        async with asyncio.timeout(VERSION_WITHIN):
            code = await run.exit_code()
    except TimeoutError:
        return run.output.last or "nothing", False
    finally:
        await run.stop()
    return run.output.last or f"nothing, exit code {code}", code == 0


def is_too_old(said: str) -> bool:
    """Whether what `cloudflared --version` has printed is a version older than `OLDEST`."""
    found = _VERSION.search(said)
    return found is not None and tuple(map(int, found.groups())) < OLDEST


def _in_packages(folder: Path) -> Iterator[Path]:
    """Where the packages may have put it: node_modules beside `folder` or above it, and this Python's packages."""
    for parent in (folder, *folder.parents):
        yield parent / "node_modules" / NAME / "bin" / NAME
    spec = importlib.util.find_spec("pycloudflared")
    for place in (spec and spec.submodule_search_locations) or ():
        yield from sorted(Path(place).glob(f"{NAME}*"))


def _behind(path: Path) -> Path:
    """The program that `path` starts: npm's command is a script that starts it as a child, which would outlive it."""
    script = path.resolve()
    program = script.parent.parent / "bin" / NAME
    return program if script.suffix == ".js" and program.is_file() else path
