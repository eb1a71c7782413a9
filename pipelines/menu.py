"""A telephone menu: callers press a key and hear the answer. No speech recognition, no language model.

Run `voiceflow run menu`, and from another terminal press 1 after two seconds and 9 after five more:

    voiceflow call ws://127.0.0.1:8000/sip/media-stream --digits wwww1wwwwwwwwww9 --record heard.wav
"""

from collections.abc import Iterator

from voiceflow import DTMF, Call, Clear, Pipeline, Processor
from voiceflow.processors import Dialog, PiperTTS

CHOICES = {
    "1": ("for our opening hours", "We are open from Monday to Friday, from nine to half past five."),
    "2": ("for our address", "You find us at twelve Harbour Street, next to the old market."),
    "3": ("for today's special", "Today we serve mushroom soup, and apple pie."),
}
MENU = " ".join(f"Press {key} {what}." for key, (what, _) in CHOICES.items()) + " Press 9 to hang up."


async def talk(call: Call) -> None:
    line, silences = f"Welcome! {MENU}", 0
    while silences < 2:
        key = await call.digits(say=line, end="")
        if key == "9":
            break
        silences = 0 if key else silences + 1
        _, answer = CHOICES.get(key, ("", f"There is nothing behind {key}." if key else "I heard no key."))
        line = f"{answer} {MENU}"
    await call.say("Thank you for calling. Goodbye!")


class KeySkips(Processor):
    """Stops the agent when a key is pressed: callers who know the menu need not hear it to its end."""

    def process(self, frame: DTMF) -> Iterator[DTMF | Clear]:
        yield frame
        yield Clear()


def pipeline(call: Call) -> Pipeline:
    return call.source | KeySkips() | Dialog(talk) | PiperTTS() | call.sink
