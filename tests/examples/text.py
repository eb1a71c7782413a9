from voiceflow import LLMEnd, LLMText, Processor
from voiceflow.processors.text import CleanForSpeech, SplitSentences

from . import Example

FEED = (LLMText("**Hello** Dr. "), LLMText("Smith. How "), LLMText("are *yo"), LLMEnd(), LLMText("Well, "))

EXAMPLES: dict[type[Processor], list[Example]] = {
    CleanForSpeech: [
        Example(CleanForSpeech, FEED),
        Example(
            lambda: CleanForSpeech("our page"),
            (LLMText("Visit https://exam"), LLMText("ple.com. <think>hm"), LLMText("</think>Bye <b")),
        ),
    ],
    SplitSentences: [Example(SplitSentences, FEED)],
}
