"""Stream tokens: how a media stream proves that it belongs to a call whose webhook we answered.

The answer to a carrier's webhook carries a token, and the stream that the carrier then opens brings it back. A
token is what we know of the call and when it expires, and an HMAC over that. It is good for one stream within
60 seconds, on whichever worker process the stream arrives.

Workers share two things, both made by the first process that enters `run_key()` and gone when it leaves:

- the key, inherited through an environment variable. It is made anew for each run, so a token of an earlier run
  is worth nothing, and neither is the variable once the run is over.
- a folder of marks, one file for each token used. `O_CREAT | O_EXCL` lets exactly one process create a file,
  so the operating system decides who was first; there is no lock to hold and no server to ask.

Times are of the monotonic clock, which is one for all processes of a machine and cannot be set back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from voiceflow.errors import CallRejectedError

LIFETIME = 60
"""How long a token is good for, in seconds. A carrier opens its stream within one or two."""
LONGEST = 480
"""Characters. Some carriers take less than 500 for a parameter's name and value together."""
VARIABLE = "VOICEFLOW_RUN_KEY"
"""The environment variable by which worker processes inherit the key."""


class Claims(msgspec.Struct, frozen=True, array_like=True):
    """What a token says of a call. The server compares it with what the stream's first message says."""

    provider: str
    call_id: str
    """The carrier's id of the call."""
    caller_id: str
    did: str
    codec: str
    """What the agent's audio was asked to be, by the carrier's name: PCMU, L16 ..."""


class _Signed(msgspec.Struct, frozen=True, array_like=True):
    expires: float
    nonce: bytes
    """So that no two tokens are the same, though a carrier may ask twice about one call."""
    claims: Claims


_decode = msgspec.msgpack.Decoder(_Signed).decode


@contextmanager
def run_key() -> Iterator[bytes]:
    """The key of this run, which processes started within inherit."""
    inherited = os.environ.get(VARIABLE)
    if inherited:
        yield inherited.encode()
        return
    made = os.environ[VARIABLE] = secrets.token_hex(32)
    try:
        yield made.encode()
    finally:
        os.environ.pop(VARIABLE, None)
        shutil.rmtree(_folder(made.encode()), ignore_errors=True)


class StreamTokens:
    """Issues stream tokens, and redeems each of them once."""

    def __init__(self, key: bytes, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = key
        self._clock = clock
        self._used = _folder(key)
        self._swept = clock()

    def issue(self, claims: Claims) -> str:
        """A token: letters, digits, `-`, `_` and a dot, so that it needs no escaping in URLs and XML.

        Raises `CallRejectedError` if it would be longer than a carrier takes, as with a SIP address for a number.
        """
        signed = _Signed(self._clock() + LIFETIME, secrets.token_bytes(8), claims)
        payload = _text(msgspec.msgpack.encode(signed))
        token = f"{payload}.{self._tag(payload)}"
        if len(token) > LONGEST:
            raise CallRejectedError(
                f"the stream token of this call has {len(token)} characters and carriers take {LONGEST}: the call's "
                f"id ({len(claims.call_id)} characters) or its numbers ({len(claims.caller_id)} and "
                f"{len(claims.did)}) are too long"
            )
        return token

    def redeem(self, token: str) -> Claims:
        """What the token says. Raises `CallRejectedError` if it is forged, has expired or was used before."""
        payload, _, tag = token[: LONGEST + 1].rpartition(".")
        # Text is compared, not what it decodes to: base64 has several spellings of the same bytes.
        if len(token) > LONGEST or not hmac.compare_digest(_bytes(tag), self._tag(payload).encode()):
            raise CallRejectedError("the stream token is not one that this run of the server has issued")
        signed = _decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        late = self._clock() - signed.expires
        if late > 0:
            raise CallRejectedError(f"the stream token expired {late:.0f} s ago: tokens live for {LIFETIME} s")
        self._use(tag, signed.expires)
        return signed.claims

    def _tag(self, payload: str) -> str:
        return _text(hmac.digest(self._key, _bytes(payload), hashlib.sha256))

    def _use(self, tag: str, expires: float) -> None:
        """Leave a mark. Whatever prevents that prevents the call."""
        mark = self._used / f"{expires:.0f}.{tag}"
        try:
            self._used.mkdir(mode=0o700, exist_ok=True)
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            self._sweep()
        except FileExistsError:
            raise CallRejectedError("the stream token was used before: each is good for one stream") from None
        except OSError as error:
            raise CallRejectedError(
                f"the stream token cannot be marked as used: {self._used}: {error.strerror}"
            ) from error

    def _sweep(self) -> None:
        """Remove the marks of tokens that have expired, a lifetime ago: nobody is still redeeming those."""
        now = self._clock()
        if now < self._swept + LIFETIME:
            return
        self._swept = now
        for mark in self._used.iterdir():
            if int(mark.name.partition(".")[0]) < now - LIFETIME:
                mark.unlink(missing_ok=True)  # other workers sweep too


def _folder(key: bytes) -> Path:
    """Where the marks of a run are. Only who has the key can tell the name, so nobody can be there first."""
    return Path(tempfile.gettempdir(), f"voiceflow-{hashlib.sha256(key).hexdigest()[:32]}")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
