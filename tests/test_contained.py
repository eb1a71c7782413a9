"""Whatever the code of users does - raise what would end the loop, or hang - ends at most its own work."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from voiceflow.inference import InferencePool, called

ENDS = [SystemExit(3), KeyboardInterrupt("now"), BaseException("odd"), asyncio.CancelledError(), StopIteration()]


def forms(error: BaseException) -> list[Callable[[], Any]]:
    """Functions of every form that raise `error`."""

    def function() -> None:
        raise error

    async def coroutine() -> None:
        raise error

    def generator() -> Iterator[int]:
        yield 1
        raise error

    async def async_generator() -> AsyncIterator[int]:
        yield 1
        raise error

    def closed() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            raise error

    return [function, coroutine, generator, async_generator, closed]


async def outcome(function: Callable[[], Any]) -> object:
    given = await called(InferencePool(1), function)
    if not isinstance(given, AsyncGenerator):
        return given
    try:
        return [value async for value in given]
    finally:
        await given.aclose()


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
def test_what_would_end_the_loop_is_a_failure_of_the_one_who_called(error):
    async def main() -> None:
        for function in forms(error):
            task = asyncio.create_task(outcome(function))
            await asyncio.wait({task})
            assert isinstance(task.exception(), RuntimeError)
            assert task.exception().__cause__ is not None

    asyncio.run(main())


def test_a_job_that_raises_what_ends_a_thread_leaves_the_pool_as_it_was():
    async def main() -> None:
        pool = InferencePool(1)
        with pytest.raises(RuntimeError, match=r"^it raised SystemExit: 3$"):
            await pool.run(sys.exit, 3)
        assert (pool.running, pool.queued) == (0, 0)
        assert await pool.run(lambda: "next") == "next"

    asyncio.run(main())


HANGS = """
import asyncio, sys, threading
from voiceflow.inference import shared_pool, waiting_pool

begun = threading.Barrier(3)

def hang():
    begun.wait()
    threading.Event().wait()

async def main():
    jobs = [asyncio.ensure_future(pool().run(hang)) for pool in (shared_pool, waiting_pool)]
    await asyncio.sleep(0)
    while begun.n_waiting < 2:
        await asyncio.sleep(0.001)
    begun.wait()
    {end}

{run}
"""


@pytest.mark.parametrize(
    ("end", "run", "code"),
    [
        ("", "asyncio.run(main())", 0),
        ("sys.exit(7)", "asyncio.run(main())", 7),
        ("raise ValueError", "asyncio.run(main())", 1),
        ("", "asyncio.new_event_loop().run_until_complete(main()); sys.exit(5)", 5),
    ],
)
def test_a_job_that_hangs_does_not_keep_the_process_from_exiting(end, run, code):
    ended = subprocess.run([sys.executable, "-c", HANGS.format(end=end, run=run)], timeout=60.0, capture_output=True)
    assert ended.returncode == code, ended.stderr


def test_what_runs_at_the_exit_has_a_moment_to_end():
    program = """
import asyncio, threading
from voiceflow.inference import shared_pool
begun = threading.Event()
def work():
    begun.set()
    threading.Event().wait(0.05)
    print("ended", flush=True)
async def main():
    job = asyncio.ensure_future(shared_pool().run(work))
    await asyncio.sleep(0)
    begun.wait()
asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=60.0, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "ended\n"), ended.stderr
