"""The example pipelines: their conversations in whole calls, with doubles in place of the engines."""

import asyncio
import time

import pytest
from doubles import make_call
from talking import LONG, Voice, run, when

from voiceflow import DTMF, Call, Ended, Frame, Route, SpeechStarted, SpeechStopped, Transcript
from voiceflow.auth import AuthResult
from voiceflow.auth.provider import identify
from voiceflow.linking.linker import link
from voiceflow.pipelines import assistant, frontdesk, menu, with_auth
from voiceflow.processors import BargeIn, Dialog
from voiceflow.transports.dry_call import nominal_call


def at_the_desk(*script: Frame | float) -> tuple[list[str], Ended]:
    voice = Voice()
    ended = run(make_call(*script), lambda c: c.source | BargeIn() | Dialog(frontdesk.talk) | voice | c.sink)
    return voice.texts, ended


def speaks(text: str, seconds: float = 1.0) -> tuple[Frame | float, ...]:
    return (SpeechStarted(), seconds, SpeechStopped(), Transcript(text))


GREETING = "Hello, this is the front desk."
GOODBYE = "I am sorry, I could not help you."


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("I would like to book a table, please.", "book a table"),
        ("Please cancel my booking!", "cancel a booking"),
        ("Can I talk to a human?", "talk to a person"),
    ],
)
def test_the_front_desk_understands_confirms_and_says_goodbye(said, understood):
    texts, ended = at_the_desk(15.0, *speaks(said), 8.0, *speaks("Yes, please."), LONG)
    assert texts[0].startswith(GREETING)
    assert texts[1] == f"You want to {understood}. Is that right?"
    assert texts[2] == f"Alright, we will help you to {understood}. Thank you for calling, goodbye!"
    assert (len(texts), ended.reason, ended.error) == (3, "hung up", None)


class Switch:
    """Call control that knows one call."""

    digits_end_stream = False

    def __init__(self) -> None:
        self.transferred: list[str] = []

    async def hangup(self) -> bool:
        return True

    async def send_digits(self, digits: str) -> bool:
        return True

    async def transfer(self, to: str) -> bool:
        self.transferred.append(to)
        return True


@pytest.mark.parametrize(
    ("listed", "reachable"),
    [(("+1202555*", "+12025550155"), True), (("+1202555*",), False), ((), False), (None, False)],
)
def test_the_front_desk_puts_callers_through_to_the_person_that_the_route_names(listed, reachable):
    call, voice, switch = make_call(15.0, *speaks("A person."), 8.0, *speaks("Yes."), LONG), Voice(), Switch()
    call.route, call.control = Route(transfer_to=listed), switch
    ended = run(call, lambda c: c.source | BargeIn() | Dialog(frontdesk.talk) | voice | c.sink)
    assert switch.transferred == (["+12025550155"] if reachable else [])
    said = "Alright, I will put you through. One moment, please." if reachable else "Alright, we will help you to talk"
    assert voice.texts[2].startswith(said)
    assert ended.error is None


def test_the_front_desk_asks_again_when_it_was_wrong():
    script = (15.0, *speaks("A table."), 8.0, *speaks("No, that's not right"), 8.0, *speaks("Cancel it"), 8.0)
    texts, _ = at_the_desk(*script, *speaks("Right"), LONG)
    assert texts[2:4] == [
        "Then let us try again. What can I do for you?",
        "You want to cancel a booking. Is that right?",
    ]
    assert texts[-1].startswith("Alright, we will help you to cancel a booking.")


def test_the_front_desk_asks_again_when_nothing_is_heard():
    texts, ended = at_the_desk(40.0, *speaks("A table"), 8.0, *speaks("Yes"), LONG)
    assert texts[1] == f"Are you still there? {texts[0]}"
    assert texts[-1].startswith("Alright")
    assert ended.reason == "hung up"


def test_the_front_desk_gives_up_on_silence():
    texts, ended = at_the_desk(LONG)
    assert [text.startswith("Are you still there?") for text in texts] == [False, True] * 3 + [False]
    assert texts[-1].startswith(GOODBYE)
    assert ended.reason == "hung up"


def test_the_front_desk_gives_up_on_what_it_does_not_understand():
    texts, _ = at_the_desk(15.0, *speaks("Mumble"), 10.0, *speaks("Mumble"), 10.0, *speaks("Mumble"), LONG)
    assert texts[1] == texts[2] == "I did not get that. Say: book a table, cancel a booking, or talk to a person."
    assert texts[3].startswith(GOODBYE)


def test_a_caller_who_knows_the_front_desk_interrupts_it():
    call, voice = make_call(1.0, *speaks("A table"), 8.0, *speaks("Yes"), LONG), Voice()
    run(call, lambda c: c.source | BargeIn() | Dialog(frontdesk.talk) | voice | c.sink)
    assert when(call, "clear") == [1.0]
    assert voice.said[1] == (2.0, "You want to book a table. Is that right?")


@pytest.mark.parametrize("after", [0.5, 5.0, 11.0, 16.0, 18.0])
def test_the_caller_may_leave_the_front_desk_at_any_time(after):
    script: list[Frame | float] = [15.0, *speaks("A table"), 1.0] if after > 15.0 else []
    spent = sum(item for item in script if isinstance(item, float))
    texts, ended = at_the_desk(*script, max(0.0, after - spent))
    assert texts[0].startswith(GREETING)
    assert (ended.reason, ended.error, ended.abandoned) == ("the caller hung up", None, 0)


# the menu


def at_the_menu(*script: Frame | float) -> tuple[Call, list[tuple[float, str]], Ended]:
    call, voice = make_call(*script), Voice()
    ended = run(call, lambda c: c.source | menu.KeySkips() | Dialog(menu.talk) | voice | c.sink)
    return call, voice.said, ended


def test_a_key_is_answered_at_once_though_the_menu_is_still_being_said():
    call, said, ended = at_the_menu(2.0, DTMF("1"), 3.0, DTMF("9"), LONG)
    assert [at for at, _ in said] == [0.0, 2.0, 5.0]
    assert said[0][1].startswith("Welcome! Press 1 for our opening hours.")
    assert said[1][1].startswith("We are open from Monday to Friday")
    assert said[2][1] == "Thank you for calling. Goodbye!"
    assert when(call, "clear") == [2.0, 5.0]
    assert ended.reason == "hung up"


@pytest.mark.parametrize("key", ["0", "#", "*"])
def test_a_key_that_leads_nowhere_is_named(key):
    _, said, _ = at_the_menu(2.0, DTMF(key), 3.0, DTMF("9"), LONG)
    assert said[1][1].startswith(f"There is nothing behind {key}. Press 1")


def test_the_menu_is_said_again_when_no_key_is_pressed_and_then_it_says_goodbye():
    _, said, ended = at_the_menu(LONG)
    assert [text.split(".")[0] for _, text in said] == [
        "Welcome! Press 1 for our opening hours",
        "I heard no key",
        "Thank you for calling",
    ]
    assert ended.reason == "hung up"


@pytest.mark.parametrize("after", [0.5, 20.0, 26.0])
def test_the_caller_may_leave_the_menu_at_any_time(after):
    _, said, ended = at_the_menu(after)
    assert said[0][1].startswith("Welcome!")
    assert (ended.reason, ended.error, ended.abandoned) == ("the caller hung up", None, 0)


# callers who have logged in


def with_a_session(name: str | None, *script: Frame | float) -> list[str]:
    call, voice = make_call(*script), Voice()
    call.user = None if name is None else AuthResult(True, name, user_name=name)
    run(call, lambda c: c.source | BargeIn() | Dialog(with_auth.talk) | voice | c.sink)
    return voice.texts


def test_a_caller_who_has_logged_in_is_greeted_by_their_name():
    assert with_a_session("Ann", 8.0, *speaks("Fine."), LONG) == [
        "Hello Ann! How are you today?",
        "Thank you for telling me. Goodbye!",
    ]
    assert with_a_session(None, LONG) == ["Hello there! How are you today?", "I cannot hear you. Goodbye!"]


def shown(cookie: str) -> dict[str, object]:
    return {"type": "http", "headers": [(b"cookie", f"a=b; session={cookie}".encode())]}


def who(cookie: str) -> AuthResult | None:
    return asyncio.run(identify(with_auth.authorize, shown(cookie)))


def test_the_session_of_ones_own_site_lets_its_user_in(monkeypatch):
    monkeypatch.setenv("SESSION_SECRET", "a secret")
    good = with_auth.session("Ann", 60.0)
    found = who(good)
    assert found is not None
    assert (found.user_name, found.provider) == ("Ann", "sessions")
    assert found.expires == pytest.approx(time.time() + 60.0, abs=5.0)
    for wrong in ("", "x", "..", good[:-1], good.replace("Ann", "Bob"), with_auth.session("Ann", -60.0), f"é{good}"):
        assert who(wrong) is None
    monkeypatch.delenv("SESSION_SECRET")
    assert who(good) is None


# as they are run


@pytest.mark.parametrize("transport", ["twilio", "telnyx"])
@pytest.mark.parametrize("pipeline", [frontdesk, menu, with_auth], ids=["frontdesk", "menu", "with_auth"])
def test_it_links(pipeline, transport):
    plan = link(pipeline.pipeline(nominal_call(transport)))
    assert [type(step.processor) for step in plan.walk() if step.speaker] == [Dialog]


@pytest.mark.parametrize(
    ("route", "recognised"),
    [
        ({}, "'en'"),
        ({"language": "de"}, "'de'"),
        ({"language": "auto"}, "'auto'"),
        ({"tts_voice": "fr_FR-siwis-medium"}, "'fr'"),
    ],
)
def test_the_assistant_listens_in_the_language_of_the_route(route, recognised):
    plan = link(assistant.pipeline(nominal_call(None, Route(**route))))
    (stt,) = (step.processor for step in plan.walk() if step.processor.name == "WhisperSTT")
    assert repr(stt) == f"WhisperSTT('base', {recognised})"
