"""An issuer's keys: how often they are fetched, and what becomes of those that cannot be used."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import threading
from typing import Any

import pytest
from auth.issuing import AUDIENCE, Issuer, ec_key, issuing, jwk, rsa_key, shown
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from server.serving import run

from voiceflow.auth import CloudflareAccess
from voiceflow.auth import signing_keys as module
from voiceflow.auth.signing_keys import FRESH, GOOD, INTERVAL, LARGEST, SigningKeys


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def found(keys: Any, id: str = "rsa", *, status: int = 200, headers: str = "") -> bool:
    """Whether a key of this id is found where an issuer publishes `keys`."""
    results: list[bool] = []

    async def main() -> None:
        async with issuing() as issuer:
            issuer.keys, issuer.status, issuer.headers = keys, status, headers
            results.append(await SigningKeys(f"{issuer.url}/keys").find(id) is not None)

    run(main())
    return results[0]


GOOD_KEY = jwk(rsa_key(), "rsa", alg="RS256")
MANY = [jwk(rsa_key(), f"k{n}") for n in range(101)]
PRIVATE = {**RSAAlgorithm.to_jwk(rsa_key(), as_dict=True), "kid": "rsa"}
P384 = {**ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True), "kid": "rsa"}


@pytest.mark.parametrize(
    "published",
    [
        [GOOD_KEY],
        [{"kty": "dance", "kid": "x"}, 7, None, {"kty": "RSA"}, {**GOOD_KEY, "kid": 5}, GOOD_KEY],
        [GOOD_KEY, GOOD_KEY],
        [{**GOOD_KEY, "kid": "x", "n": "broken"}, GOOD_KEY],
        [jwk(ec_key(), "rsa")],
    ],
)
def test_a_key_is_found_whatever_stands_beside_it(published: list[object]) -> None:
    assert found({"keys": published})


@pytest.mark.parametrize(
    "published",
    [
        {"keys": []},
        {"keys": [GOOD_KEY, jwk(rsa_key(1), "rsa")]},
        {"keys": [jwk(rsa_key(1), "rsa"), GOOD_KEY, jwk(rsa_key(), "other")]},
        {"keys": [{"kty": "oct", "kid": "rsa", "k": "c2VjcmV0", "alg": "HS256"}]},
        {"keys": [{**GOOD_KEY, "alg": "RS512"}]},
        {"keys": [{**GOOD_KEY, "use": "enc"}]},
        {"keys": [jwk(rsa_key(2, 1024), "rsa")]},
        {"keys": [PRIVATE]},
        {"keys": [P384]},
        {"keys": [*MANY, GOOD_KEY]},
        {"keys": {"rsa": GOOD_KEY}},
        [GOOD_KEY],
        {},
        b"",
        b"<html>Sign in</html>",
        b"\xff\xfe",
        b"[" * 10_000,
        json.dumps({"keys": [GOOD_KEY], "x": "x" * LARGEST}).encode(),
    ],
)
def test_keys_that_cannot_be_used_are_not(published: object) -> None:
    assert not found(published)


@pytest.mark.parametrize(
    ("status", "headers"),
    [(500, ""), (404, ""), (302, "Location: /elsewhere\r\n"), (200, "Content-Encoding: gzip\r\n")],
)
def test_another_answer_than_the_keys_is_none(status: int, headers: str, caplog: pytest.LogCaptureFixture) -> None:
    assert not found({"keys": [GOOD_KEY]}, status=status, headers=headers)
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "cannot be had, and identities that need them are refused" in record.message


def test_without_keys_nobody_is_let_in(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with issuing() as issuer:
            gone = issuer.url
        assert await shown(CloudflareAccess(gone, AUDIENCE), issuer.token()) is None

    run(main())
    assert "cannot be had" in caplog.text


def test_an_issuer_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FETCH", 0.05)

    async def main() -> None:
        async with issuing() as issuer:
            issuer.hold = asyncio.Event()
            assert await shown(CloudflareAccess(issuer.url, AUDIENCE), issuer.token()) is None

    run(main())
    assert "they did not come within 0.05 s" in caplog.text


def asks(issuer: Issuer) -> int:
    return len(issuer.asked)


def test_unknown_ids_have_the_keys_fetched_once_in_an_interval() -> None:
    async def main() -> None:
        clock = Clock()
        async with issuing() as issuer:
            keys = SigningKeys(issuer.url, clock=clock)
            assert await keys.find("rsa") is not None
            for number in range(50):
                assert await keys.find(f"unknown {number}") is None
            assert asks(issuer) == 1
            clock.now += INTERVAL
            await asyncio.gather(*(keys.find(f"unknown {number}") for number in range(50)))
            assert asks(issuer) == 2
            assert await keys.find("rsa") is not None

    run(main())


def test_a_key_that_an_issuer_has_added_is_found() -> None:
    async def main() -> None:
        clock = Clock()
        async with issuing() as issuer:
            keys = SigningKeys(issuer.url, clock=clock)
            assert await keys.find("new") is None
            issuer.keys = {"keys": [jwk(rsa_key(1), "new")]}
            clock.now += INTERVAL
            assert await keys.find("new") is not None
            assert await keys.find("rsa") is None

    run(main())


def test_requests_at_the_same_time_wait_for_one_answer() -> None:
    async def main() -> None:
        async with issuing() as issuer:
            keys = SigningKeys(issuer.url)
            waiting = [asyncio.create_task(keys.find("rsa")) for _ in range(20)]
            await asyncio.sleep(0)
            waiting[0].cancel()  # the one for which they are fetched
            assert all(await asyncio.gather(*waiting[1:]))
            assert asks(issuer) == 1

    run(main())


def test_known_keys_are_asked_for_again_and_count_for_a_day_if_there_is_no_answer() -> None:
    async def main() -> None:
        clock = Clock()
        async with issuing() as issuer:
            keys = SigningKeys(issuer.url, clock=clock)
            await keys.find("rsa")
            clock.now += FRESH - 1
            await keys.find("rsa")
            assert asks(issuer) == 1
            issuer.status = 500
            clock.now += 1
            assert await keys.find("rsa") is not None
            assert asks(issuer) == 2
            clock.now += GOOD - FRESH
            assert await keys.find("rsa") is None
            issuer.status = 200
            clock.now += INTERVAL
            assert await keys.find("rsa") is not None

    run(main())


def test_a_key_that_was_withdrawn_is_no_longer_good() -> None:
    async def main() -> None:
        clock = Clock()
        async with issuing() as issuer:
            keys = SigningKeys(issuer.url, clock=clock)
            await keys.find("rsa")
            issuer.keys = {"keys": [jwk(rsa_key(1), "other")]}
            clock.now += FRESH
            assert await keys.find("rsa") is None

    run(main())


def test_the_authorities_certificates_are_read_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes as long as a piece of audio lasts, and strangers can have the keys fetched every few seconds."""
    read, threads = ssl.create_default_context, list[threading.Thread]()

    def create(*arguments: Any, **options: Any) -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return read(*arguments, **options)

    monkeypatch.setattr(ssl, "create_default_context", create)
    assert found({"keys": [GOOD_KEY]})
    assert threads
    assert threading.main_thread() not in threads
