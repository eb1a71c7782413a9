"""A double of cloudflared: a shell script that prints what the real one prints. The lines are those of cloudflared
2025.8.1 and of its source (cmd/cloudflared/tunnel/quick_tunnel.go), with other names and addresses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ADDRESS = "https://four-random-words-here.trycloudflare.com"
ANOTHER = "https://quite-other-random-words.trycloudflare.com"
BANNER = (
    "2026-11-27T08:00:00Z INF Thank you for trying Cloudflare Tunnel. Doing so, without a Cloudflare account, is a "
    "quick way to experiment and try it out. However, be aware that these account-less Tunnels have no uptime "
    "guarantee, are subject to the Cloudflare Online Services Terms of Use "
    "(https://www.cloudflare.com/website-terms/), and Cloudflare reserves the right to investigate your use of Tunnels "
    "for violations of such terms. If you intend to use Tunnels in production you should use a pre-created named "
    "tunnel by following: https://developers.cloudflare.com/cloudflare-one/connections/connect-apps\n"
    "2026-11-27T08:00:00Z INF Requesting new quick Tunnel on trycloudflare.com...\n"
)
BORDER = f"2026-11-27T08:00:03Z INF +{'-' * 92}+\n"
BOX = (
    f"{BORDER}2026-11-27T08:00:03Z INF |  Your quick Tunnel has been created! Visit it at (it may take some time to be "
    f"reachable):  |\n2026-11-27T08:00:03Z INF |  {{:<88}}  |\n{BORDER}"
)
REGISTERED = (
    "2026-11-27T08:00:04Z INF Registered tunnel connection connIndex=0 connection=67af69ef-06cf-4d39-ab88-9d538025aad9 "
    "event=0 ip=198.41.192.47 location=fra08 protocol=quic\n"
)
TOO_MANY = (
    "2026-11-27T08:00:01Z ERR Error unmarshaling QuickTunnel response: error code: 1015 error=\"invalid character 'e' "
    'looking for beginning of value" status_code="429 Too Many Requests"\n'
    "failed to unmarshal quick Tunnel: invalid character 'e' looking for beginning of value\n"
)
UNKNOWN_HOST = (
    'failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": dial tcp: lookup '
    "api.trycloudflare.com on 127.0.0.11:53: no such host\n"
)
NO_CREDENTIALS = (
    "2026-11-27T08:00:00Z ERR Cannot determine default origin certificate path. No file cert.pem in [~/.cloudflared "
    "~/.cloudflare-warp ~/cloudflare-warp /etc/cloudflared /usr/local/etc/cloudflared]. You need to specify the origin "
    "certificate path by specifying the origincert option in the configuration file, or set TUNNEL_ORIGIN_CERT "
    "environment variable\n"
    "tunnel credentials file not found\n"
)
VERSION = "2025.8.1"
OPEN = f"banner; box {ADDRESS}; registered; wait_for_ever"
"""What a double does whose quick tunnel is opened."""

_SCRIPT = """#!/bin/sh
here='{here}'
if [ "$1" = --version ]; then echo 'cloudflared version {version} (built 2025-08-21-1534 UTC)'; exit; fi
echo "$@" >> "$here/arguments"
echo $$ >> "$here/pids"
env > "$here/environment"
banner() {{ cat "$here/banner" >&2; }}
box() {{ printf "$(cat "$here/box")\\n" "$1" >&2; }}
registered() {{ cat "$here/registered" >&2; }}
says() {{ cat "$here/$1" >&2; }}
wait_for_ever() {{ exec sleep 1000; }}
time=$(wc -l < "$here/pids")
{does}
"""


class Double:
    """A double in a folder of its own, which has `cloudflared` and what it has noted."""

    def __init__(self, folder: Path, does: str = OPEN, *, version: str = VERSION) -> None:
        """`does`: what it does when it is started, in the shell's language. `$time` is 1 for the first time."""
        self.folder = folder
        folder.mkdir(parents=True)
        for name, text in {
            "banner": BANNER,
            "box": BOX.format("PLACE").replace("PLACE" + " " * 83, "%-88s"),
            "registered": REGISTERED,
            "too_many": TOO_MANY,
            "unknown_host": UNKNOWN_HOST,
            "no_credentials": NO_CREDENTIALS,
        }.items():
            (folder / name).write_text(text)
        self.program = folder / "cloudflared"
        self.program.write_text(_SCRIPT.format(here=folder, version=version, does=does))
        self.program.chmod(0o755)

    @property
    def path(self) -> str:
        """A PATH on which it is the first."""
        return f"{self.folder}{os.pathsep}{os.environ['PATH']}"

    @property
    def arguments(self) -> list[str]:
        """Those it was started with, each time one line."""
        return (self.folder / "arguments").read_text().splitlines()

    @property
    def environment(self) -> str:
        return (self.folder / "environment").read_text()

    @property
    def pids(self) -> list[int]:
        file = self.folder / "pids"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    @property
    def lives(self) -> bool:
        """Whether one of its runs, or what a run has started, is still there."""
        shown = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], check=True, capture_output=True, text=True).stdout
        groups = {int(group) for group, state in map(str.split, shown.splitlines()) if not state.startswith("Z")}
        return not groups.isdisjoint(self.pids)
