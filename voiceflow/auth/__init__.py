"""Authentication at the edge: who is at the other end of a request, shown by a token that came with it.

    app = AuthMiddleware(app, CloudflareAccess("team.cloudflareaccess.com", audience), exclude=("/health",))

A provider is an asynchronous callable: it takes the ASGI scope of a request and returns an `AuthResult`, or None where
the request shows no identity that the provider knows. Those of this package check all that their tokens say, and refuse
where they cannot: without the issuer's keys nobody is let in. No token is ever logged.
"""

from .bearer import Bearer
from .cloudflare import CloudflareAccess
from .composite import Composite
from .dependency import require_auth
from .google import GoogleIdToken
from .middleware import AuthMiddleware
from .no_auth import NoAuth
from .provider import Authorize
from .result import AuthResult

__all__ = [
    "AuthMiddleware",
    "AuthResult",
    "Authorize",
    "Bearer",
    "CloudflareAccess",
    "Composite",
    "GoogleIdToken",
    "NoAuth",
    "require_auth",
]
