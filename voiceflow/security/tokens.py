"""Stream tokens: how a media stream proves that it belongs to a call whose webhook we answered.

The answer to a carrier's webhook contains a token, and the stream that the carrier then opens brings it back. A token
consists of the call's data, the time at which it was issued, who issued it, and an HMAC over these. It is valid for one
stream within 60 seconds.

Those who issue tokens and redeem them share two things:

- the key. `run_key()` makes one for a run, which its worker processes inherit through an environment variable. Where
  the configuration has `stream_keys`, the first of them signs and all of them verify, so that keys can be changed and
  tokens outlive a restart.
- the folder of marks that belongs to the key (marks.py), in which it is noted which tokens were used. Its owner's name
  is in each token: a process that does not see this folder, such as one on another machine, cannot know whether the
  token was used, and refuses it.

Times are of the wall clock, so that they hold across restarts. It may have been corrected by `TOLERANCE` meanwhile.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from voiceflow.errors import CallRejectedError, ConfigError
from voiceflow.security.marks import SharedMarks, remove_left_behind

LIFETIME: Final = 60
"""How long a token is valid, in seconds. A carrier opens its stream within one or two."""
TOLERANCE: Final = 5
"""By how many seconds the clock may have been set, forward or back, since a token was issued."""
LONGEST: Final = 480
"""Characters that a token may have. Some carriers take fewer than 500 for a parameter's name and value together."""
VARIABLE: Final = "VOICEFLOW_RUN_KEY"
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
    verified: bool = True
    """Whether the webhook was signed, or from whoever runs the server. Of another, anybody may have chosen the id, and
    the operator's credentials must not act on it."""


class _Signed(msgspec.Struct, frozen=True, array_like=True):
    issued: int
    """Seconds since 1970."""
    issuer: str
    """The owner of the marks that say whether the token was used."""
    nonce: bytes
    """Random bytes, which make two tokens for one call differ: a carrier may ask twice about it."""
    claims: Claims


_decode = msgspec.msgpack.Decoder(_Signed).decode


@contextmanager
def run_key() -> Iterator[bytes]:
    """The key of this run, which processes inherit that are started in this context. Raises `ConfigError` where nothing
    can be written among the temporary files, or where the variable was set by somebody else."""
    inherited = os.environ.get(VARIABLE)
    if inherited:
        if not re.fullmatch("[0-9a-f]{64}", inherited):  # the secret of the run is made of it, too
            raise ConfigError(f"{VARIABLE} is set, to what is no key of a run: unset it, and set stream_keys instead")
        yield inherited.encode()
        return
    made = secrets.token_hex(32)
    try:
        marks = SharedMarks(made.encode())
        marks.owner()
    except OSError as error:
        raise ConfigError(
            f"cannot note which stream tokens were used: {error.strerror}. Set TMPDIR to a folder that can be written"
        ) from error
    remove_left_behind()
    os.environ[VARIABLE] = made
    try:
        yield made.encode()
    finally:
        os.environ.pop(VARIABLE, None)
        marks.remove()


class StreamTokens:
    """Issues stream tokens, and redeems each of them once."""

    def __init__(self, key: bytes, *previous: bytes, clock: Callable[[], float] = time.time) -> None:
        """`key` signs, it and the `previous` ones verify."""
        self._keys = {_id(each): (each, SharedMarks(each)) for each in (*previous, key)}
        self._current = _id(key)
        self._clock = clock

    def issue(self, claims: Claims, request: bytes | None = None) -> str:
        """A token. It has only letters, digits, `-`, `_` and dots, so it needs no escaping in URLs and XML.

        It is a new one, unless a token was issued for the same `request` before, as long as marks are kept:
        that is returned again, whichever process issued it. So a carrier that has missed the answer to its request may
        repeat it, and nobody gains by repeating what they have seen.

        Raises `CallRejectedError` if it would be longer than carriers take, as with long SIP addresses for numbers, or
        if it could not be redeemed.
        """
        _, marks = self._keys[self._current]
        with _noting(marks, "no stream token can be issued"):
            if request is None:
                return self._new(claims)
            name = f"answer-{_text(hashlib.sha256(claims.provider.encode() + b' ' + request).digest())}"
            for _, each in self._keys.values():
                if known := each.get(name):
                    return known
            return marks.put(name, self._new(claims))

    def _new(self, claims: Claims) -> str:
        key, marks = self._keys[self._current]
        issuer = marks.owner()
        signed = _Signed(int(self._clock()), issuer, secrets.token_bytes(8), claims)
        head = f"{self._current}.{_text(msgspec.msgpack.encode(signed))}"
        token = f"{head}.{_tag(key, head)}"
        if len(token) > LONGEST:
            raise CallRejectedError(
                f"the stream token of this call has {len(token)} characters and carriers take {LONGEST}: the call's "
                f"id ({len(claims.call_id)} characters) or its numbers ({len(claims.caller_id)} and "
                f"{len(claims.did)}) are too long"
            )
        return token

    def redeem(self, token: str) -> Claims:
        """Use up a token and return its claims. Raises `CallRejectedError` if it is forged, of another issuer, expired
        or already used."""
        head, _, tag = token[: LONGEST + 1].rpartition(".")
        name, _, payload = head.partition(".")
        key, marks = self._keys.get(name) or self._keys[self._current]
        # The text is compared, not the bytes it decodes to: base64 has several spellings of the same bytes.
        if len(token) > LONGEST or not hmac.compare_digest(_bytes(tag), _tag(key, head).encode()):
            raise CallRejectedError(
                "the stream token is not one that this server has issued (processes that are started apart share "
                "tokens by `stream_keys`)"
            )
        signed = _decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        with _noting(marks, "the stream token cannot be marked as used"):
            if signed.issuer != marks.owner():
                raise CallRejectedError(
                    "the stream token was issued on another machine, or by a process of another user or with another "
                    "TMPDIR: bring a call's webhook and its stream to the same machine"
                )
            self._check_time(signed.issued)
            if not marks.claim(f"used-{tag}"):
                raise CallRejectedError("the stream token was used before: each is good for one stream")
        return signed.claims

    def _check_time(self, issued: int) -> None:
        age = self._clock() - issued
        if age > LIFETIME + TOLERANCE:
            raise CallRejectedError(
                f"the stream token expired {age - LIFETIME:.0f} s ago: tokens live for {LIFETIME} s"
            )
        if age < -TOLERANCE:
            raise CallRejectedError(
                f"the stream token was issued {-age:.0f} s from now: this machine's clock was set back"
            )


@contextmanager
def _noting(marks: SharedMarks, failure: str) -> Iterator[None]:
    """Turn what keeps from making marks into a `CallRejectedError`."""
    try:
        yield
    except OSError as error:
        raise CallRejectedError(f"{failure}: {marks.folder}: {error.strerror}") from error


def _id(key: bytes) -> str:
    """The name of a key in tokens. It tells nothing about the key."""
    return _text(hashlib.sha256(b"name" + key).digest()[:6])


def _tag(key: bytes, head: str) -> str:
    return _text(hmac.digest(key, _bytes(head), hashlib.sha256))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
