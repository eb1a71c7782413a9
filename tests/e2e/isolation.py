"""Runs a command in a network namespace of its own, and tells what it asked of the network (Linux).

In the namespace every address leads back to this machine, where nothing but the command itself listens, and the only
name server is the one here. So what the command looks up and where it connects is seen, and none of it leaves the
machine. No process is traced.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

ENTER: Final = ("unshare", "--map-root-user", "--net", "--mount")
OWN: Final = "10.99.0.1"
"""An address of the namespace's machine that is not the loopback address, for calls by WebRTC."""
ANSWER: Final = "203.0.113.53"
"""The address of all names: a connection to it is noticed."""
LONGEST: Final = 300
"""Seconds after which the command has failed."""
SENT: Final = 4
"""The type of packets that go out, PACKET_OUTGOING in Linux' if_packet.h."""


class Network(NamedTuple):
    """What a command has asked of the network."""

    code: int
    """Its exit code."""
    lookups: list[str]
    """The names it has looked up."""
    peers: list[str]
    """The addresses to which it has sent anything, as ADDRESS or ADDRESS:PORT, without those of its own machine."""


@functools.cache
def missing() -> str | None:
    """Why no such namespace can be made here; None if it can."""
    for program in ("unshare", "ip", "mount"):
        if shutil.which(program) is None:
            return f"there is no {program}: apt-get install util-linux iproute2 mount"
    done = subprocess.run(
        [*ENTER, "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False, timeout=LONGEST
    )
    return f"no network namespace can be made here: {done.stderr.strip()}" if done.returncode else None


def isolated(command: Sequence[str], folder: Path, environment: Mapping[str, str], *, linger: float = 0.0) -> Network:
    """Run `command` in `folder` with a network of its own, `missing` being None. What it starts may go on for `linger`
    seconds after its end."""
    told = folder / "network.json"
    subprocess.run(
        [*ENTER, sys.executable, __file__, str(told), str(linger), *command],
        cwd=folder,
        env={**environment, "VOICEFLOW_TEST_ADDRESS": OWN},
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=LONGEST,
    )
    return Network(*json.loads(told.read_bytes()))


# -- inside of the namespace


def _main(told: Path, linger: float, command: Sequence[str]) -> None:
    _set_up(told.parent)
    lookups: set[str] = set()
    peers: set[str] = set()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 53))
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))  # all protocols
    wire.bind(("lo", 0))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 26)
    threading.Thread(target=_answer, args=(names, lookups), daemon=True).start()
    threading.Thread(target=_watch, args=(wire, peers), daemon=True).start()
    code = subprocess.run(command, check=False).returncode
    time.sleep(linger)
    told.write_text(json.dumps([code, sorted(lookups), sorted(peers)]))


def _set_up(folder: Path) -> None:
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    for line in (
        "ip link set lo up",
        f"ip address add {OWN}/32 dev lo",
        "ip route add local default dev lo",
        f"mount --bind {folder}/resolv.conf /etc/resolv.conf",
    ):
        subprocess.run(line.split(), check=True)
    if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
        subprocess.run(["ip", "-6", "route", "add", "local", "default", "dev", "lo"], check=True)
    if os.path.exists("/etc/nsswitch.conf"):
        subprocess.run(["mount", "--bind", f"{folder}/nsswitch.conf", "/etc/nsswitch.conf"], check=True)


def _answer(names: socket.socket, lookups: set[str]) -> None:
    """Answer every question for a name's IPv4 address with `ANSWER`, others with nothing (RFC 1035, section 4)."""
    while True:
        asked, peer = names.recvfrom(4096)
        name, place = [], 12
        while length := asked[place]:
            name.append(asked[place + 1 : place + 1 + length].decode("ascii", "replace"))
            place += 1 + length
        lookups.add(".".join(name))
        (kind,) = struct.unpack_from("!H", asked, place + 1)
        answer = struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton(ANSWER)) if kind == 1 else b""
        head = asked[:2] + struct.pack("!HHHHH", 0x8180, 1, bool(answer), 0, 0)
        names.sendto(head + asked[12 : place + 5] + answer, peer)


def _watch(wire: socket.socket, peers: set[str]) -> None:
    """Note where packets go that do not go to this machine's own addresses."""
    while True:
        packet, (_, _, direction, *_) = wire.recvfrom(65536)
        if direction != SENT:
            continue
        family, protocol, payload = packet[12:14], b"", b""
        if family == b"\x08\x00":
            source, target = packet[26:30], packet[30:34]
            protocol, payload = packet[23:24], packet[14 + (packet[14] & 15) * 4 :]
        elif family == b"\x86\xdd":
            source, target = packet[22:38], packet[38:54]
            protocol, payload = packet[20:21], packet[54:]
        else:
            continue
        address = ipaddress.ip_address(target)
        if address.is_loopback or str(address) == OWN or protocol in (b"\x01", b"\x3a"):  # ICMP: an answer to others
            continue
        (origin, port) = struct.unpack_from("!HH", payload) if protocol in (b"\x06", b"\x11") else (0, 0)
        if source != target or origin > port:  # the machine's answer to itself comes from the address that was called
            peers.add(f"{address}:{port}")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
