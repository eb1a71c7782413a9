"""Our end of Twilio's protocol against a simulator of Twilio by others, `streamdouble`: its authors read the
documentation independently of us. What it calls a violation is something that Twilio's documentation calls wrong."""

from __future__ import annotations

from collections.abc import Iterator

from server.serving import run, serving, until
from streamdouble import api
from streamdouble.chaos import Impairments
from streamdouble.session import SessionConfig

from voiceflow import DTMF, AudioRaw, Call, Mark, Processor
from voiceflow.audio import AudioFormat

MULAW = AudioFormat("mulaw", 8_000)
FRAMES = [bytes([number, *[255] * 159]) for number in range(50)]
"""A second of audio, in which each piece can be told from the others."""


class Greeter(Processor):
    """Says two sentences when it first hears the caller."""

    produces = MULAW

    def __init__(self) -> None:
        self.said = False
        self.played: list[str] = []

    def process(self, frame: AudioRaw | DTMF) -> Iterator[AudioRaw | Mark]:
        if not self.said:
            self.said = True
            for sentence in ("one", "two"):
                yield Mark(sentence)
                yield AudioRaw(b"\x80" * MULAW.bytes_for(0.3), MULAW)
                yield Mark()

    def on_played(self, mark: Mark) -> None:
        self.played.append(mark.text)


def patient(**settings: object) -> SessionConfig:
    return SessionConfig(quiet_period_s=0.5, **settings)  # type: ignore[arg-type]


def test_every_frame_comes_back_in_order_and_nothing_violates_the_protocol() -> None:
    async def main() -> None:
        async with serving() as served:
            report = await api.call(served.media, frames=FRAMES, config=patient())
            await served.at_rest()
        assert report.passed, report.violations
        assert report.result.media_frames_received == report.result.frames_sent == len(FRAMES)
        assert report.audio_received == b"".join(FRAMES)
        assert not report.result.unknown_events

    run(main())


def test_marks_are_asked_for_and_their_echoes_are_understood() -> None:
    greeter = Greeter()

    def build(call: Call) -> Processor:
        return call.source | greeter | call.sink

    async def main() -> None:
        async with serving(build) as served:
            report = await api.call(served.media, frames=FRAMES, config=patient())
            await served.at_rest()
        assert report.passed, report.violations
        assert report.result.marks_received
        assert report.result.marks_echoed == report.result.marks_received
        assert greeter.played == ["one", "two"]
        assert len(report.audio_received) == MULAW.bytes_for(0.6)

    run(main())


def test_a_bad_line_ends_no_call() -> None:
    bad = Impairments(loss=0.2, jitter_ms=40.0)

    async def main() -> None:
        async with serving() as served:
            report = await api.call(served.media, frames=FRAMES, config=patient(impairments=bad))
            await until(lambda: not served.server.calls.active)
        assert report.passed, report.violations
        assert report.result.frames_dropped
        heard = report.audio_received
        came = [frame for frame in FRAMES if frame in heard]
        assert len(came) == len(FRAMES) - report.result.frames_dropped

    run(main())
