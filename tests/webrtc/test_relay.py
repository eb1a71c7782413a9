"""A call through a real TURN server: coturn, on loopback, with only relayed candidates offered."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from webrtc.browser import FRAME, Browser, live, start, until
from webrtc.sounds import likeness_of_parts, speech

from voiceflow.transports.webrtc.session import PeerSession
from voiceflow.transports.webrtc.turn_servers import CoturnTURN

TURNSERVER = shutil.which("turnserver")

pytestmark = pytest.mark.skipif(TURNSERVER is None, reason="coturn's turnserver is not installed")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def coturn(folder: Path, port: int) -> AsyncIterator[None]:
    assert TURNSERVER is not None
    server = await asyncio.create_subprocess_exec(
        *(TURNSERVER, "-n", "--use-auth-secret", "--static-auth-secret=north", "--realm=test"),
        *("-L", "127.0.0.1", "-p", str(port), "--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls"),
        *("--log-file=stdout", "--pidfile", str(folder / "pid")),
        cwd=folder,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(5):
            while server.returncode is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    await writer.wait_closed()
                    break
                await asyncio.sleep(0.05)
        yield
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


def test_a_call_through_a_relay_is_heard(tmp_path: Path) -> None:
    said = speech()[: 48_000 * 2]

    async def main() -> None:
        port = free_port()
        async with coturn(tmp_path, port):
            [server] = await CoturnTURN(f"turn:127.0.0.1:{port}?transport=udp", "north").ice_servers()
            browser = Browser(said, relay=server)
            async with browser:
                offer = await browser.offer()
                candidates = [line for line in offer.splitlines() if line.startswith("a=candidate")]
                assert candidates
                assert all("typ relay" in candidate for candidate in candidates)
                async with await PeerSession.answer(offer) as session:
                    await browser.accept(session.sdp)
                    _, running = start(session)
                    await until(lambda: len(browser.heard()) > len(said) + 10 * FRAME)
                    browser.send(type="hangup")
                    await running
            assert likeness_of_parts(said, browser.heard().tobytes()) > 0.8

    live(main())
