"""What cloudflared prints: which line has the address of the tunnel, and which only looks like it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunnel.double import ADDRESS, BANNER, BOX, NO_CREDENTIALS, REGISTERED, TOO_MANY, UNKNOWN_HOST

from voiceflow.tunnel.output import LONGEST, Output, is_wrong

PRINTED = BANNER + BOX.format(ADDRESS) + REGISTERED


def printed(text: str | bytes) -> Output:
    output = Output()
    list(output.feed(text if isinstance(text, bytes) else text.encode()))
    list(output.end())
    return output


def test_the_address_is_that_in_the_box() -> None:
    output = printed(PRINTED)
    assert output.address == ADDRESS
    assert output.is_registered
    assert not output.is_refused


@given(st.lists(st.integers(0, len(PRINTED)), max_size=12))
def test_it_does_not_matter_in_which_pieces_it_comes(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(PRINTED)]
    output = Output()
    lines = [line for a, b in pairwise(places) for line in output.feed(PRINTED[a:b].encode())]
    assert lines == [line.strip() for line in PRINTED.splitlines()]
    assert output.address == ADDRESS


@given(st.integers(1, len(ADDRESS)))
def test_a_line_that_is_not_complete_has_no_address_yet(size: int) -> None:
    output = Output()
    list(output.feed(f"2026-11-27T08:00:03Z INF |  {ADDRESS[:size]}".encode()))
    assert output.address is None


@pytest.mark.parametrize(
    "line",
    [
        BANNER,
        UNKNOWN_HOST,
        "see https://api.trycloudflare.com\n",
        "see https://www.trycloudflare.com/ for more\n",
        "https://trycloudflare.com\n",
        "http://plain-words.trycloudflare.com\n",
        "https://some-words.trycloudflare.com.example.com\n",
        "https://some-words.trycloudflare.com:8443\n",
        "https://some-words.trycloudflare.com/path\n",
        "https://user@some-words.trycloudflare.com\n",
        "https://-words-.trycloudflare.com\n",
        "https://example.com/?at=https://some-words.trycloudflare.com\n",
        "https://some.more.trycloudflare.com\n",
        "ohttps://some-words.trycloudflare.com\n",
    ],
)
def test_other_addresses_are_not_the_tunnels(line: str) -> None:
    assert printed(line).address is None
    assert printed(line + BOX.format(ADDRESS)).address == ADDRESS


@pytest.mark.parametrize(
    "line",
    [
        f"{ADDRESS}\n",
        f"{ADDRESS}/\r\n",
        f"|  \x1b[1m{ADDRESS}\x1b[0m  |\n",
        f'{{"level":"info","message":"|  {ADDRESS}  |"}}\n',
        ADDRESS.upper().replace("HTTPS", "https"),
    ],
)
def test_the_address_is_found_in_another_dress(line: str) -> None:
    assert printed(line).address == ADDRESS


def test_a_refusal_for_too_many_tunnels_is_known() -> None:
    output = printed(BANNER + TOO_MANY)
    assert output.is_refused
    assert output.address is None
    assert output.last.startswith("failed to unmarshal quick Tunnel")


@given(st.binary(max_size=200))
def test_nothing_that_is_printed_is_too_odd(data: bytes) -> None:
    output = printed(data)
    assert "\n" not in output.last


def test_a_line_without_end_costs_no_memory() -> None:
    output = Output()
    for _ in range(200):
        assert not list(output.feed(b"x" * 65536))
    (line,) = output.feed(b"\n" + PRINTED.encode()[:0])
    assert line == "x" * LONGEST
    list(output.feed(PRINTED.encode()))
    assert output.address == ADDRESS


def test_what_went_wrong_is_told_from_the_rest() -> None:
    for text in (TOO_MANY, UNKNOWN_HOST):
        assert all(map(is_wrong, text.splitlines()))
    assert is_wrong(NO_CREDENTIALS.splitlines()[0])
    assert not any(map(is_wrong, PRINTED.splitlines()))
