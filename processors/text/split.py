"""Splits text into sentences as it streams, each as soon as it is certain.

Whether a full stop ends a sentence depends on the word before it and on what comes after it (fullstop.py). The
splitter examines one place after the other, and waits at the first that is undecided: after `Hello! ` for nothing,
after most full stops for a character, after `U.S. ` for a word. How the text was cut into pieces makes no difference.
Why no library does this is told in docs/speech-text.md.

What comes out is not always a sentence:

- A newline ends every sentence, so text that was split before passes straight on.
- Each item of a list in one line is a sentence: 1. First 2. Second.
- The first sentence of a reply may be cut after a clause, at least 40 characters in and with at least 15 more to come,
  because the caller hears nothing until it has been synthesised. The voice rises at the comma as it would within the
  sentence; a last word or two by themselves would sound odd. Later sentences stay whole: they are synthesised while
  earlier ones are heard.
- A longer sentence is cut after a clause from 250 characters on, at a space from 400, anywhere at 1000.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from voiceflow.frames import LLMCut, LLMEnd, LLMText
from voiceflow.processor import Processor
from voiceflow.processors.text.fullstop import ends
from voiceflow.processors.text.places import NEWLINE, PLACE

OPENING_CLAUSE: Final = 40
"""Characters after which the first sentence of a reply may be cut at a clause."""
REST: Final = 15
"""Characters of the sentence that must follow such a cut."""
LONG: Final = 250
"""Characters after which any sentence is cut at a clause."""
LONGER: Final = 400
"""Characters after which any sentence is cut at a space."""
LONGEST: Final = 1000
"""Characters after which any sentence is cut anywhere."""

_SPACE = re.compile(rf"(?:(?!{NEWLINE})\s)+")


class SentenceSplitter:
    """Splits one reply as it streams: text in, whole sentences out.

    >>> splitter = SentenceSplitter()
    >>> splitter.feed("Hello! I am Dr. ")
    ['Hello!']
    >>> splitter.feed("Smith."), splitter.flush()
    ([], ['I am Dr. Smith.'])
    """

    def __init__(self) -> None:
        self._text = ""
        self._opening = True
        """Whether no sentence of the reply has come out yet."""
        self._whole = False
        """Whether what came out last ended a sentence, rather than being a part of one."""

    def feed(self, text: str) -> list[str]:
        """Take a piece of the reply; returns the sentences that are complete now, without space around them."""
        added = _SPACE.sub(" ", text)
        if self._text[-1:] in ("", " "):
            added = added.removeprefix(" ")
        self._text += added
        return list(self._sentences(over=False))

    def flush(self) -> list[str]:
        """End the reply: returns the sentences that were still held back, and gets ready for a new reply."""
        sentences = list(self._sentences(over=True))
        self._text, self._opening, self._whole = "", True, False
        return sentences

    def break_off(self) -> list[str]:
        """The reply breaks off: returns the sentences that were still held back, without the unfinished one if a whole
        one came before it."""
        whole, sentences = self._whole, []
        for sentence in self._sentences(over=True):
            if self._whole or not whole:
                sentences.append(sentence)
            whole = self._whole
        return sentences

    def _sentences(self, *, over: bool) -> Iterator[str]:
        text, start = self._text, 0
        while (end := _end(text, start, opening=self._opening, over=over)) is not None:
            self._whole = _is_whole(text[start:end])
            sentence = text[start:end].strip()
            start = end
            while text[start : start + 1].isspace():
                start += 1
            if sentence:
                self._opening = False
                yield sentence
        self._text = text[start:]


class SplitSentences(Processor):
    """Yields one `LLMText` for each sentence, with a newline at its end. The stage around `SentenceSplitter`."""

    def __init__(self) -> None:
        self._splitter = SentenceSplitter()

    def process(self, frame: LLMText | LLMCut | LLMEnd) -> Iterator[LLMText | LLMCut | LLMEnd]:
        if isinstance(frame, LLMText):
            yield from _lines(self._splitter.feed(frame.text))
        elif isinstance(frame, LLMCut):
            yield from _lines(self._splitter.break_off())
            yield frame
        else:
            yield from self.finish()
            yield frame

    def finish(self) -> Iterator[LLMText]:
        yield from _lines(self._splitter.flush())

    def reset(self) -> None:
        self._splitter = SentenceSplitter()


def _is_whole(cut: str) -> bool:
    """Whether `cut` ends with the line or the sentence, and not after a clause or in the middle of one."""
    last = cut.rstrip(" ")[-1:]
    return not (last.isalnum() or last in ",;:–—-，；：、")


def _lines(sentences: Iterable[str]) -> Iterator[LLMText]:
    for sentence in sentences:
        yield LLMText(sentence + "\n")


def _end(text: str, start: int, *, opening: bool, over: bool) -> int | None:
    """Where the sentence that begins at `start` ends or is cut; None if that is undecided, or if no text is left."""
    clause = late_clause = end = None
    unbroken = len(text)  # no sentence ends before this position
    for place in PLACE.finditer(text, start):
        if place.end() > start + LONGEST:
            unbroken = start + LONGEST + 1
            break
        if place["clause"]:
            length = place.end() - start
            if length >= LONG:
                late_clause = late_clause or place.end()
            elif opening and length >= OPENING_CLAUSE:
                clause = clause or place.end()
            continue
        is_end = ends(text, start, place, over=over)
        if is_end is not False:
            unbroken, end = place.start(), place.end() if is_end else None
            break
    else:
        end = len(text) if over and start < len(text) else None
    if clause is not None:
        if unbroken - clause >= REST:
            return clause
        if end is None:
            return None  # it may end within REST characters after the clause
    return min((cut for cut in (late_clause, *_cuts(text, start, unbroken)) if cut is not None), default=end)


def _cuts(text: str, start: int, unbroken: int) -> Iterator[int]:
    """The places where a sentence that is too long is cut if it has no clause; it goes on until `unbroken` at least."""
    space = text.find(" ", start + LONGER, unbroken)
    if space >= 0:
        yield space + 1
    if unbroken > start + LONGEST:
        yield start + LONGEST
