from voiceflow import DTMF, Call, Processor, Transcript
from voiceflow.processors.dialog import Dialog, Greeting

from . import Example


async def listen(call: Call) -> None:
    async for _ in call.listen():
        pass


EXAMPLES: dict[type[Processor], list[Example]] = {
    Dialog: [Example(lambda: Dialog(listen), (Transcript("hello"), DTMF("1"), Transcript("bye")))],
    Greeting: [Example(lambda: Greeting("Hello"), (DTMF("1"), DTMF("2")))],
}
