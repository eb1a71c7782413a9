"""Who may call from a browser: this machine's user, from pages of this machine or of `allowed_origins`; with --insecure
everybody. Pages of `allowed_origins` may also read our answers (CORS)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Scope

from voiceflow.security.local_requests import is_local

log = logging.getLogger("voiceflow.server")

REFUSED: Final = (
    "calls from other machines are refused: open the page on this machine (localhost), or start with --insecure"
)


class Admission:
    """Decides which browsers may call."""

    def __init__(self, origins: Sequence[str], *, open: bool) -> None:
        """`origins` are those of other pages that may call, "*" stands for all. `open` admits everybody."""
        self._origins = origins
        self._open = open

    def may_call(self, scope: Scope) -> bool:
        """Whether the browser of an HTTP request or WebSocket may call. A refusal is logged."""
        admitted = self._open or self.is_local(scope)
        if not admitted:
            log.warning("a browser was refused: %s", REFUSED)
        return admitted

    def is_local(self, scope: Scope) -> bool:
        """Whether the browser is on this machine."""
        return is_local(scope, self._origins)

    def cors(self) -> list[Middleware]:
        """What lets pages of other origins read the answers of an endpoint."""
        if not self._origins:
            return []
        return [
            Middleware(
                CORSMiddleware,
                allow_origins=self._origins,
                allow_methods=["POST", "PATCH", "DELETE"],
                allow_headers=["*"],
                allow_private_network=True,  # a page on the web may call the server on its visitor's own machine
                expose_headers=["Location", "ETag", "Link"],
            )
        ]
