"""The agent's own words, recognised in the echo that the line returned: they are no turn of the caller's."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

from voiceflow.backchannels import words
from voiceflow.frames import Transcript
from voiceflow.playout.ledger import Sentence

LATE: Final = 0.6
"""Seconds by which an echo may be late."""
LEAD: Final = 0.4
"""Seconds at the beginning of an utterance that may be silence."""
ALIKE: Final = 0.75
"""The fraction of the words of an echo that are recognised as they were said."""
FEW: Final = 3
"""A caller may say fewer words than this that the agent says too: they are an echo if they come just after those."""
CLOSE: Final = 0.5
"""Seconds by which the time of a word, which is estimated, may be wrong."""


def repeats(transcript: Transcript, sentences: Iterable[Sentence], call_began: float) -> bool:
    """Whether `transcript` repeats what the agent said at that time. `sentences` were played lately; `call_began` is
    the time of the loop's clock at which the call did."""
    begin, end = call_began + transcript.start, call_began + transcript.end
    if transcript.end <= transcript.start:
        return False  # when it was said is not known
    over = [s for s in sentences if s.began < end and s.ended + LATE > begin]
    if not over or not _covers(over, min(begin + LEAD, end), end):
        return False
    heard, said = words(transcript.text), [word for s in over for word in words(s.mark.text)]
    blocks = SequenceMatcher(None, said, heard, autojunk=False).get_matching_blocks()
    if not heard or sum(block.size for block in blocks) < ALIKE * len(heard):
        return False
    return len(heard) >= FEW or any(_just_after(s, heard, end) for s in over)


def _covers(sentences: list[Sentence], begin: float, end: float) -> bool:
    """Whether echoes of `sentences` may have been heard from `begin` to `end`."""
    for sentence in sentences:
        if sentence.began <= begin + CLOSE:
            begin = max(begin, sentence.ended + LATE)
    return begin >= end


def _just_after(sentence: Sentence, heard: list[str], end: float) -> bool:
    """Whether an echo of the words `heard`, where they stand in `sentence`, would have ended at the time `end`."""
    said = words(sentence.mark.text)
    for place in range(len(said) - len(heard) + 1):
        if said[place : place + len(heard)] == heard:
            part = (place + len(heard)) / len(said)
            late = end - sentence.began - part * (sentence.ended - sentence.began)
            if -CLOSE < late < LATE + CLOSE / 2:
                return True
    return False
