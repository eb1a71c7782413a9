"""Virtual time jumps while nothing else can happen, and waits for everything that lives in real time."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from voiceflow.testing import virtualloop
from voiceflow.testing.virtualloop import VirtualLoop

T = TypeVar("T")
DEADLINE = 30.0
"""Virtual seconds: many, since a child process may take as many real ones to start on a busy machine."""
HOUR = 3600.0


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


async def beside_a_call(work: Awaitable[T]) -> T:
    """The result of `work`, which runs while audio is paced, and before a deadline."""

    async def pace() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    pacing = asyncio.create_task(pace())
    try:
        return await asyncio.wait_for(work, DEADLINE)
    finally:
        pacing.cancel()
        await asyncio.wait([pacing])


def test_an_hour_of_nothing_takes_no_time() -> None:
    async def main() -> float:
        await asyncio.sleep(HOUR)
        return asyncio.get_running_loop().time()

    assert run(main()) == HOUR


def test_waiting_for_nothing_at_all_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="everything waits and nothing is scheduled"):
        run(asyncio.Event().wait())


async def exit_code() -> int:
    child = await asyncio.create_subprocess_exec("sh", "-c", "sleep 0.05; exit 7")
    return await child.wait()


async def with_pipes() -> int:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec("sh", "-c", "read x; echo $x; exit $x", stdin=pipe, stdout=pipe)
    said, _ = await child.communicate(b"7\n")
    assert said == b"7\n"
    return await child.wait()


async def of_a_shell() -> int:
    child = await asyncio.create_subprocess_shell("exec >&-; sleep 0.05; exit 7", stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    assert await child.stdout.read() == b""  # closed before it ends
    return await child.wait()


async def of_a_thread() -> int:
    loop, answer = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def work() -> None:
        time.sleep(0.05)
        loop.call_soon_threadsafe(answer.set_result, 7)

    threading.Thread(target=work).start()
    return int(await answer)


async def of_a_timer() -> int:
    loop, answer = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    threading.Timer(0.05, lambda: loop.call_soon_threadsafe(answer.set_result, 7)).start()
    return int(await answer)


async def of_an_executor() -> int:
    def work() -> int:
        time.sleep(0.02)
        return 7

    with ThreadPoolExecutor(2) as pool:
        first, second = (asyncio.wrap_future(pool.submit(work)) for _ in range(2))
        await first
        return await second


async def in_a_thread() -> int:
    return await asyncio.to_thread(lambda: time.sleep(0.05) or 7)


async def of_a_socket() -> int:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1")
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"\7")
        code = (await reader.read())[0]
        writer.close()
        await writer.wait_closed()
        return code


@pytest.mark.parametrize(
    "work",
    [exit_code, with_pipes, of_a_shell, of_a_thread, of_a_timer, of_an_executor, in_a_thread, of_a_socket],
    ids=lambda work: work.__name__,
)
def test_what_lives_in_real_time_is_waited_for(work: Callable[[], Coroutine[Any, Any, int]]) -> None:
    for _ in range(20):
        assert run(beside_a_call(work())) == 7


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio chooses by itself how to watch children")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("watcher", ["ThreadedChildWatcher", "PidfdChildWatcher"])
def test_a_child_is_waited_for_however_it_is_watched(watcher: str) -> None:
    watched = getattr(asyncio, watcher)()
    before = asyncio.get_child_watcher()

    async def main() -> int:
        watched.attach_loop(asyncio.get_running_loop())
        return await beside_a_call(exit_code())

    asyncio.set_child_watcher(watched)
    try:
        for _ in range(20):
            assert run(main()) == 7
    finally:
        asyncio.set_child_watcher(before)


def test_time_jumps_again_when_a_thread_has_ended_without_a_word() -> None:
    async def main() -> float:
        thread = threading.Thread(target=time.sleep, args=[0.02])
        thread.start()
        await asyncio.sleep(HOUR)
        return asyncio.get_running_loop().time()

    assert run(main()) >= HOUR


def test_an_executor_at_rest_and_a_thread_of_others_do_not_hold_time_up() -> None:
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            assert await asyncio.get_running_loop().run_in_executor(pool, int, "7") == 7
            await asyncio.sleep(HOUR)

    run(main())
    over.set()
    other.join()


def test_the_deadline_of_what_hangs_in_a_thread_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtualloop, "STANDSTILL", 0.05)
    over = threading.Event()

    async def main() -> None:
        hanging = asyncio.ensure_future(asyncio.to_thread(over.wait))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.shield(hanging)
        over.set()
        await hanging

    run(main())
