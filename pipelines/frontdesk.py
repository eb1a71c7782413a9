"""A front desk without a language model: asks what the caller wants, understands a few words, confirms, says goodbye.

The whole conversation is the coroutine `talk`. Make it yours: change the words, look something up between two lines.
Callers who want a person are transferred to the first number that the route lists under `transfer_to`.
"""

import re

from voiceflow import Call, Pipeline
from voiceflow.processors import BargeIn, Dialog, PiperTTS, SileroVAD, WhisperSTT

PERSON = "talk to a person"
REQUESTS = {
    "cancel a booking": {"cancel", "cancellation"},  # first: it mentions a booking, too
    "book a table": {"table", "book", "booking", "reserve", "reservation"},
    PERSON: {"person", "human", "someone", "somebody", "agent", "talk", "speak"},
}
"""What callers can ask for here, and for each request the words that reveal it."""

YES = {"yes", "yeah", "yep", "sure", "right", "correct", "exactly"}
NO = {"no", "nope", "not", "wrong"}


async def talk(call: Call) -> None:
    question = "Hello, this is the front desk. You can book a table, cancel a booking, or talk to a person. What is it?"
    for _ in range(3):
        heard = await ask(call, question)
        request = next((request for request, words in REQUESTS.items() if heard & words), None)
        if request is None:
            question = "I did not get that. Say: book a table, cancel a booking, or talk to a person."
            continue
        answer = await ask(call, f"You want to {request}. Is that right?")
        if answer & YES and not answer & NO:
            if request == PERSON and (number := person(call)):
                await call.say("Alright, I will put you through. One moment, please.")
                await call.transfer(number)
                return
            await call.say(f"Alright, we will help you to {request}. Thank you for calling, goodbye!")
            return
        question = "Then let us try again. What can I do for you?"
    await call.say("I am sorry, I could not help you. Please call again. Goodbye!")


def person(call: Call) -> str | None:
    """The number of somebody who can help. None: there is none, or this call cannot be transferred."""
    listed = call.route.transfer_to or ()
    return next((number for number in listed if "*" not in number), None) if call.control else None


async def ask(call: Call, question: str) -> set[str]:
    """The words of the answer. Asks again, once, when nothing is heard for six seconds."""
    answer = await call.ask(question, timeout=6.0) or await call.ask(f"Are you still there? {question}", timeout=6.0)
    return set(re.findall(r"\w+", answer.text.lower())) if answer else set()


def pipeline(call: Call) -> Pipeline:
    return call.source | SileroVAD() | BargeIn() | WhisperSTT("base") | Dialog(talk) | PiperTTS() | call.sink
