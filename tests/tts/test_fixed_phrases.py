"""The lines that are kept as audio: made once per process, whatever the voice does."""

import asyncio
import logging
import threading

from doubles import PIECE, make_call, virtual
from settling import settled
from talking import Interrupter, Parrot, audio, kinds, run
from tts.voices import RATE, Letters, letters, text_of

from voiceflow import Call, Pipeline, Transcript
from voiceflow.inference import InferencePool
from voiceflow.inference import loaded_models as models
from voiceflow.processors.tts import TTS, fixed_phrases, speech

APOLOGY = audio(1.0, byte=7)
APOLOGY_TEXT = "Sorry, something went wrong."


def talk(tts: TTS) -> Pipeline:
    return lambda call: Pipeline(call.source, Interrupter(), Parrot(), tts, call.sink)


def test_a_voice_speaks_its_lines_once_per_process():
    made: list[str] = []

    class Counting(TTS):
        rate = RATE

        def synthesize(self, text: str, voice: str) -> bytes:
            made.append(text)
            return letters(text)

    for _ in range(2):
        call = make_call(Transcript("Hi."), 5.0)
        run(call, talk(Counting()))
        assert text_of(call.apology.data) == "Sorry, something went wrong."
        assert text_of(call.hold.data) == "One moment, please."
    assert made == ["Sorry, something went wrong.", "One moment, please.", "Hi.", "Hi."]


def test_a_line_that_is_set_already_stays():
    call = make_call(Transcript("Hi."), 5.0)
    call.apology = APOLOGY
    run(call, talk(Letters("other")))
    assert call.apology is APOLOGY
    assert text_of(call.hold.data) == "One moment, please."


class Hangs(TTS):
    rate = RATE

    async def synthesize(self, text: str, voice: str) -> bytes:
        await asyncio.sleep(10_000.0)
        return b""


def test_a_voice_that_hangs_does_not_keep_a_call_from_opening(caplog):
    call = make_call(0.1, Transcript("Hi."), PIECE, 1.0)
    ended = run(call, talk(Hangs()))
    assert ended.error is None
    assert call.apology.duration > 1.5
    assert call.hold is None
    assert "Hangs cannot speak, its callers will hear a recorded apology: it took too long" in caplog.text


def test_a_voice_whose_lines_are_known_opens_without_a_thread(monkeypatch):
    run(make_call(1.0), talk(Letters("open")))

    def full(*_: object) -> None:
        raise AssertionError("all threads are taken")

    monkeypatch.setattr(InferencePool, "run", full)
    call = make_call(1.0)
    assert run(call, talk(Letters("open"))).error is None
    assert text_of(call.apology.data) == APOLOGY_TEXT


def test_nothing_is_kept_of_a_voice_that_failed():
    class Recovers(TTS):
        rate = RATE
        works = False

        async def synthesize(self, text: str, voice: str) -> bytes:
            if not Recovers.works:
                raise OSError("not yet")
            return letters(text)

    run(make_call(1.0), talk(Recovers()))
    Recovers.works = True
    call = make_call(1.0)
    run(call, talk(Recovers()))
    assert text_of(call.apology.data) == "Sorry, something went wrong."
    assert kinds(call) == []


class Counts(TTS):
    """Counts what it is asked for by all its calls together."""

    rate = RATE
    made: list[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.made = []

    def __init__(self, voice: str = "") -> None:
        super().__init__(voice)

    async def synthesize(self, text: str, voice: str) -> bytes:
        self.made.append(text)
        await asyncio.sleep(0.5)
        return letters(text)


def test_calls_that_come_together_to_a_cold_server_have_the_lines_made_once(caplog):
    class Fresh(Counts):
        pass

    async def main() -> None:
        calls = [make_call(1.0) for _ in range(20)]
        ended = await asyncio.gather(*(call.run(talk(Fresh())) for call in calls))
        assert [each.error for each in ended] == [None] * 20
        assert {text_of(call.apology.data) for call in calls} == {APOLOGY_TEXT}
        assert {text_of(call.hold.data) for call in calls} == {"One moment, please."}

    virtual(main())
    assert Fresh.made == [APOLOGY_TEXT, "One moment, please."]
    assert caplog.text == ""


def test_the_lines_are_made_when_a_server_loads_its_models():
    class Fresh(Counts):
        pass

    virtual(models.load([Fresh()]))
    assert Fresh.made == [APOLOGY_TEXT, "One moment, please."]
    run(make_call(1.0), talk(Fresh()))
    assert len(Fresh.made) == 2


def test_a_voice_that_is_ready_only_in_a_call_has_its_lines_made_there(caplog):
    caplog.set_level(logging.WARNING, "voiceflow")

    class Fresh(Counts):
        client = None

        async def open(self, call: Call) -> None:
            self.client = "a connection"
            await super().open(call)

        async def synthesize(self, text: str, voice: str) -> bytes:
            assert self.client, "not open"
            return letters(text)

    virtual(models.load([Fresh()]))
    call = make_call(1.0)
    run(call, talk(Fresh()))
    assert text_of(call.apology.data) == APOLOGY_TEXT
    assert caplog.text == ""


def test_a_voice_that_waits_for_a_thread_opens_its_call_with_the_recorded_apology(monkeypatch, caplog):
    pool, begun, go = InferencePool(1), threading.Event(), threading.Event()
    monkeypatch.setattr(speech, "shared_pool", lambda: pool)

    def take() -> None:
        begun.set()
        go.wait(10.0)

    other = threading.Thread(target=lambda: asyncio.run(pool.run(take)))
    other.start()
    begun.wait(10.0)
    call = make_call(30.0)

    async def act() -> None:
        await settled(lambda: pool.queued == 1)  # the call's job
        asyncio.get_running_loop().advance(fixed_phrases.OPENING)
        await settled(lambda: call.apology is not None)
        go.set()

    assert run(call, talk(Letters("waits")), act=act).error is None
    other.join(10.0)
    assert call.apology.duration > 1.5
    assert call.hold is None
    assert caplog.text == ""
    call = make_call(1.0)
    run(call, talk(Letters("waits")))
    assert text_of(call.apology.data) == APOLOGY_TEXT
