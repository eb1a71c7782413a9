"""What the media sink writes to a peer that reads, that does not, and that is gone: in virtual time, with no socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import ClassVar

import pytest
from doubles import virtual
from server.serving import MULAW, SPEECH, carrier

from voiceflow import Call
from voiceflow.transports import websocket as media
from voiceflow.transports.carriers.twilio.stream import TwilioStream
from voiceflow.transports.dry_call import nominal_call
from voiceflow.transports.media_stream import MediaSink, MediaSource


class Peer:
    """The ASGI side of a socket: takes what it is sent, unless it is stuck or gone."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.gone = False
        self.sent: list[dict[str, object]] = []

    async def receive(self) -> dict[str, object]:
        raise NotImplementedError

    async def send(self, message: MutableMapping[str, object]) -> None:
        await self.reads.wait()
        if self.gone:
            raise OSError
        self.sent.append(dict(message))

    @property
    def texts(self) -> list[object]:
        return [message["text"] for message in self.sent if "text" in message]


class Control:
    """A carrier's REST interface."""

    digits_end_stream: ClassVar[bool] = False

    def __init__(self) -> None:
        self.hung_up = False

    async def hangup(self) -> bool:
        self.hung_up = True
        return True

    async def transfer(self, to: str) -> bool:
        raise NotImplementedError

    async def send_digits(self, digits: str) -> bool:
        raise NotImplementedError


def with_sink(use: Callable[[Peer, MediaSink, Control], Awaitable[None]]) -> None:
    """Run `use` on a sink that is being written, in virtual time: at once where that is possible, and by a task."""

    async def main(at_once: bool) -> None:
        peer, control = Peer(), Control()
        stream = TwilioStream()
        for message in carrier().hello():
            stream.receive(message)
        outlet = media.Socket(peer.receive, peer.send, at_once=at_once)
        writing = asyncio.create_task(outlet.run())
        sink = MediaSink(MULAW, outlet, stream, control)
        sink.call = nominal_call("twilio")
        await use(peer, sink, control)
        writing.cancel()
        await asyncio.wait({writing})
        assert writing.cancelled() or writing.exception() is None

    virtual(main(at_once=True))
    virtual(main(at_once=False))


def test_all_that_was_said_leaves_before_the_stream_is_closed() -> None:
    async def use(peer: Peer, sink: MediaSink, control: Control) -> None:
        peer.reads.set()
        sink.write_audio(SPEECH)
        sink.write_mark("end")
        await sink.hangup()
        assert len(peer.texts) == 2
        assert peer.sent[2:] == [{"type": "websocket.close", "code": 1000, "reason": "hung up"}]
        assert control.hung_up
        await sink.hangup()
        assert len(peer.sent) == 3  # what is closed is not closed again: uvicorn raises

    with_sink(use)


@pytest.mark.parametrize("gone", [False, True], ids=["does not read", "is gone"])
def test_a_carrier_whose_stream_is_stuck_is_hung_up_all_the_same(gone: bool) -> None:
    async def use(peer: Peer, sink: MediaSink, control: Control) -> None:
        peer.gone = gone
        if gone:
            peer.reads.set()
        sink.write_audio(SPEECH)
        await sink.hangup()
        assert control.hung_up
        assert asyncio.get_running_loop().time() == (0 if gone else 2 * media.GOODBYE)  # to leave, and to be closed
        sink.write_audio(SPEECH)  # a closed stream is a state, not an error
        await sink.hangup()

    with_sink(use)


def test_a_caller_on_hold_from_whom_nothing_comes_for_minutes_is_still_there() -> None:
    class OnHold(Peer):
        async def receive(self) -> dict[str, object]:
            await asyncio.sleep(250.0)
            return {"type": "websocket.disconnect", "code": 1000}

    async def main() -> None:
        peer, stream = OnHold(), TwilioStream()
        for message in carrier().hello():
            stream.receive(message)
        outlet = media.Socket(peer.receive, peer.send)
        sink = MediaSink(MULAW, outlet, stream, None)
        call = Call(MediaSource(MULAW, outlet, stream, [], sink), sink, transport="twilio")
        ended = await call.run(lambda call: call.source | call.sink)
        assert ended.reason == "the peer closed the stream, code 1000"
        assert asyncio.get_running_loop().time() == pytest.approx(250.0)

    virtual(main())


def test_a_clear_overtakes_all_that_has_not_left() -> None:
    async def use(peer: Peer, sink: MediaSink, control: Control) -> None:
        for _ in range(3):
            sink.write_audio(SPEECH)
            await asyncio.sleep(0)  # the first of them is on its way, and stuck
        sink.write_clear()
        sink.write_mark("next")
        peer.reads.set()
        await sink.hangup()
        events = [json.loads(str(text))["event"] for text in peer.texts]
        assert events == ["media", "clear", "mark"]

    with_sink(use)
