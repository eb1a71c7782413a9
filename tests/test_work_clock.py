"""Limits on work: they do not run while the work waits for a thread."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from doubles import virtual
from settling import settled

from voiceflow.inference import InferencePool, TooLateError, WorkClock, pools, work_clock


class Gate:
    """A job that runs until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        self.go.wait(10.0)
        return "done"


async def limited(pool: InferencePool, function: Callable[[], str], seconds: float) -> str:
    with WorkClock() as job:
        async with job.within(seconds, "too slow"):
            return await pool.run(function)


def test_work_that_takes_too_long_is_ended_with_the_message():
    async def main() -> None:
        with WorkClock() as job, pytest.raises(TooLateError, match=r"^too slow$"):
            async with job.within(3.0, "too slow"):
                await asyncio.sleep(4.0)
        assert asyncio.get_running_loop().time() == 3.0

    virtual(main())


def test_a_timeout_of_the_work_itself_is_raised_as_it_is():
    async def main() -> None:
        with WorkClock() as job, pytest.raises(TimeoutError, match="its own") as raised:
            async with job.within(3.0, "too slow"):
                raise TimeoutError("its own")
        assert not isinstance(raised.value, TooLateError)

    virtual(main())


def test_time_in_the_queue_of_a_pool_does_not_count():
    async def main() -> None:
        pool, gate = InferencePool(1), Gate()
        first = asyncio.ensure_future(limited(pool, gate, 1.0))
        others = [asyncio.ensure_future(limited(pool, lambda: "done", 1.0)) for _ in range(12)]
        await asyncio.sleep(0)
        asyncio.get_running_loop().advance(0.9)  # type: ignore[attr-defined]
        gate.go.set()
        assert await asyncio.gather(first, *others) == ["done"] * 13

    virtual(main())


def test_what_was_worked_before_the_wait_counts():
    async def main() -> None:
        pool, gate = InferencePool(1), Gate()
        loop = asyncio.get_running_loop()

        async def waits_in_the_middle() -> None:
            await asyncio.sleep(0.6)
            taken = asyncio.ensure_future(pool.run(gate))
            await asyncio.sleep(0)
            waiting = asyncio.ensure_future(pool.run(lambda: None))
            await asyncio.sleep(0)
            loop.advance(30.0)  # type: ignore[attr-defined]
            gate.go.set()
            await asyncio.gather(taken, waiting)
            assert job.time() == pytest.approx(0.6, abs=0.01)
            await asyncio.sleep(0.39)
            await asyncio.sleep(0.02)

        job = WorkClock()
        with job, pytest.raises(TooLateError, match="too slow"):
            async with job.within(1.0, "too slow"):
                await waits_in_the_middle()

    virtual(main())


def test_a_job_that_never_gets_a_thread_is_given_up_and_says_what_it_waited_for(monkeypatch):
    monkeypatch.setattr(work_clock, "WAIT", 0.05)

    async def main() -> None:
        pool, gate = InferencePool(1), Gate()
        taken = asyncio.ensure_future(pool.run(gate))
        await asyncio.sleep(0)
        with pytest.raises(TooLateError, match=r"^waited 0.05 s for a free thread$"):
            await limited(pool, lambda: "done", 0.01)
        assert pool.queued == 0
        gate.go.set()
        await taken

    asyncio.run(main())


def test_a_job_that_is_withdrawn_does_not_stop_the_limit_for_ever():
    async def main() -> None:
        pool, gate = InferencePool(1), Gate()
        taken = asyncio.ensure_future(pool.run(gate))

        async def withdraws() -> None:
            waiting = asyncio.ensure_future(pool.run(lambda: None))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.sleep(5.0)

        with WorkClock() as job, pytest.raises(TooLateError, match="too slow"):
            async with job.within(0.02, "too slow"):
                await withdraws()
        gate.go.set()
        await taken

    asyncio.run(main())


def test_the_work_of_tasks_made_inside_is_part_of_it():
    async def main() -> None:
        pool, gate = InferencePool(1), Gate()
        taken = asyncio.ensure_future(pool.run(gate))
        with WorkClock() as job:
            task = asyncio.create_task(pool.run(lambda: "done"))
        async with job.within(1.0, "too slow"):
            await asyncio.sleep(0)
            asyncio.get_running_loop().advance(30.0)  # type: ignore[attr-defined]
            gate.go.set()
            assert await task == "done"
        await taken

    virtual(main())


def test_more_jobs_hang_than_threads_can_be_replaced_and_the_next_thread_goes_to_one_of_them(monkeypatch):
    monkeypatch.setattr(pools, "GRACE", 0.0)
    monkeypatch.setattr(pools, "SPARE", 1)

    async def main() -> None:
        pool, hung = InferencePool(1), [Gate(), Gate()]
        for gate in hung:
            job = asyncio.ensure_future(pool.run(gate))
            await asyncio.get_running_loop().run_in_executor(None, gate.begun.wait)
            job.cancel()
        await settled(lambda: len(pool.overdue) == 1)
        hung[0].go.set()
        async with asyncio.timeout(10.0):
            assert await pool.run(lambda: "next") == "next"
        hung[1].go.set()

    asyncio.run(main())
