"""Who may call from a browser: whoever is trusted (security/trust.py), and whoever shows an identity, where providers
of identities are named (identities.py). Pages of `allowed_origins` may also read our answers (CORS)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from voiceflow.auth import AuthMiddleware, Authorize
from voiceflow.auth.middleware import refusal_of, user_of
from voiceflow.auth.path_prefixes import PathPrefixes
from voiceflow.security.local_requests import is_local
from voiceflow.security.trust import Trust

from .identities import Identities
from .offer_rates import OfferRates, network_of
from .prefix import below_prefix
from .refusals import RefusalLog, host_of

LINK: Final = "open the link that was printed at start, or start with --insecure"
ADDRESS: Final = (
    "this server is for this machine alone, and the request is from elsewhere: start with --ws-url or --tunnel"
)
SHOWN: Final = 100
"""How many bytes of an Origin are logged."""


class Admission:
    """Decides which browsers may call."""

    def __init__(
        self,
        trust: Trust,
        origins: Sequence[str],
        refusals: RefusalLog,
        provider: Authorize | None = None,
        exclude: Collection[str] = (),
    ) -> None:
        """`origins` are those of other pages that may call, "*" stands for all. `provider` knows who they are; it is
        not asked at the paths in `exclude`, where nobody may call who is not trusted."""
        self._trust = trust
        self._origins = origins
        self._refusals = refusals
        self._identities = None if provider is None else Identities(trust, provider)
        self._exclude = exclude
        self._rates = OfferRates()

    def may_call(self, scope: Scope) -> bool:
        """Whether the browser of an HTTP request or WebSocket may call. A refusal is logged."""
        admitted = self._trust.trusts(scope) or (user_of(scope) is not None and self._trust.is_from_allowed_page(scope))
        if not admitted:
            peer = host_of(scope)
            self._refusals.tell("a browser", peer, f"a browser from {peer} was refused: {self._reason(scope)}")
        return admitted

    def _reason(self, scope: Scope) -> str:
        """Why a browser may not call, and what to do."""
        if self._trust.is_from_allowed_page(scope):
            return LINK if self._trust.exposed else ADDRESS
        origins = b", ".join(value for name, value in scope["headers"] if name.lower() == b"origin")
        shown = origins[:SHOWN].decode("latin-1")
        return f"its page is of {shown!r}, which is neither this server nor in allowed_origins"

    def take_offer(self, scope: Scope) -> None:
        """Count an offer of a browser that may call. Raises `TooManyOffersError`."""
        user = user_of(scope)
        name = user and (user.user_id or user.user_email)
        self._rates.take(f"{user.provider} {name}" if user and name else network_of(host_of(scope)))

    def _tell(self, scope: Scope) -> None:
        peer = host_of(scope)
        self._refusals.tell("a request without an identity", peer, f"{refusal_of(scope)}, and came from {peer}")

    def is_here(self, scope: Scope) -> bool:
        """Whether the browser is on this machine and whoever runs the server sits at it, who may learn what fails."""
        return is_local(scope) and self._trust.is_operators(scope)

    def before(self, app: ASGIApp, *, open: Collection[str], calls: Collection[str]) -> ASGIApp:
        """`app`, of which nobody sees anything whom no provider knows, but for the paths in `open`, without what is
        below them: a route of the pipeline's file may be there. Without providers it is open. Pages of other origins
        may read its answers at the paths of `calls`, those of refusals included."""
        guarded = app if self._identities is None else self._guarded(app, self._identities, frozenset(open))
        if not self._origins:
            return guarded
        readable, of_calls = self._readable(guarded), PathPrefixes(calls)

        async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
            is_of_call = scope["type"] == "http" and of_calls.has(scope)
            await (readable if is_of_call else guarded)(scope, receive, send)

        return chosen

    def _guarded(self, app: ASGIApp, identities: Identities, open: Collection[str]) -> ASGIApp:
        """`app` behind the providers, but for the paths in `open`."""
        behind = AuthMiddleware(app, identities, self._exclude, refused=self._tell)

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            is_open = scope["type"] == "http" and below_prefix(scope) in open
            await (app if is_open else behind)(scope, receive, send)

        return guarded

    def _readable(self, app: ASGIApp) -> ASGIApp:
        """`app`, whose answers pages of other origins may read."""
        return CORSMiddleware(
            app,
            allow_origins=self._origins,
            allow_methods=["POST", "PATCH", "DELETE"],
            allow_headers=["*"],
            allow_private_network=True,  # a page on the web may call the server on its visitor's own machine
            expose_headers=["Location", "ETag", "Link"],
        )
