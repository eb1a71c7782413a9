"""The lag gauge: which processor blocked the event loop. On a real loop; only names are asserted."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from doubles import Script, make_call

from voiceflow import DTMF, Call, Frame, Processor, processor
from voiceflow.engine.loop_lag import LagGauge

BLOCK = 0.4
"""Seconds: long against the gauge's beat and tolerance, also on a busy machine."""


class BlockingStage(Processor):
    def process(self, frame: DTMF) -> DTMF:
        time.sleep(BLOCK)
        return frame


class BlockingTask(Processor):
    async def process(self, frame: DTMF) -> DTMF:
        time.sleep(BLOCK)  # noqa: ASYNC251
        return frame


class BlockingHelper(Processor):
    """Blocks in an object that it holds, as a client library does."""

    class Client:
        def fetch(self) -> None:
            time.sleep(BLOCK)

    def process(self, frame: DTMF) -> Iterator[DTMF]:
        self.Client().fetch()
        yield frame


@processor
def blocking_function(frame: DTMF) -> DTMF:
    time.sleep(BLOCK)
    return frame


@processor
async def blocking_coroutine(frame: DTMF) -> DTMF:
    time.sleep(BLOCK)  # noqa: ASYNC251
    return frame


@processor
def harmless(frame: Frame) -> Frame:
    return frame


def run_with_gauge(*elements: Processor, script: tuple[Frame | float, ...] = (DTMF("1"), 0.3)) -> LagGauge:
    async def main() -> LagGauge:
        with LagGauge() as gauge:
            await asyncio.sleep(0.1)  # let it beat

            def build(call: Call) -> Processor:
                pipeline = call.source
                for element in elements:
                    pipeline = pipeline | element
                return pipeline | call.sink

            await make_call(*script).run(build)
        return gauge

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (BlockingStage, "BlockingStage"),
        (BlockingTask, "BlockingTask"),
        (BlockingHelper, "BlockingHelper"),
        (blocking_function, "blocking_function"),
        (blocking_coroutine, "blocking_coroutine"),
    ],
)
def test_a_processor_that_blocks_the_loop_is_named(make, name, caplog):
    caplog.set_level(logging.WARNING, "voiceflow.engine.loop_lag")
    gauge = run_with_gauge(harmless(), make(), harmless())
    assert name in gauge.culprits
    assert f"{name} blocks the event loop" in caplog.text
    assert "harmless" not in gauge.culprits


def test_a_source_that_blocks_the_loop_is_named():
    class BlockingSource(Script):
        async def frames(self) -> AsyncIterator[Frame]:
            yield DTMF("1")
            time.sleep(BLOCK)  # noqa: ASYNC251
            yield DTMF("2")

    async def main() -> LagGauge:
        with LagGauge() as gauge:
            await asyncio.sleep(0.1)
            call = make_call()
            await Call(BlockingSource(), call.sink, transport="test").run(lambda c: c.source | harmless() | c.sink)
        return gauge

    assert "BlockingSource" in asyncio.run(main()).culprits


def test_what_blocks_and_is_no_processor_is_told_apart(caplog):
    caplog.set_level(logging.WARNING, "voiceflow.engine.loop_lag")

    async def main() -> LagGauge:
        with LagGauge() as gauge:
            await asyncio.sleep(0.1)
            time.sleep(BLOCK)  # noqa: ASYNC251
            await asyncio.sleep(0.1)
        return gauge

    gauge = asyncio.run(main())
    assert gauge.culprits == {}
    assert "not because of a processor" in caplog.text


def test_the_worst_lag_is_kept():
    gauge = run_with_gauge(BlockingStage())
    assert gauge.worst > 0.0
    assert gauge.culprits


def test_one_block_is_reported_once():
    assert run_with_gauge(BlockingStage()).culprits["BlockingStage"] == 1


def test_a_gauge_that_is_left_leaves_no_thread():
    run_with_gauge(harmless())
    assert not [thread for thread in threading.enumerate() if thread.name == "lag gauge"]
