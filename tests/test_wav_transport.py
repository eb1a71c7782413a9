"""A call from a file to a file: when caller and agent speak, on the loop's clock, and what is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import numpy as np
import pytest

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.call import Call
from voiceflow.frames import AudioRaw, Clear, End, SpeechStarted
from voiceflow.pipeline import Pipeline
from voiceflow.processor import Processor
from voiceflow.testing.virtualloop import VirtualLoop
from voiceflow.transports.wav import WavSink, WavSource


def noise(seconds: float, audio_format: AudioFormat = CANONICAL) -> AudioRaw:
    shape = round(seconds * audio_format.rate) * audio_format.channels
    samples = np.random.default_rng(7).integers(-20_000, 20_000, shape)
    return AudioRaw(samples.astype("<i2").tobytes(), audio_format)


def run(said: AudioRaw, *processors: Processor) -> tuple[WavSource, AudioRaw, str]:
    """The source after the call, what was heard, and why the call ended."""
    source = WavSource(said)
    sink = WavSink(source)

    def build(call: Call) -> Pipeline:
        return Pipeline(call.source, *processors, call.sink)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        ended = runner.run(Call(source, sink, transport="wav").run(build))
    assert ended.error is None
    return source, sink.heard(), ended.reason


class Listener(Processor):
    """Notes when audio arrives, in seconds from the call's zero, and passes it on."""

    def __init__(self) -> None:
        self.arrived: list[tuple[float, int]] = []

    def process(self, frame: AudioRaw) -> AudioRaw:
        source = self.call.source
        assert isinstance(source, WavSource)
        self.arrived.append((round(source.elapsed, 6), len(frame.data) // 2))
        return frame


class Agent(Processor):
    """Ignores what the caller says, and speaks when `due` (seconds of caller audio, what to say) has come."""

    speaks = True

    def __init__(self, due: Callable[[float], AudioRaw | None]) -> None:
        self.due = due
        self.heard = 0.0

    async def process(self, frame: AudioRaw) -> AsyncIterator[AudioRaw]:
        self.heard += frame.duration
        said = self.due(round(self.heard, 6))
        if said is not None:
            yield said


class Interrupter(Processor):
    """Interrupts after so many seconds of caller audio."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.heard = 0.0

    def process(self, frame: AudioRaw) -> Iterator[AudioRaw | Clear]:
        self.heard += frame.duration
        yield frame
        if round(self.heard, 6) == self.at:
            yield Clear()


def at(second: float, said: AudioRaw) -> Callable[[float], AudioRaw | None]:
    return lambda now: said if now == second else None


def seconds(audio: AudioRaw, start: float, end: float) -> bytes:
    return audio.data[audio.format.bytes_for(start) : audio.format.bytes_for(end)]


def test_a_frame_leaves_when_a_microphone_would_have_its_last_sample() -> None:
    listener = Listener()
    run(noise(0.07), listener)
    assert listener.arrived[:5] == [(0.02, 320), (0.04, 320), (0.06, 320), (0.07, 160), (0.09, 320)]


def test_awkward_rates_do_not_drift() -> None:
    source, _, _ = run(noise(60, AudioFormat("pcm16", 11_025)))
    assert source.position == pytest.approx(61, abs=0.02)


@pytest.mark.parametrize("force", [False, True])
def test_an_echo_is_hung_up_though_the_recording_goes_on(force: bool) -> None:
    class Leaves(Processor):
        """Hangs up when a second has been heard."""

        def process(self, frame: AudioRaw) -> AudioRaw:
            assert isinstance(self.call.source, WavSource)
            if self.call.source.position == 1.0:
                self.call.start(lambda: self.call.hangup(force=force), "hanging up")
            return frame

    source, _, reason = run(noise(30.0), Leaves())
    assert reason == "hung up"
    assert source.position < 1.0 + 1.0 + 0.3


def test_the_caller_keeps_silent_for_a_second_and_hangs_up() -> None:
    source, heard, reason = run(noise(0.5))
    assert source.position == pytest.approx(1.5)
    assert reason == "the caller hung up"
    assert not any(seconds(heard, 0.52, 9))


def test_an_echo_is_heard_one_frame_later_sample_for_sample() -> None:
    said = noise(0.5)
    _, heard, _ = run(said)
    assert seconds(heard, 0, 0.02) == bytes(640)
    assert seconds(heard, 0.02, 0.52) == said.data


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_the_recording_is_mono_at_the_callers_rate(rate: int) -> None:
    _, heard, _ = run(noise(0.5, AudioFormat("pcm16", rate, 2)))
    assert heard.format is AudioFormat("pcm16", rate)


def test_what_the_agent_says_stands_where_it_was_heard() -> None:
    said = noise(0.3)
    _, heard, _ = run(noise(2), Agent(at(1.0, said)))
    assert heard.data == bytes(32_000) + said.data


def test_what_is_said_too_early_waits_for_what_was_said_before() -> None:
    first, second = noise(0.5), AudioRaw(noise(0.5).data[::-1])
    _, heard, _ = run(noise(2), Agent(lambda now: {1.0: first, 1.2: second}.get(now)))
    assert heard.data == bytes(32_000) + first.data + second.data


def test_an_interruption_ends_the_recording_of_it_at_that_moment() -> None:
    said = noise(2)
    _, heard, _ = run(noise(3), Interrupter(1.5), Agent(at(1.0, said)))
    assert heard.data == bytes(32_000) + seconds(said, 0, 0.5)


def test_the_caller_waits_until_the_agent_has_been_at_rest_for_a_second() -> None:
    source, heard, _ = run(noise(1), Agent(at(0.9, noise(4))))
    assert heard.duration == pytest.approx(4.9)
    assert source.position == pytest.approx(5.9, abs=0.04)


def test_the_caller_waits_for_a_minute_at_most() -> None:
    _, heard, reason = run(noise(1), Agent(lambda now: noise(0.05)))
    assert reason == "the caller hung up"
    assert heard.duration == pytest.approx(61, abs=0.1)


def test_an_agent_that_hangs_up_ends_the_recording() -> None:
    class Goodbye(Processor):
        speaks = True

        async def process(self, frame: AudioRaw) -> AsyncIterator[AudioRaw | End]:
            if not self.said:
                self.said = True
                yield noise(0.3)
                yield End("goodbye")

        said = False

    source, heard, reason = run(noise(5), Goodbye())
    assert reason == "goodbye"
    assert heard.data == bytes(640) + noise(0.3).data
    assert source.position < 1


def test_frames_that_are_not_speech_are_not_recorded() -> None:
    class Vad(Processor):
        def process(self, frame: AudioRaw) -> Iterator[SpeechStarted]:
            yield SpeechStarted()

    _, heard, _ = run(noise(0.1), Vad())
    assert heard.data == b""
