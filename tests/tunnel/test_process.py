"""One run of cloudflared, by a double: what it prints is read whatever it does, and it ends when it is to end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from settling import settled
from tunnel.double import ADDRESS, Double

from voiceflow.errors import TunnelError
from voiceflow.tunnel.output import Output
from voiceflow.tunnel.process import OFTEN, Cloudflared

WATCHDOG = 30.0


def has_address(output: Output) -> bool:
    return output.address is not None


def never(output: Output) -> bool:
    return False


async def started(double: Double, grace: float = 5.0) -> Cloudflared:
    return await Cloudflared.start([str(double.program), "tunnel"], grace=grace)


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, WATCHDOG))


def is_gone(double: Double) -> None:
    """Nothing of it is left, once the system has removed what was killed."""
    asyncio.run(settled(lambda: not double.lives))


@pytest.mark.parametrize(
    "does",
    [
        f"banner; box {ADDRESS}; registered; wait_for_ever",
        f"box {ADDRESS} 2>&1; wait_for_ever",
        f"banner; sleep 0.3; box {ADDRESS}; wait_for_ever",
        "printf 'INF |  https://four-random-wo' >&2; sleep 0.3; printf 'rds-here.trycloudflare.com  |\\n' >&2; "
        "wait_for_ever",
        f"head -c 8000000 /dev/zero >&2; echo >&2; box {ADDRESS}; wait_for_ever",
        f"yes 'INF a line' | head -c 4000000 >&2; box {ADDRESS}; wait_for_ever",
        f"says unknown_host; box {ADDRESS}; wait_for_ever",
    ],
    ids=[
        "at once",
        "on standard output",
        "slowly",
        "in two pieces",
        "after a long line",
        "after many lines",
        "after another",
    ],
)
def test_the_address_is_found(tmp_path: Path, does: str) -> None:
    async def main() -> None:
        cloudflared = await started(double)
        assert await cloudflared.until(has_address, WATCHDOG)
        assert cloudflared.output.address == ADDRESS
        await cloudflared.stop()

    double = Double(tmp_path / "double", does)
    run(main())
    is_gone(double)


def test_one_that_prints_nothing_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    async def main() -> None:
        cloudflared = await started(double)
        assert not await cloudflared.until(has_address, 0.01)
        assert cloudflared.said == "having printed nothing"
        await cloudflared.stop()

    double = Double(tmp_path / "double", "wait_for_ever")
    run(main())


@pytest.mark.parametrize(
    ("does", "how"),
    [
        (
            "banner; says too_many; exit 1",
            "exit code 1, its last line: failed to unmarshal quick Tunnel: invalid character",
        ),
        ("printf 'no end of line' >&2; exit 3", "exit code 3, its last line: no end of line"),
        ("exit 0", "exit code 0, having printed nothing"),
        ("echo dying >&2; kill -9 $$", "by signal 9, its last line: dying"),
        ("echo gone >&2; (sleep 1000) & exit 1", "exit code 1, its last line: gone"),
    ],
)
def test_one_that_ends_says_how(tmp_path: Path, does: str, how: str) -> None:
    async def main() -> None:
        cloudflared = await started(double)
        with pytest.raises(TunnelError) as caught:
            await cloudflared.until(never, WATCHDOG)
        assert str(caught.value).startswith(f"cloudflared ended, {how}")
        assert (await cloudflared.ended()).startswith(how)
        await cloudflared.stop()

    double = Double(tmp_path / "double", does)
    run(main())
    is_gone(double)


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        cloudflared = await started(double, grace=0.1)
        assert await cloudflared.until(has_address, WATCHDOG)
        await cloudflared.stop()

    double = Double(tmp_path / "double", f"trap '' TERM; box {ADDRESS}; while :; do sleep 0.05; done")
    run(main())
    assert "cloudflared did not end within 0.1 s and is killed" in caplog.text
    is_gone(double)


def test_one_that_ends_in_its_time_is_not_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        cloudflared = await started(double)
        assert await cloudflared.until(has_address, WATCHDOG)
        await cloudflared.stop()
        assert cloudflared.output.last == "Tunnel server stopped"

    bye = "trap 'echo Tunnel server stopped >&2; exit' TERM"
    double = Double(tmp_path / "double", f"{bye}; box {ADDRESS}; while :; do sleep 0.05; done")
    run(main())
    assert "killed" not in caplog.text


@pytest.mark.parametrize(
    ("content", "said"), [("no program", "Exec format error"), ("#!/nowhere/sh\n", "No such file or directory")]
)
def test_a_file_that_is_no_program_is_told(tmp_path: Path, content: str, said: str) -> None:
    async def main() -> None:
        cloudflared = await Cloudflared.start([str(file)])
        with pytest.raises(TunnelError, match=f"cannot run {file}: {said}"):
            await cloudflared.until(never, WATCHDOG)
        await cloudflared.stop()

    file = tmp_path / "cloudflared"
    file.write_text(content)
    file.chmod(0o755)
    run(main())


def test_what_it_prints_is_logged_and_errors_as_warnings_if_they_are_few(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        cloudflared = await started(double)
        with pytest.raises(TunnelError):
            await cloudflared.until(never, WATCHDOG)
        await cloudflared.stop()

    caplog.set_level(logging.DEBUG)
    failing = "2026-11-27T08:00:01Z ERR Failed to serve tunnel connection"
    double = Double(tmp_path / "double", f"banner; yes '{failing}' | head -n 50 >&2; exit 1")
    run(main())
    levels = [record.levelno for record in caplog.records if failing in record.message]
    assert levels == [logging.WARNING] * OFTEN + [logging.DEBUG] * (50 - OFTEN)
    assert any(
        "Requesting new quick Tunnel" in each.message for each in caplog.records if each.levelno == logging.DEBUG
    )


def test_it_gets_no_secret_of_ours_and_no_other_tunnels_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        cloudflared = await started(double)
        assert await cloudflared.until(has_address, WATCHDOG)
        await cloudflared.stop()

    for name in ("TWILIO_AUTH_TOKEN", "VOICEFLOW_RUN_KEY", "TUNNEL_TOKEN", "TUNNEL_NAME", "TUNNEL_URL"):
        monkeypatch.setenv(name, "not-for-others")
    monkeypatch.setenv("TUNNEL_TRANSPORT_PROTOCOL", "http2")
    double = Double(tmp_path / "double")
    run(main())
    assert "not-for-others" not in double.environment
    assert "TUNNEL_TRANSPORT_PROTOCOL=http2\n" in double.environment


KILLED = """
import asyncio, sys
from voiceflow.tunnel.process import Cloudflared

async def main():
    cloudflared = await Cloudflared.start([sys.argv[1]])
    await cloudflared.until(lambda output: output.address is not None, 30)
    print("open", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child whose parent was killed")
def test_it_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    double = Double(tmp_path / "double", f"trap '' TERM HUP INT; box {ADDRESS}; wait_for_ever")
    command = [sys.executable, "-c", KILLED, str(double.program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        assert double.lives
        os.kill(process.pid, signal.SIGKILL)
    is_gone(double)
