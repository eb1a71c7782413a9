"""One timer for everything that is to happen."""

from __future__ import annotations

import asyncio
from functools import partial

from doubles import timers, virtual

from voiceflow.simulator.ticker import Ticker


def ticker() -> Ticker:
    return Ticker(asyncio.get_running_loop().time)


def test_actions_happen_at_their_times_in_order() -> None:
    async def run() -> list[tuple[str, float]]:
        happened: list[tuple[str, float]] = []
        ticks = ticker()

        def note(name: str) -> None:
            happened.append((name, round(ticks.clock(), 6)))

        for name, at in (("late", 0.3), ("first", 0.1), ("second", 0.1), ("past", -1.0)):
            ticks.at(at, partial(note, name))
        assert len(timers()) == 1
        await asyncio.sleep(1.0)
        return happened

    assert virtual(run()) == [("past", 0.0), ("first", 0.1), ("second", 0.1), ("late", 0.3)]


def test_an_action_may_ask_for_the_next() -> None:
    async def run() -> list[float]:
        happened: list[float] = []
        ticks = ticker()

        def tick(number: int) -> None:
            happened.append(round(ticks.clock(), 6))
            if number < 4:
                ticks.at(number * 0.02, partial(tick, number + 1))

        tick(1)
        await asyncio.sleep(1.0)
        return happened

    assert virtual(run()) == [0.0, 0.02, 0.04, 0.06]


def test_a_closed_ticker_leaves_no_timer() -> None:
    async def run() -> None:
        ticks = ticker()
        ticks.at(1.0, lambda: None)
        ticks.close()
        assert timers() == []

    virtual(run())
