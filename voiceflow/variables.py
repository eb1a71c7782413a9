"""Environment variables, as all parts of voiceflow read them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

DIRECT: Final = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
"""`mounts` of an httpx client that asks this machine itself, and not the proxy that HTTP_PROXY and its like name."""


def variable(name: str, environment: Mapping[str, str] | None = None) -> str | None:
    """The value of an environment variable, stripped: values that come from files end with a newline. None if it is
    unset, empty or blank."""
    return (os.environ if environment is None else environment).get(name, "").strip() or None
