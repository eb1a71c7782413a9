"""`voiceflow run` as a developer runs it: a process of its own, real requests, Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from pathlib import Path

import httpx
import pytest
from server.running import Running, running
from server.serving import FROM, MULAW, SPEECH, TO, TUNNEL, begin, call_id, carrier, closing, dialled, parameters
from twilio.request_validator import RequestValidator
from websockets.exceptions import ConnectionClosed

from voiceflow.simulator.caller import Load
from voiceflow.simulator.script import write
from voiceflow.sounds.wavfile import read_wav

RECORDING = Path(__file__).parent.parent / "data" / "speech.wav"
BACKWARDS = """
from voiceflow import AudioFormat, AudioRaw, Processor

class Backwards(Processor):
    accepts = produces = AudioFormat("mulaw", 8_000)

    def process(self, frame: AudioRaw) -> AudioRaw:
        return AudioRaw(frame.data[::-1], frame.format)

def pipeline(call):
    return call.source | Backwards() | call.sink
"""


@pytest.mark.parametrize("options", [[], ["--workers", "2"], ["--reload"]], ids=" ".join)
def test_ctrl_c_ends_it_well_and_tells_its_calls(options: list[str], tmp_path: Path) -> None:
    async def main(server: Running) -> None:
        caller = carrier()
        async with dialled(server.media) as websocket:
            await begin(websocket, caller)
            await websocket.recv()
            stopping = asyncio.create_task(asyncio.to_thread(server.interrupt))
            assert await closing(websocket) == (1012, "")  # "service restart"
            assert await stopping == 0

    with running(tmp_path, *options) as server:
        asyncio.run(main(server))
        assert f"from +1...{FROM[-4:]} to +1...{TO[-4:]} by twilio" in server.log
        assert "ended: the server stops: it closed the stream, code 1012" in server.log
        assert "Traceback" not in server.log


def test_ctrl_c_does_not_wait_for_a_peer_that_does_not_answer(tmp_path: Path) -> None:
    async def main(server: Running) -> None:
        async with dialled(server.media) as websocket:
            for message in carrier().hello():
                await websocket.send(message)
            await server.until_logged("by twilio")
            websocket.transport.pause_reading()
            assert await asyncio.to_thread(server.interrupt) == 0
            websocket.transport.abort()

    with running(tmp_path) as server:
        asyncio.run(main(server))


def test_a_change_counts_after_a_reload_and_a_mistake_is_one_line(tmp_path: Path) -> None:
    async def main(server: Running) -> None:
        file = tmp_path / "sources" / "file.py"
        await server.until_heard(SPEECH)
        file.write_text("\n1 / 0\n")
        await server.until_logged("ERROR voiceflow.server: file.py, line 2: ZeroDivisionError: division by zero\n")
        file.write_text(BACKWARDS)
        await server.until_heard(SPEECH[::-1])

    with running(tmp_path, "--reload") as server:
        asyncio.run(main(server))
        assert server.interrupt() == 0
        assert "Traceback" not in server.log


def test_a_process_that_starts_anew_opens_to_no_number_what_was_closed(tmp_path: Path) -> None:
    config = tmp_path / "numbers.yaml"

    async def main(server: Running) -> None:
        await server.until_heard(SPEECH)
        config.write_text("")  # as an editor leaves it for a moment
        (tmp_path / "sources" / "file.py").write_text(BACKWARDS)
        for attempt in itertools.count(1):
            if f"no route for the number +1...{TO[-4:]}" in server.log:
                break
            assert await server.hears() in (SPEECH, b"")  # the old process knows the number, the new one none
            await asyncio.sleep(0.05)
            if not attempt % 100:  # the change came before it was watched for
                (tmp_path / "sources" / "file.py").write_text(BACKWARDS)
        config.write_text(f"dids:\n  '{TO}':\n")
        await server.until_heard(SPEECH[::-1])

    config.write_text(f"dids:\n  '{TO}':\n")
    with running(tmp_path, "--reload", "-c", str(config)) as server:
        asyncio.run(asyncio.wait_for(main(server), 60))


def test_workers_answer_a_signed_webhook_alike_and_let_one_stream_in(tmp_path: Path) -> None:
    url = "https://calls.example.com/sip/twilio/answer"

    async def main(server: Running) -> None:
        for number in range(4):  # which of the workers takes each connection is up to the system
            form = {"CallSid": call_id(number=number), "From": FROM, "To": TO}
            signature = {"X-Twilio-Signature": RequestValidator("12345").compute_signature(url, form)}

            async def token(form: dict[str, str] = form, signature: dict[str, str] = signature) -> str:
                async with httpx.AsyncClient(headers=TUNNEL | signature) as client:
                    return parameters(await client.post(f"{server.http}/sip/twilio/answer", data=form))["token"]

            async def refusal(once: str, call_sid: str = form["CallSid"]) -> str | None:
                async with dialled(server.media, additional_headers=TUNNEL) as websocket:
                    caller = carrier(call_sid=call_sid, token=once)
                    await begin(websocket, caller)
                    try:
                        assert caller.receive(await websocket.recv())
                    except ConnectionClosed:
                        return (await closing(websocket))[1]
                    return None

            tokens = await asyncio.gather(*(token() for _ in range(6)))
            assert len(set(tokens)) == 1
            refusals = await asyncio.gather(*(refusal(once) for once in tokens))
            assert sorted(map(str, refusals)) == ["None"] + ["refused"] * 5

    config = tmp_path / "voiceflow.yaml"
    config.write_text("provider_config: {twilio: {auth_token: '12345'}}\n")
    options = "--workers", "2", "--ws-url", "wss://calls.example.com/sip/media-stream", "-c", str(config)
    with running(tmp_path, *options) as server:
        asyncio.run(main(server))
        assert server.interrupt() == 0
        assert "the stream token was used before" in server.log


@pytest.mark.slow
def test_fifty_calls_lose_nothing(tmp_path: Path) -> None:
    """Ten seconds of each: what every caller says comes back whole. How late is for the benchmarks to say."""
    script = write(read_wav(RECORDING), MULAW, seconds=10.0)

    async def main(server: Running) -> Load:
        load = Load(server.media, [carrier(call_sid=call_id(number=number)) for number in range(50)], script)
        await load.run()
        return load

    with running(tmp_path) as server:
        load = asyncio.run(main(server))
        assert server.interrupt() == 0
        assert "dropped" not in server.log
    piece = MULAW.bytes_for(0.02)
    for caller in load.callers:
        assert caller.ended is not None
        assert not caller.ended.failed
        assert caller.number == 500
        assert caller.player.size >= (caller.number - 100) * piece  # what is late may still be on its way
    assert load.tally.not_echoes == 0
    assert not load.tally.refusals


def test_silent_peers_take_no_files_that_calls_need(tmp_path: Path) -> None:
    with running(tmp_path, files=256) as server, contextlib.ExitStack() as stack:
        port = int(server.http.rpartition(":")[2])
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert asyncio.run(server.hears()) == SPEECH
        assert asyncio.run(server.hears()) == SPEECH
