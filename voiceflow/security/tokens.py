"""Stream tokens: how a media stream proves that it belongs to a call whose webhook we answered.

The answer to a carrier's webhook contains a token, and the stream that the carrier then opens brings it back. A
token consists of the call's data, its time of expiry, and an HMAC over both. It is valid for one stream within
60 seconds, in whichever worker process the stream arrives.

Workers share two things, both of the first process that enters `run_key()` and gone when it leaves:

- the key, inherited through an environment variable. Each run makes a new one, so tokens of an earlier run are
  invalid, and the variable is worthless once the run is over.
- a folder of used tokens, with one empty file for each. `O_CREAT | O_EXCL` lets exactly one process create a file,
  so the operating system decides which was first; no lock and no server is needed.

Times are of the monotonic clock, which all processes of a machine share and which cannot be set back.
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

from voiceflow.errors import CallRejectedError, ConfigError

LIFETIME = 60
"""How long a token is valid, in seconds. A carrier opens its stream within one or two."""
LONGEST = 480
"""Characters that a token may have. Some carriers take fewer than 500 for a parameter's name and value together."""
VARIABLE = "VOICEFLOW_RUN_KEY"
"""The environment variable by which worker processes inherit the key."""


class Claims(msgspec.Struct, frozen=True, array_like=True):
    """What a token says about a call. The server compares it with the stream's start message."""

    provider: str
    call_id: str
    """The carrier's id of the call."""
    caller_id: str
    did: str
    codec: str
    """The codec of the agent's audio that the carrier was asked for, by the carrier's name: PCMU, L16 ... "": it was
    asked for none."""


class _Signed(msgspec.Struct, frozen=True, array_like=True):
    expires: float
    """The time of expiry, in seconds of the monotonic clock."""
    nonce: bytes
    """Random bytes, which make two tokens for one call differ: a carrier may ask twice about it."""
    claims: Claims


_decode = msgspec.msgpack.Decoder(_Signed).decode


@contextmanager
def run_key() -> Iterator[bytes]:
    """The key of this run, which processes inherit that are started in this context. Raises `ConfigError` where nothing
    can be written among the temporary files."""
    inherited = os.environ.get(VARIABLE)
    if inherited:
        yield inherited.encode()
        return
    made = secrets.token_hex(32)
    try:
        folder = _folder(made.encode())
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"cannot note which stream tokens were used: {error.strerror}. Set TMPDIR to a folder that can be written"
        ) from error
    os.environ[VARIABLE] = made
    try:
        yield made.encode()
    finally:
        os.environ.pop(VARIABLE, None)
        shutil.rmtree(folder, ignore_errors=True)


class StreamTokens:
    """Issues stream tokens, and redeems each of them once."""

    def __init__(self, key: bytes, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = key
        self._clock = clock
        self._used = _folder(key)
        self._swept = clock()

    def issue(self, claims: Claims) -> str:
        """A new token. It has only letters, digits, `-`, `_` and a dot, so it needs no escaping in URLs and XML.

        Raises `CallRejectedError` if it would be longer than carriers take, as with long SIP addresses for numbers.
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
        """Use up a token and return its claims. Raises `CallRejectedError` if it is forged, expired or already used."""
        payload, _, tag = token[: LONGEST + 1].rpartition(".")
        # The text is compared, not the bytes it decodes to: base64 has several spellings of the same bytes.
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
        """Mark a token as used. Raises `CallRejectedError` if it is marked already, or if that fails for any reason."""
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
        """Remove the marks of tokens that expired more than `LIFETIME` ago: no process can be redeeming them still."""
        now = self._clock()
        if now < self._swept + LIFETIME:
            return
        self._swept = now
        for mark in self._used.iterdir():
            if int(mark.name.partition(".")[0]) < now - LIFETIME:
                mark.unlink(missing_ok=True)  # other workers sweep too


def _folder(key: bytes) -> Path:
    """The folder for the marks of a run. Its name is derived from the key, so nobody without the key can create it
    first."""
    return Path(tempfile.gettempdir(), f"voiceflow-{hashlib.sha256(key).hexdigest()[:32]}")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
