"""The pool that blocking inference runs in: bounded, shared, and never in the way of a call's end."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from voiceflow.inference import InferencePool, shared_pool

PATIENCE = 10.0
"""Seconds after which a test that hangs gives up."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread, without a clock."""
    tick = threading.Event()
    for _ in range(2000):
        if condition():
            return
        tick.wait(0.005)
    raise AssertionError("it did not happen")


async def settled(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen")


class Gate:
    """A job that runs until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, value: object = None) -> object:
        self.begun.set()
        self.go.wait(PATIENCE)
        self.ended.set()
        return value


def test_a_function_runs_in_a_thread_and_its_result_is_returned():
    async def main() -> None:
        pool = InferencePool(1)
        name = await pool.run(lambda: threading.current_thread().name)
        assert name.startswith("inference")
        assert await pool.run(lambda a, *, b: a + b, 1, b=2) == 3

    asyncio.run(main())


def test_what_a_function_raises_is_raised():
    async def main() -> None:
        pool = InferencePool(1)
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 / 0)
        assert (pool.queued, pool.running, pool.disowned) == (0, 0, 0)
        assert await pool.run(lambda: "still there") == "still there"

    asyncio.run(main())


def test_the_pool_is_bounded_and_counts_what_waits():
    async def main() -> None:
        pool, gates = InferencePool(2), [Gate() for _ in range(5)]
        jobs = [asyncio.ensure_future(pool.run(gate, n)) for n, gate in enumerate(gates)]
        await settled(lambda: (pool.running, pool.queued) == (2, 3))
        assert [gate.begun.is_set() for gate in gates] == [True, True, False, False, False]
        for gate in gates:
            gate.go.set()
        assert await asyncio.gather(*jobs) == [0, 1, 2, 3, 4]
        await settled(lambda: (pool.queued, pool.running, pool.disowned) == (0, 0, 0))

    asyncio.run(main())


def test_a_job_that_has_not_begun_is_withdrawn_with_its_awaiter():
    async def main() -> None:
        pool, first, second = InferencePool(1), Gate(), Gate()
        running = asyncio.ensure_future(pool.run(first))
        await settled(first.begun.is_set)
        waiting = asyncio.ensure_future(pool.run(second))
        await settled(lambda: pool.queued == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (pool.queued, pool.disowned) == (0, 0)
        first.go.set()
        await running
        assert await pool.run(lambda: "next") == "next"
        assert not second.begun.is_set()

    asyncio.run(main())


def test_a_running_job_is_disowned_and_gauged_until_it_ends():
    async def main() -> None:
        pool, gate = InferencePool(1), Gate()
        job = asyncio.ensure_future(pool.run(gate))
        await settled(gate.begun.is_set)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job  # at once: the thread holds nobody
        assert not gate.ended.is_set()
        assert (pool.running, pool.disowned) == (1, 1)
        gate.go.set()
        await settled(lambda: (pool.queued, pool.running, pool.disowned) == (0, 0, 0))

    asyncio.run(main())


def test_a_disowned_job_that_raises_disturbs_nobody():
    async def main() -> None:
        pool, gate = InferencePool(1), Gate()

        def fail() -> None:
            gate()
            raise ValueError("late")

        job = asyncio.ensure_future(pool.run(fail))
        await settled(gate.begun.is_set)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        gate.go.set()
        await settled(lambda: (pool.running, pool.disowned) == (0, 0))
        assert await pool.run(lambda: "next") == "next"

    asyncio.run(main())


def test_a_disowned_job_does_not_keep_its_loop_from_closing():
    pool, gate = InferencePool(1), Gate()

    async def main() -> None:
        job = asyncio.ensure_future(pool.run(gate))
        await settled(gate.begun.is_set)
        job.cancel()

    asyncio.run(main())
    assert not gate.ended.is_set()
    gate.go.set()
    until(gate.ended.is_set)


def test_calls_on_different_loops_share_a_pool():
    pool = InferencePool(1)
    assert [asyncio.run(pool.run(lambda n=n: n * 2)) for n in range(3)] == [0, 2, 4]


def test_the_process_has_one_pool():
    assert shared_pool() is shared_pool()
    assert shared_pool().threads >= 1
