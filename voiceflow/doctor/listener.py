"""Finds the program that listens on a port of this machine, as far as we are permitted to see it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SECONDS = 2.0
"""How long lsof may take."""
LISTENING = "0A"
"""The state in /proc/net/tcp, TCP_LISTEN in Linux' tcp_states.h."""


def listener(port: int) -> str | None:
    """The program and its process id. None if it is not found: it belongs to another user, or ended meanwhile."""
    return _by_proc(port) if Path("/proc/net/tcp").exists() else _by_lsof(port)


def _by_proc(port: int) -> str | None:
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in sockets:
                process = link.parent.parent
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue
    return None


def _inodes(port: int) -> set[str]:
    """The inodes of the sockets that listen on the port."""
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for fields in map(str.split, lines):  # sl local_address rem_address st ... inode
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _by_lsof(port: int) -> str | None:
    if (lsof := shutil.which("lsof")) is None:
        return None
    command = [lsof, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout
    except subprocess.TimeoutExpired:
        return None
    fields = {line[:1]: line[1:] for line in output.splitlines()}
    return f"{fields['c']} (process {fields['p']})" if {"c", "p"} <= fields.keys() else None
