"""A tunnel is kept open, in virtual time: how long its address is waited for, and when it is opened again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from doubles import virtual
from tunnel.double import ADDRESS, ANOTHER, BANNER, BOX, REGISTERED, TOO_MANY

from voiceflow.errors import TunnelError
from voiceflow.tunnel.named import Named
from voiceflow.tunnel.output import Output
from voiceflow.tunnel.reachable import until_reachable
from voiceflow.tunnel.upkeep import Tunnel

MEDIA = "/sip/media-stream"
FIRST, SECOND = (f"wss://{address.removeprefix('https://')}{MEDIA}" for address in (ADDRESS, ANOTHER))
NAMED = Named("voice", f"wss://voice.example.com{MEDIA}", Path(".tunnel-config"))


class RunDouble:
    """A run of cloudflared that prints `text` after `delay` seconds, and ends after `lives`."""

    def __init__(self, text: str, *, delay: float = 1.0, lives: float = 1e9) -> None:
        self.output = Output()
        self.stopped = False
        self._text = text
        self._printed = asyncio.get_running_loop().time() + delay
        self._ends = asyncio.get_running_loop().time() + lives

    @property
    def said(self) -> str:
        return f"its last line: {self.output.last}"

    async def until(self, ready: Callable[[Output], bool], seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        await asyncio.sleep(min(self._printed, self._ends, deadline) - loop.time())
        if loop.time() >= self._printed:
            list(self.output.feed(self._text.encode()))
        if not ready(self.output):
            await asyncio.sleep(min(self._ends, deadline) - loop.time())
            if loop.time() >= self._ends:
                raise TunnelError(f"cloudflared ended, {await self.ended()}")
        return ready(self.output)

    async def ended(self) -> str:
        await asyncio.sleep(self._ends - asyncio.get_running_loop().time())
        return f"exit code 1, {self.said}"

    async def stop(self) -> None:
        self.stopped = True


class Starts:
    """Starts one run after another, and notes when."""

    def __init__(self, *makers: Callable[[], RunDouble]) -> None:
        self.times: list[float] = []
        self.runs: list[RunDouble] = []
        self._makers = list(makers)

    async def __call__(self) -> RunDouble:
        self.times.append(asyncio.get_running_loop().time())
        if not self._makers:
            await asyncio.Event().wait()
        self.runs.append(self._makers.pop(0)())
        return self.runs[-1]


def quick(address: str = ADDRESS) -> str:
    return BANNER + BOX.format(address) + REGISTERED


async def kept(tunnel: Tunnel, seconds: float) -> list[str]:
    """The addresses it has when it is opened again, within `seconds`."""
    addresses: list[str] = []
    await tunnel.open()
    keeping = asyncio.create_task(tunnel.keep(lambda: addresses.append(tunnel.address)))
    await asyncio.wait({keeping}, timeout=seconds)
    keeping.cancel()
    await asyncio.wait({keeping})
    await tunnel.close()
    return addresses


def test_the_address_is_that_of_media_streams() -> None:
    async def main() -> None:
        starts = Starts(lambda: RunDouble(quick(), delay=29.0))
        tunnel = Tunnel(starts, None)
        await tunnel.open()
        assert tunnel.address == FIRST
        await tunnel.close()
        assert starts.runs[0].stopped

    virtual(main())


def test_a_quick_tunnel_without_an_address_is_given_up_after_half_a_minute() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        starts, began = Starts(lambda: RunDouble(quick(), delay=31.0)), loop.time()
        with pytest.raises(TunnelError, match="no address of a quick tunnel within 30 s, its last line:"):
            await Tunnel(starts, None).open()
        assert loop.time() - began == pytest.approx(30.0)
        assert starts.runs[0].stopped

    virtual(main())


def test_a_refusal_is_told_with_what_to_do() -> None:
    async def main() -> None:
        starts = Starts(lambda: RunDouble(BANNER + TOO_MANY, lives=2.0))
        with pytest.raises(TunnelError) as caught:
            await Tunnel(starts, None).open()
        assert "exit code 1, its last line: failed to unmarshal quick Tunnel" in str(caught.value)
        assert "there were too many (429): wait some minutes, or use a named tunnel" in str(caught.value)
        assert starts.runs[0].stopped

    virtual(main())


def test_a_named_tunnel_has_its_address_once_it_is_connected() -> None:
    async def main() -> None:
        tunnel = Tunnel(Starts(lambda: RunDouble(REGISTERED, delay=3.0)), NAMED)
        await tunnel.open()
        assert tunnel.address == NAMED.address
        await tunnel.close()

    virtual(main())


def test_a_named_tunnel_that_does_not_connect_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        tunnel = Tunnel(Starts(lambda: RunDouble("ERR no route", delay=11.0)), NAMED)
        await tunnel.open()
        assert tunnel.address == NAMED.address
        await tunnel.close()

    virtual(main())
    assert "cloudflared has not connected within 10 s, and goes on trying" in caplog.text


def test_a_named_tunnel_without_its_files_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        starts = Starts(lambda: RunDouble("tunnel credentials file not found\n", lives=2.0))
        with pytest.raises(TunnelError) as caught:
            await Tunnel(starts, NAMED).open()
        assert "its last line: tunnel credentials file not found (the tunnel voice of .tunnel-config)" in str(
            caught.value
        )
        assert f"There is no {tmp_path}/.cloudflared/cert.pem: cloudflared tunnel login" in str(caught.value)

    monkeypatch.setenv("HOME", str(tmp_path))
    virtual(main())


def test_it_is_opened_again_with_a_new_address(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        starts = Starts(lambda: RunDouble(quick(), lives=100.0), lambda: RunDouble(quick(ANOTHER)))
        assert await kept(Tunnel(starts, None), 1000.0) == [SECOND]
        assert starts.times[1] - starts.times[0] == pytest.approx(101.0)
        assert all(run.stopped for run in starts.runs)

    virtual(main())
    assert "cloudflared ended, exit code 1, its last line: 2026-11-27T08:00:04Z INF Registered" in caplog.text


def test_the_pauses_grow_to_a_minute_and_begin_anew_once_it_was_steady() -> None:
    def failing() -> RunDouble:
        return RunDouble("failed\n", delay=0.0, lives=0.0)

    async def main() -> None:
        starts = Starts(
            lambda: RunDouble(quick(), lives=10.0),
            *[failing] * 8,
            lambda: RunDouble(quick(ANOTHER), delay=0.0, lives=60.0),
            lambda: RunDouble(quick(), delay=0.0),
        )
        assert await kept(Tunnel(starts, None), 2000.0) == [SECOND, FIRST]
        pauses = [later - before for before, later in zip(starts.times, starts.times[1:], strict=False)]
        assert pauses == pytest.approx([11, 2, 4, 8, 16, 32, 60, 60, 60, 61])

    virtual(main())


def test_a_run_that_never_says_its_address_is_ended_before_the_next() -> None:
    async def main() -> None:
        starts = Starts(
            lambda: RunDouble(quick(), lives=10.0), lambda: RunDouble("x\n"), lambda: RunDouble(quick(ANOTHER))
        )
        assert await kept(Tunnel(starts, None), 1000.0) == [SECOND]
        assert starts.times == pytest.approx([starts.times[0] + at for at in (0, 11, 43)])
        assert all(run.stopped for run in starts.runs)

    virtual(main())


def test_the_public_address_is_asked_until_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        answers = ["its name is not known here yet"] * 5 + ["the answer is 502"] * 2 + [None]

        async def ask(url: str) -> str | None:
            assert url == "https://voice.example.com/health"
            return answers.pop(0)

        assert await until_reachable("https://voice.example.com/health", ask)
        assert not answers

    caplog.set_level(logging.INFO)
    virtual(main())
    assert [record.message for record in caplog.records] == [
        "waiting for https://voice.example.com/health to answer: its name is not known here yet",
        "waiting for https://voice.example.com/health to answer: the answer is 502",
        "https://voice.example.com/health answers: the server is reached through the tunnel",
    ]


def test_a_public_address_that_never_answers_is_a_warning_after_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def ask(url: str) -> str | None:
            return "its name is not known here yet"

        loop = asyncio.get_running_loop()
        began = loop.time()
        assert not await until_reachable("https://voice.example.com/health", ask)
        assert loop.time() - began == pytest.approx(60.0)

    virtual(main())
    assert "has not answered within 60 s: its name is not known here yet. Callers may reach it" in caplog.text
