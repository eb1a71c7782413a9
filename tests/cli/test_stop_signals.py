"""SIGTERM ends a server when its calls are over, Ctrl-C and a second SIGTERM at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from server.running import Running, running
from server.serving import begin, call_id, carrier, dialled, hears_to_the_end, until
from websockets.asyncio.client import ClientConnection

from voiceflow.processors.tts import recorded
from voiceflow.transports.dialect import Mirror

CALLS = 50
SECONDS = 60.0
"""After which a test has failed."""
GOODBYE = """
from voiceflow.processors import Dialog

async def talk(call):
    await call.digits(1, timeout=600)
    await call.send_digits("1")
    await call.hangup()

def pipeline(call):
    return call.source | Dialog(talk) | call.sink
"""
ONE_TONE = 800
"""Bytes that a caller hears of the goodbye at least."""

Call = tuple[ClientConnection, Mirror]


@contextlib.asynccontextmanager
async def calls(server: Running, count: int) -> AsyncIterator[list[Call]]:
    """Calls that are on."""
    async with asyncio.timeout(SECONDS), contextlib.AsyncExitStack() as stack:
        begun = []
        for number in range(count):
            socket = await stack.enter_async_context(dialled(server.media))
            caller = carrier(call_sid=call_id("twilio", number))
            await begin(socket, caller)
            begun.append((socket, caller))
        await until(lambda: server.log.count(" by twilio") == count)
        yield begun


async def finish(call: Call) -> tuple[bytes, int | None]:
    """Press the key at which the agent says goodbye."""
    await call[0].send(call[1].dtmf("1"))
    return await hears_to_the_end(*call)


async def until_draining(server: Running) -> None:
    await server.until_logged("no new calls")


async def left(server: Running) -> int:
    return await asyncio.to_thread(server.process.wait, SECONDS)


@pytest.mark.parametrize("workers", [1, 2])
def test_no_call_is_lost_by_sigterm(tmp_path: Path, workers: int) -> None:
    async def main(server: Running) -> None:
        async with calls(server, CALLS) as on:
            server.process.terminate()
            os.killpg(server.process.pid, signal.SIGTERM)  # some tools signal a process and its group, or all processes
            await until_draining(server)
            if workers == 1:
                answer = await asyncio.to_thread(httpx.get, f"{server.http}/ready", trust_env=False)
                assert (answer.status_code, answer.json()["active_calls"]) == (503, CALLS)
            assert server.process.poll() is None
            ends = await asyncio.gather(*map(finish, on))
        assert [code for _, code in ends] == [1000] * CALLS
        assert min(len(audio) for audio, _ in ends) > ONE_TONE
        assert await left(server) == 0

    with running(tmp_path, "--workers", str(workers), content=GOODBYE) as server:
        asyncio.run(main(server))
        assert "Traceback" not in server.log
        asyncio.run(no_process_left(server))


async def no_process_left(server: Running) -> None:
    """Wait until all processes that the server has started are gone: Python's own helper leaves a moment later."""
    alive = ["pgrep", "-g", str(server.process.pid), "-r", "R,S,D"]
    async with asyncio.timeout(SECONDS):
        while (await asyncio.to_thread(subprocess.run, alive, stdout=subprocess.DEVNULL)).returncode == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("workers", "second"), [(1, signal.SIGTERM), (1, signal.SIGINT), (2, signal.SIGTERM)])
def test_a_second_signal_ends_the_calls_at_once(tmp_path: Path, workers: int, second: signal.Signals) -> None:
    async def main(server: Running) -> None:
        async with calls(server, 1) as (call,):
            server.process.terminate()
            await until_draining(server)
            end = asyncio.create_task(hears_to_the_end(*call))
            while not end.done():  # a signal that comes together with the first is the same
                server.process.send_signal(second)
                await asyncio.wait({end}, timeout=0.3)
            assert end.result()[1] == 1012
        await left(server)

    with running(tmp_path, "--workers", str(workers), content=GOODBYE) as server:
        asyncio.run(main(server))
        assert "Traceback" not in server.log
        asyncio.run(no_process_left(server))


@pytest.mark.parametrize("options", [["--workers", "1"], ["--workers", "2"], ["--reload"]], ids=" ".join)
def test_ctrl_c_ends_the_calls_at_once(tmp_path: Path, options: list[str]) -> None:
    async def main(server: Running) -> None:
        async with calls(server, 1) as (call,):
            assert await asyncio.to_thread(server.interrupt) == 0
            assert (await hears_to_the_end(*call))[1] == 1012

    with running(tmp_path, *options, content=GOODBYE) as server:
        asyncio.run(main(server))
        assert "Traceback" not in server.log
        asyncio.run(no_process_left(server))


@pytest.mark.slow
def test_sigint_to_the_supervisor_alone_ends_the_calls_at_once(tmp_path: Path) -> None:
    async def main(server: Running) -> None:
        async with calls(server, 1) as (call,):
            server.process.send_signal(signal.SIGINT)
            assert (await hears_to_the_end(*call))[1] == 1012
        assert await left(server) == 0

    with running(tmp_path, "--workers", "2", content=GOODBYE) as server:
        asyncio.run(main(server))
        asyncio.run(no_process_left(server))


@pytest.mark.slow
def test_a_reload_waits_for_no_call(tmp_path: Path) -> None:
    async def main(server: Running) -> None:
        async with calls(server, 1) as (call,):
            server.process.terminate()
            assert (await hears_to_the_end(*call))[1] == 1012
        assert await left(server) == 0

    with running(tmp_path, "--reload", content=GOODBYE) as server:
        asyncio.run(main(server))


@pytest.mark.slow
def test_callers_who_stay_hear_that_the_call_ends(tmp_path: Path) -> None:
    (tmp_path / "voiceflow.yaml").write_text("drain_timeout: 0.5\n")

    async def main(server: Running) -> None:
        async with calls(server, 1) as (call,):
            server.process.terminate()
            audio, code = await hears_to_the_end(*call)
            assert (recorded("stopping", "en").data in audio, code) == (True, 1000)
        assert await left(server) == 0

    with running(tmp_path, "-c", "../voiceflow.yaml", content=GOODBYE) as server:
        asyncio.run(main(server))
        asyncio.run(no_process_left(server))


@pytest.mark.slow
def test_new_workers_take_over_and_the_old_ones_keep_their_calls(tmp_path: Path) -> None:
    async def main(server: Running) -> None:
        async with calls(server, 4) as on:
            server.process.send_signal(signal.SIGHUP)
            await until_draining(server)
            async with dialled(server.media) as socket:
                await begin(socket, caller := carrier(call_sid=call_id("twilio", 99)))
                assert (await finish((socket, caller)))[1] == 1000
            server.process.terminate()
            ends = await asyncio.gather(*map(finish, on))
        assert [code for _, code in ends] == [1000] * 4
        assert await left(server) == 0

    with running(tmp_path, "--workers", "2", content=GOODBYE) as server:
        asyncio.run(main(server))
        asyncio.run(no_process_left(server))
