"""pipecat's side of the wire: its FastAPI transport with its Twilio serializer, in its fastest documented
configuration. wire.py runs it, in an environment that has pipecat.

    python benchmarks/pipecat_echo.py PORT [--rate HZ] [--more COUNT] [--speak]

The worker runs without RTVI, turn tracking and idle timeout, under the uvicorn settings of our server. Its pieces are
40 ms, pipecat's default, which is half the work of 20 ms. At a key it prints how many tasks the process has; with
--speak, a key interrupts ten seconds of speech and begins them anew.
"""

# mypy: disable-error-code="import-not-found,misc,untyped-decorator"
from __future__ import annotations

import argparse
import asyncio
import json

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.frames.frames import Frame, InputAudioRawFrame, InputDTMFFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

SPEECH_SECONDS = 10


class Pass(FrameProcessor):
    """Passes every frame on."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class Echo(FrameProcessor):
    """Sends the audio back that came in, and prints the number of tasks at a key."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            echo = OutputAudioRawFrame(audio=frame.audio, sample_rate=frame.sample_rate, num_channels=1)
            await self.push_frame(echo)
        elif isinstance(frame, InputDTMFFrame):
            print(len(asyncio.all_tasks()), flush=True)
        else:
            await self.push_frame(frame, direction)


class Announcement(FrameProcessor):
    """Speaks at each key, after an interruption of what it was saying."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputDTMFFrame):
            await self.broadcast_interruption()
            speech = bytes(2 * 16_000 * SPEECH_SECONDS)
            await self.push_frame(OutputAudioRawFrame(audio=speech, sample_rate=16_000, num_channels=1))
        elif not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)


def application(rate: int, more: int, speak: bool) -> FastAPI:
    """A server whose calls run at `rate` Hz, through `more` processors that only pass frames on."""
    app = FastAPI()

    @app.websocket("/sip/media-stream")
    async def stream(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()  # connected
        start = json.loads(await websocket.receive_text())
        transport = FastAPIWebsocketTransport(
            websocket=websocket,
            params=FastAPIWebsocketParams(
                audio_in_enabled=True,
                audio_out_enabled=True,
                audio_out_end_silence_secs=0,
                serializer=TwilioFrameSerializer(
                    start["streamSid"], params=TwilioFrameSerializer.InputParams(auto_hang_up=False)
                ),
            ),
        )
        worker = PipelineWorker(
            Pipeline(
                [
                    transport.input(),
                    *(Pass() for _ in range(more)),
                    Announcement() if speak else Echo(),
                    transport.output(),
                ]
            ),
            params=PipelineParams(audio_in_sample_rate=rate, audio_out_sample_rate=rate),
            enable_rtvi=False,
            enable_turn_tracking=False,
            idle_timeout_secs=None,
        )

        @transport.event_handler("on_client_disconnected")
        async def on_client_disconnected(transport: FastAPIWebsocketTransport, client: WebSocket) -> None:
            await worker.cancel()

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()

    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=int, default=8_000)
    parser.add_argument("--more", type=int, default=0)
    parser.add_argument("--speak", action="store_true")
    chosen = parser.parse_args()
    logger.remove()
    uvicorn.run(
        application(chosen.rate, chosen.more, chosen.speak),
        port=chosen.port,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
