"""Who may call from a browser: whoever is trusted (security/trust.py). Pages of `allowed_origins` may also read our
answers (CORS)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Scope

from voiceflow.security.local_requests import is_local
from voiceflow.security.trust import Trust

from .refusals import RefusalLog, host_of

WHAT_TO_DO: Final = "open the link that was printed at start, or start with --insecure"


class Admission:
    """Decides which browsers may call."""

    def __init__(self, trust: Trust, origins: Sequence[str], refusals: RefusalLog) -> None:
        """`origins` are those of other pages that may call, "*" stands for all."""
        self._trust = trust
        self._origins = origins
        self._refusals = refusals

    def may_call(self, scope: Scope) -> bool:
        """Whether the browser of an HTTP request or WebSocket may call. A refusal is logged."""
        admitted = self._trust.trusts(scope)
        if not admitted:
            peer = host_of(scope)
            self._refusals.tell("a browser", peer, f"a browser from {peer} was refused: {WHAT_TO_DO}")
        return admitted

    def is_here(self, scope: Scope) -> bool:
        """Whether the browser is on this machine and whoever runs the server sits at it, who may learn what fails."""
        return is_local(scope) and self._trust.is_operators(scope)

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
