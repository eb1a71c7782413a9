"""Callers who have logged in: the agent greets them by their name. Those who have not may not call.

`authorize` knows them by a session of your own site: a cookie that it signs with a secret which both have.

    export SESSION_SECRET=$(openssl rand -hex 32)
    voiceflow run with_auth

The site sets what `session("Ann")` returns as the cookie `session`, on the host at which the page is served. Instead of
that, `auth` in the configuration lets in users of Cloudflare Access or Google: docs/authentication.md.
"""

import hashlib
import hmac
import os
import time

from starlette.requests import HTTPConnection

from voiceflow import Call, Pipeline
from voiceflow.auth import AuthResult
from voiceflow.auth.provider import Scope
from voiceflow.processors import BargeIn, Dialog, PiperTTS, SileroVAD, WhisperSTT


async def authorize(scope: Scope) -> AuthResult | None:
    """Who sent the request of this ASGI scope; None: somebody without a session."""
    content, _, signature = HTTPConnection(scope).cookies.get("session", "").rpartition(".")
    if not hmac.compare_digest(signature.encode(), signed(content).encode()):
        return None
    name, _, expires = content.rpartition(".")
    return AuthResult(True, user_id=name, user_name=name, provider="sessions", expires=float(expires))


def session(name: str, seconds: float = 3600.0) -> str:
    """The value of the cookie for somebody who has just logged in: name, time of expiry, signature."""
    content = f"{name}.{time.time() + seconds:.0f}"
    return f"{content}.{signed(content)}"


def signed(content: str) -> str:
    """The signature of `content`. Raises `KeyError` without a secret, and then nobody is let in."""
    return hmac.new(os.environ["SESSION_SECRET"].encode(), content.encode(), hashlib.sha256).hexdigest()


async def talk(call: Call) -> None:
    name = call.user.user_name if call.user else None  # None: by telephone, or whoever runs the server
    answer = await call.ask(f"Hello {name or 'there'}! How are you today?", timeout=10.0)
    await call.say("Thank you for telling me. Goodbye!" if answer else "I cannot hear you. Goodbye!")


def pipeline(call: Call) -> Pipeline:
    return call.source | SileroVAD() | BargeIn() | WhisperSTT("base") | Dialog(talk) | PiperTTS() | call.sink
