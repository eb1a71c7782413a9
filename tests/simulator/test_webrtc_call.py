"""`voiceflow call --as webrtc`: the browser-like caller, against our server and against servers that misbehave.

In real time: there is no virtual clock in a peer connection. So nothing is said about how long anything took.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import aiortc
import numpy as np
import pytest
from cli.refusals import refusal
from click.testing import CliRunner, Result
from server.serving import run, until
from server.serving import serving as served
from simulator.pages import TONE, answering, conducting
from simulator.relay import SECRET, coturn, needs_coturn
from simulator.servers import Serve, in_thread, serving
from webrtc.sounds import likeness_of_parts
from websockets.asyncio.server import ServerConnection

from voiceflow import DTMF, Clear, Processor, ProviderConnectionError
from voiceflow.cli.call import call
from voiceflow.config.ice import Coturn
from voiceflow.config.settings import Config
from voiceflow.simulator import browser
from voiceflow.simulator.browser import BrowserCaller, BrowserLoad
from voiceflow.simulator.load import CallOutcome
from voiceflow.simulator.record import decoded
from voiceflow.simulator.report import Said, TurnDurations
from voiceflow.simulator.script import PERFECT, Network, Script, write
from voiceflow.sounds.wavfile import read_wav
from voiceflow.transports.media_stream import FAILURE
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.opus import FORMAT
from voiceflow.transports.webrtc.session import PeerSession

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"


def script(seconds: float | None, *, network: Network = PERFECT, digits: str = "", at: float | None = None) -> Script:
    speech = None if digits else read_wav(SPEECH)
    return write(speech, FORMAT, seconds=seconds, digits=digits, barge_in_at=at, network=network)


async def conduct(handler: Serve, script: Script) -> BrowserLoad:
    async with serving(handler) as url:
        load = BrowserLoad(url, 1, script)
        await load.run()
        return load


def only(load: BrowserLoad) -> BrowserCaller:
    (caller,) = load.callers
    return caller


def echoed(load: BrowserLoad) -> float:
    """How alike what the first caller was sent is to what that caller said, in short parts: a busy machine puts gaps
    between them."""
    caller = load.callers[0]
    said = decoded(b"".join(map(load.script.piece, range(caller.number))), FORMAT)
    return likeness_of_parts(said.samples, caller.player.recording, seconds=0.2)


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(call, [str(argument) for argument in arguments], prog_name="voiceflow call")


# -- calls


def test_an_echo_is_heard_by_each_caller_and_the_first_is_recorded() -> None:
    async def main() -> None:
        async with served() as server:
            load = BrowserLoad(server.http, 2, script(1.5))
            await load.run()
            await server.at_rest()
        assert [caller.ended and caller.ended.reason for caller in load.callers] == ["hung up"] * 2
        assert [caller.number for caller in load.callers] == [75, 75]
        assert echoed(load) > 0.5
        assert [bool(caller.player.recording) for caller in load.callers] == [True, False]
        assert load.tally.sent == 150

    run(main())


def open_connections() -> list[aiortc.RTCPeerConnection]:
    """Those of the whole process: a closed one may live on in a record of the log."""
    gc.collect()
    known = [thing for thing in gc.get_objects() if type(thing) is aiortc.RTCPeerConnection]
    return [connection for connection in known if connection.connectionState != "closed"]


def test_nothing_is_left_of_a_call_even_if_the_server_does_not_close_it() -> None:
    async def main() -> None:
        left = asyncio.Event()
        open_then: list[aiortc.RTCPeerConnection] = []

        async def stubborn(socket: ServerConnection) -> None:
            async with answered(socket) as connection:
                await left.wait()
                open_then.extend(peer for peer in open_connections() if peer not in [*before, connection])

        async with serving(stubborn) as url:
            try:
                await BrowserLoad(url, 1, script(0.3)).run()
            finally:
                left.set()
        assert open_then == []

    before = open_connections()
    run(main())
    assert [peer for peer in open_connections() if peer not in before] == []


@contextlib.asynccontextmanager
async def answered(socket: ServerConnection) -> AsyncIterator[aiortc.RTCPeerConnection]:
    """A server of which no audio comes, and which does not hear what it is told."""
    await socket.recv()
    await socket.send('{"type": "hello_ack"}')
    connection = aiortc.RTCPeerConnection()
    try:
        sdp = json.loads(await socket.recv())["sdp"]
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(sdp, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        await socket.send(json.dumps({"type": "webrtc_answer", "sdp": connection.localDescription.sdp}))
        yield connection
    finally:
        await connection.close()


def test_what_the_network_does_to_the_caller_is_concealed_by_the_server() -> None:
    async def main() -> None:
        async with served() as server:
            load = BrowserLoad(server.http, 1, script(2.0, network=Network(loss=0.05, jitter=0.03, reorder=0.1)))
            await load.run()
            await server.at_rest()
        assert echoed(load) > 0.4

    run(main())


def test_the_caller_hangs_up_once_all_is_said_and_the_agent_is_quiet() -> None:
    async def agent(session: PeerSession) -> None:
        session.queue.put(TONE * 90)

    async def main() -> None:
        load = await conduct(conducting(agent), script(None, digits="1"))
        assert only(load).ended == CallOutcome("hung up")
        assert only(load).seconds > 2.5  # 1.8 s of tone, and a second of quiet; begun before our connection stood

    run(main())


class Keys(Processor):
    """Notes which keys are pressed."""

    pressed: ClassVar[list[str]] = []

    async def process(self, frame: DTMF) -> AsyncIterator[Clear]:
        self.pressed.append(frame.digit)
        yield Clear()


def test_keys_reach_the_server_over_the_data_channel() -> None:
    async def main() -> None:
        async with served(lambda call: call.source | Keys() | call.sink) as server:
            load = BrowserLoad(server.http, 1, script(0.8, digits="1#", at=0.2))
            await load.run()
        assert Keys.pressed == ["1", "#"]
        assert load.tally.clears >= 2  # one more, if the server's end comes in time
        assert load.tally.clear.quantiles() is not None

    run(main())


def test_the_agent_is_muted_from_clear_until_it_speaks_again() -> None:
    async def main() -> None:
        async def agent(session: PeerSession) -> None:
            session.queue.put(TONE * 500)
            session.channel.tell(messages.PageState("speaking"))
            await load.begun.wait()
            phone = only(load)
            await until(lambda: phone.player.size > 10 * len(TONE))
            session.channel.tell(messages.PageClear())
            await until(lambda: bool(load.tally.clears))
            muted_at.append(phone.player.size)
            await until(lambda: phone.player.size > muted_at[0] + 10 * len(TONE))
            session.channel.tell(messages.PageState("speaking"))

        muted_at: list[int] = []
        async with serving(conducting(agent)) as url:
            load = BrowserLoad(url, 1, script(1.5, at=0.1))
            await load.run()
        loud = np.abs(np.frombuffer(only(load).player.recording, "<i2")) > 2000
        muted, meanwhile = muted_at[0] // 2, 10 * len(TONE) // 2
        assert loud[:muted].any()
        assert not loud[muted : muted + meanwhile].any()
        assert loud[muted + meanwhile :].any()
        assert load.tally.clear.quantiles() is not None

    run(main())


def test_the_conversation_and_each_turns_latency_are_kept() -> None:
    async def agent(session: PeerSession) -> None:
        for message in (
            messages.PageTranscript("good mor", False),
            messages.PageTranscript("good morning", True),
            messages.PageReply(1, "Hello there, how", "", False, False),
            messages.PageLatency(1, {"endpoint": 0.5, "recognition": 0.25}),
            messages.PageReply(1, "Hello there, how are you?", "Hello there,", True, True),
            messages.PageReply(2, "Go on.", "", False, False),
        ):
            session.channel.tell(message)

    async def main() -> None:
        load = await conduct(conducting(agent), script(0.5))
        assert only(load).conversation == [
            Said("caller", "good morning"),
            Said("agent", "Hello there,", interrupted=True),
            Said("agent", "Go on."),
        ]
        assert only(load).turns == [TurnDurations(750.0, {"endpoint": 500.0, "recognition": 250.0})]
        turns = load.tally.turn.quantiles()
        assert turns is not None
        assert turns.p50 == pytest.approx(750, abs=1)

    run(main())


@pytest.mark.parametrize(("reason", "failed"), [("hung up", False), (FAILURE, True)])
def test_a_server_that_ends_the_call_says_why(reason: str, failed: bool) -> None:
    async def agent(session: PeerSession) -> None:
        session.channel.tell(messages.PageEnded(reason))

    async def main() -> None:
        load = await conduct(conducting(agent), script(10))
        assert only(load).ended == CallOutcome(f"the server ended the call: {reason}", failed)

    run(main())


def test_a_connection_that_the_server_just_closes_is_a_call_that_failed() -> None:
    async def agent(session: PeerSession) -> None:
        pass

    async def main() -> None:
        load = await conduct(conducting(agent, waits=False), script(10))
        assert only(load).ended == CallOutcome("the server closed the connection", True)

    run(main())


def test_a_server_of_which_no_audio_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "VANISHED", 0.6)

    async def mute(socket: ServerConnection) -> None:
        async with answered(socket):
            await socket.recv()

    async def main() -> None:
        load = await conduct(mute, script(10))
        assert only(load).ended == CallOutcome("no audio came from the server for 0.6 s", True)

    run(main())


def test_a_call_that_is_stopped_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with served() as server:
            load = BrowserLoad(server.http, 1, script(10))
            calling = asyncio.create_task(load.run())
            await load.begun.wait()
            calling.cancel()
            await asyncio.wait({calling})
            await server.at_rest()

    run(main())


@pytest.mark.parametrize("moment", [0.02, 0.05, 0.1, 0.2])
def test_a_call_that_is_stopped_while_it_begins_leaves_nothing_behind(moment: float) -> None:
    async def main() -> None:
        async with served() as server:
            calling = asyncio.create_task(BrowserLoad(server.http, 1, script(10)).run())
            await asyncio.wait({calling}, timeout=moment)
            calling.cancel()
            await asyncio.wait({calling})
            await server.at_rest()

    run(main())


# -- through a TURN server


@needs_coturn
def test_a_call_is_carried_where_only_relay_candidates_are_offered(tmp_path: Path) -> None:
    async def main() -> None:
        with coturn(tmp_path) as address:
            config = Config(ice=(Coturn(urls=(f"turn:{address}",), secret=SECRET),))
            async with served(config=config) as server:
                load = BrowserLoad(server.http, 1, script(1.5), relay_only=True)
                await load.run()
                await server.at_rest()
        assert only(load).ended == CallOutcome("hung up")
        assert echoed(load) > 0.5

    run(main())


@needs_coturn
def test_with_a_wrong_secret_no_relay_is_had_and_that_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        with coturn(tmp_path) as address:
            config = Config(ice=(Coturn(urls=(f"turn:{address}",), secret="south"),))
            async with served(config=config) as server:
                with pytest.raises(ProviderConnectionError, match=r"no way from here: .*doctor --ice"):
                    await BrowserLoad(server.http, 1, script(1), relay_only=True).run()

    run(main())


# -- the command


def test_the_command_reports_a_browsers_call_for_machines_and_records_it(tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    with in_thread(served()) as server:
        result = cli(server.http, "--play", SPEECH, "--seconds", "2", "--record", heard, "--mono", "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert (found["provider"], found["codec"], found["calls"], found["failed"]) == ("webrtc", "Opus 48000 Hz", 1, 0)
    assert found["ended"] == [{"reason": "hung up", "failed": False, "count": 1}]
    assert found["heard"]["correlation_without_gaps"] > 0.5
    assert found["delay_ms"]["count"] > 0
    assert found["jitter_ms"]["count"] > 50
    assert (found["marks"], found["turn_ms"], found["turns"], found["conversation"]) == (None, None, [], [])
    assert read_wav(heard).format is FORMAT


def test_the_table_shows_what_was_said() -> None:
    async def agent(session: PeerSession) -> None:
        session.channel.tell(messages.PageTranscript("good morning", True))
        session.channel.tell(messages.PageReply(1, "Hello!", "Hello", True, True))
        session.channel.tell(messages.PageLatency(1, {"endpoint": 0.5}))

    with in_thread(serving(conducting(agent))) as url:
        result = cli(url, "--as", "webrtc", "--seconds", "0.6")
    assert result.exit_code == 0, result.stderr
    for words in ("as webrtc, Opus", "good morning", "Hello (interrupted)", "1, from voice to voice 5", "packets"):
        assert words in result.stdout
    assert "marks" not in result.stdout


def test_a_call_that_fails_is_exit_code_1() -> None:
    async def agent(session: PeerSession) -> None:
        session.channel.tell(messages.PageEnded(FAILURE))

    with in_thread(serving(conducting(agent))) as url:
        result = cli(url, "--as", "webrtc")
    assert result.exit_code == 1
    assert FAILURE in result.stdout


# -- what cannot begin


def test_the_secret_of_a_link_is_not_shown() -> None:
    async def refuses(websocket: ServerConnection) -> None:
        await websocket.close(1008, "refused")

    with in_thread(serving(refuses)) as url:
        assert "of-ours" not in cli(f"{url}?token=token-of-ours", "--as", "webrtc").output
        assert "of-ours" not in cli(f"{url}?token=token-of-ours", "--seconds", "0.2").output
        assert "of-ours" not in cli(f"{url}?token=token-of-ours", "--seconds", "0.2", "--json").output


def test_where_nothing_listens_is_one_line() -> None:
    assert refusal(cli("http://127.0.0.1:1")).startswith("nothing listens on 127.0.0.1 port 1: start a server there")


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        ({}, "no call: the server closed the connection: not you"),
        (
            {"hello": {"type": "hello_ack"}, "webrtc_offer": {"type": "error", "message": "no aiortc"}},
            "no call: the server says: no aiortc",
        ),
        ({"hello": {"type": "hello_ack", "ice_servers": [{}]}}, "the server's ICE servers cannot be used: expected"),
        (
            {"hello": {"type": "hello_ack"}, "webrtc_offer": {"type": "webrtc_answer", "sdp": "junk"}},
            "the server's answer cannot be used: ",
        ),
    ],
)
def test_a_server_that_takes_no_call_is_one_line(answers: dict[str, dict[str, Any]], line: str) -> None:
    with in_thread(serving(answering(**answers))) as url:
        assert refusal(cli(url, "--as", "webrtc")).startswith(line)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--codec", "PCMU"], "--codec is a carrier's: a browser speaks Opus"),
        (["--rate", "16000"], "--rate is a carrier's"),
        (["--vanish-after", "1"], "--vanish-after is a carrier's"),
        (["--token", "abc"], "--token is a carrier's"),
        (["--call-id", "CA1"], "--call-id is a carrier's"),
        (["--from", "+12025550111"], "--from is a carrier's"),
        (["--to", "+12025550111"], "--to is a carrier's"),
        (["--play", "missing.wav"], "missing.wav does not exist"),
    ],
)
def test_what_a_browser_does_not_have_is_refused(options: list[str], words: str) -> None:
    assert words in refusal(cli("http://127.0.0.1:1", *options))


def test_another_address_is_refused_with_an_example() -> None:
    assert "expected one such as http://127.0.0.1:8000" in refusal(cli("127.0.0.1:8000", "--as", "webrtc"))


def test_without_aiortc_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiortc", None)
    for name in [
        name for name in sys.modules if name.startswith(("aiortc.", "voiceflow.simulator.", "voiceflow.cli.call"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    assert "pip install 'voiceflow-pipelines[webrtc]'" in refusal(cli("http://127.0.0.1:1"))
