"""The pool that blocking inference runs in: bounded, shared, and never in the way of a call's end."""

import asyncio
import functools
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from settling import settled

from voiceflow.inference import SPARE, InferencePool, called, pools, recognition_pool, shared_pool, waiting_pool

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


async def given_up(pool: InferencePool, gate: Callable[[], object], begun: threading.Event) -> None:
    """Begin a job that goes on though nobody awaits it any more."""
    job = asyncio.ensure_future(pool.run(gate))
    await settled(begun.is_set)
    job.cancel()
    await asyncio.wait({job})


def test_jobs_that_hang_do_not_keep_their_threads_from_others(monkeypatch, caplog):
    monkeypatch.setattr(pools, "GRACE", 0.01)

    async def main() -> None:
        pool, hung, waited = InferencePool(2), [Gate(), Gate()], Gate()

        def stuck(gate: Gate) -> None:
            gate()

        for gate in hung:
            await given_up(pool, functools.partial(stuck, gate), gate.begun)
        async with asyncio.timeout(PATIENCE):
            assert await pool.run(lambda: "next") == "next"
        await settled(lambda: (pool.running, pool.disowned, pool.hung) == (2, 2, 2))
        assert not pool.busy
        several = [asyncio.ensure_future(pool.run(waited)) for _ in range(5)]
        await settled(lambda: (pool.running, pool.queued) == (4, 3))  # no more at a time than before
        for gate in (*hung, waited):
            gate.go.set()
        await asyncio.gather(*several)
        await settled(lambda: (pool.running, pool.disowned, pool.hung) == (0, 0, 0))

    asyncio.run(main())
    told = [record.message for record in caplog.records]
    assert len(told) == 1, "a function that hangs is told of once"
    assert "partial" not in told[0]
    assert "still runs 0.01 s after it was given up: another thread takes the place of its own" in told[0]


def test_threads_are_replaced_until_a_limit(monkeypatch, caplog):
    monkeypatch.setattr(pools, "GRACE", 0.01)

    async def main() -> None:
        pool, hung = InferencePool(1), [Gate() for _ in range(SPARE + 1)]
        for gate in hung:
            await given_up(pool, gate, gate.begun)
        waits = asyncio.ensure_future(pool.run(lambda: "last"))
        await settled(lambda: pool.hung == SPARE)
        assert not (await asyncio.wait({waits}, timeout=0.05))[0]
        assert (pool.hung, pool.queued) == (SPARE, 1)
        hung[0].go.set()
        async with asyncio.timeout(PATIENCE):
            assert await waits == "last"
        for gate in hung:
            gate.go.set()
        await settled(lambda: (pool.running, pool.disowned, pool.hung) == (0, 0, 0))

    asyncio.run(main())


def test_calls_on_different_loops_share_a_pool():
    pool = InferencePool(1)
    assert [asyncio.run(pool.run(lambda n=n: n * 2)) for n in range(3)] == [0, 2, 4]


def test_the_process_has_one_pool():
    assert shared_pool() is shared_pool()
    assert shared_pool().threads >= 1


def test_recognition_and_waiting_have_pools_of_their_own():
    assert recognition_pool().threads == max(1, shared_pool().threads - 1)
    assert waiting_pool().threads > shared_pool().threads
    assert len({id(pool()) for pool in (shared_pool, recognition_pool, waiting_pool)}) == 3


# functions in any form


def plain(a: int, b: int) -> Any:
    return a + b


async def coroutine(a: int, b: int) -> int:
    return a + b


def generator(a: int, b: int) -> Iterator[int]:
    yield a
    yield b


async def async_generator(a: int, b: int) -> AsyncIterator[int]:
    yield a
    yield b


class Stream:
    """A stream like those that clients' libraries return."""

    def __init__(self, *values: int) -> None:
        self.values = iter(values)
        self.closed = False

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> int:
        try:
            return next(self.values)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        self.closed = True


async def awaited_stream(a: int, b: int) -> Stream:
    return Stream(a, b)


class Awaits:
    async def __call__(self, a: int, b: int) -> int:
        return a + b


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: function(*args)


async def outcome(function: Callable[..., Any], *args: int) -> object:
    given = await called(InferencePool(1), function, *args)
    return [value async for value in given] if isinstance(given, AsyncGenerator) else given


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (plain, 3),
        (coroutine, 3),
        (Awaits(), 3),
        (generator, [1, 2]),
        (async_generator, [1, 2]),
        (Stream, [1, 2]),
        (awaited_stream, [1, 2]),
        (lambda a, b: iter([a, b]), [1, 2]),
    ],
)
def test_a_function_may_be_written_in_any_form_and_decorated(function, expected):
    assert asyncio.run(outcome(function, 1, 2)) == expected
    assert asyncio.run(outcome(decorated(function), 1, 2)) == expected
    assert asyncio.run(outcome(functools.partial(function, 1), 2)) == expected


def test_a_list_is_a_value():
    assert asyncio.run(outcome(lambda: [1, 2])) == [1, 2]


def test_what_is_not_read_to_its_end_is_closed():
    closed = []

    def steps() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    async def main() -> None:
        stream = Stream(1, 2)
        for function in (steps, lambda: stream):
            given = await called(InferencePool(1), function)
            assert isinstance(given, AsyncGenerator)
            assert await anext(given) == 1
            await given.aclose()
        assert (closed, stream.closed) == ([True], True)

    asyncio.run(main())


async def cancelled_by_others(*_: object) -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def stream_cancelled_by_others() -> AsyncIterator[int]:
    await cancelled_by_others()
    yield 1


@pytest.mark.parametrize("function", [cancelled_by_others, stream_cancelled_by_others])
def test_a_cancellation_of_something_else_is_a_failure(function):
    with pytest.raises(RuntimeError, match="it awaited something that was cancelled"):
        asyncio.run(outcome(function))


def test_a_cancellation_of_its_own_ends_it():
    async def for_ever() -> None:
        await asyncio.sleep(1000.0)

    async def main() -> None:
        for function in (for_ever, threading.Event().wait):
            task = asyncio.ensure_future(called(InferencePool(1), function, *([0.05] if function != for_ever else [])))
            await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
