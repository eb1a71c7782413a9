"""`call.play`: audio that is read while it is heard."""

import asyncio
import tracemalloc
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from doubles import make_call, now
from talking import LONG, Parrot, Voice, audio, ear_of, kinds, run, talk

from voiceflow import AudioCodecError, AudioFormat, AudioRaw, Call, LLMText, Processor, Transcript


@pytest.fixture
def long_wav(tmp_path: Path) -> Path:
    """Four minutes of 48 kHz stereo: 46 MB."""
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48_000)
        second = np.full(2 * 48_000, 1000, "<i2").tobytes()
        for _ in range(240):
            file.writeframes(second)
    return path


def acting(call: Call, act, *brain: Processor, voice: Voice | None = None) -> None:
    async def then_hang_up() -> None:
        await act()
        await call.hangup(force=True)

    run(call, talk(*brain, voice=voice), then_hang_up)


def test_a_long_file_begins_at_once_and_takes_no_memory(long_wav):
    call = make_call(LONG)

    async def act() -> None:
        tracemalloc.start()
        playing = asyncio.ensure_future(call.play(long_wav))
        await asyncio.sleep(20.0)
        memory.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        call.clear()
        heard.append(await playing)

    memory, heard = [], []
    acting(call, act)
    first = next(at for at, kind, _ in ear_of(call).log if kind == "audio")
    assert first == pytest.approx(0.0, abs=0.02)
    assert heard == [pytest.approx(20.0, abs=0.1)]
    assert memory[0] < 4_000_000


def test_it_returns_the_seconds_that_were_heard():
    call, heard = make_call(LONG), []

    async def act() -> None:
        heard.append(await call.play(audio(3.0)))

    acting(call, act)
    assert heard == [pytest.approx(3.0, abs=0.01)]


def test_an_interruption_ends_it_wherever_the_reading_is():
    call, voice = make_call(LONG), Voice()

    async def act() -> None:
        playing = asyncio.ensure_future(call.play(audio(10.0)))
        await asyncio.sleep(0)
        saying = asyncio.ensure_future(call.say("hello"))
        await asyncio.sleep(1.0)
        call.clear()
        assert await playing == pytest.approx(1.0, abs=0.05)
        assert await saying == 0.0
        await asyncio.sleep(5.0)

    acting(call, act, voice=voice)
    assert kinds(call).count("clear") == 1
    cleared = kinds(call).index("clear")
    assert "audio" not in kinds(call)[cleared:]
    assert voice.texts == []


def test_what_is_said_meanwhile_comes_after_it():
    call, voice = make_call(LONG), Voice()

    async def act() -> None:
        playing = asyncio.ensure_future(call.play(audio(2.0, byte=5)))
        await asyncio.sleep(0.5)
        await call.say("after")
        assert playing.done()

    acting(call, act, Parrot(), voice=voice)
    assert ear_of(call).audio.count(b"\5") > 60_000
    assert ear_of(call).audio.rstrip(b"\1").rstrip(b"\0")[-1:] == b"\5"


def test_cancelled_it_says_no_more():
    call = make_call(LONG)

    async def act() -> None:
        playing = asyncio.ensure_future(call.play(audio(60.0)))
        await asyncio.sleep(1.0)
        playing.cancel()
        await asyncio.sleep(10.0)
        heard.append(len(ear_of(call).audio) / 32_000)
        await call.say("free again")

    heard = []
    voice = Voice()
    acting(call, act, voice=voice)
    assert heard[0] < 5.0
    assert voice.texts == ["free again"]


@pytest.mark.parametrize(("content", "error"), [(None, AudioCodecError), (b"no wav", AudioCodecError)])
def test_a_file_that_cannot_be_played_is_an_error_and_the_line_goes_on(tmp_path, content, error):
    path, voice, call = tmp_path / "x.wav", Voice(), make_call(LONG)
    if content is not None:
        path.write_bytes(content)

    async def act() -> None:
        with pytest.raises(error):
            await call.play(path)
        await call.say("still here")

    acting(call, act, voice=voice)
    assert voice.texts == ["still here"]


def test_inside_a_reply_it_is_a_part_of_it_in_its_place():
    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("before\n")
            heard.append(await self.call.play(AudioRaw(b"\5\0" * 8000, AudioFormat("pcm16", 8000))))
            at.append(now())
            yield LLMText("after\n")

    heard, at, voice, call = [], [], Voice(), make_call(Transcript("go"), LONG)

    async def act() -> None:
        await asyncio.sleep(10.0)

    acting(call, act, Model(), voice=voice)
    assert heard == [pytest.approx(1.0, abs=0.01)]
    assert voice.texts == ["before", "after"]
    assert at[0] == pytest.approx(0.6 + 1.0, abs=0.05)
