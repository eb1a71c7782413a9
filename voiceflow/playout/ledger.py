"""What the caller has heard: replies, their sentences, and where an interruption cuts them.

Positions are seconds of agent audio since the call began, counted as it is handed to the transport; what is
cleared does not count. There is no clock and no I/O in here: playout.py has both.
"""

from __future__ import annotations

import math
import re
from collections import deque

import msgspec

from voiceflow.frames import Control, Mark, Word
from voiceflow.reply import Reply

CHARACTERS_PER_SECOND = 15.0
"""The fastest that speech is taken to be: a sentence whose audio is not complete is at least so long."""
LATELY = 8
"""How many sentences are remembered that were played."""
EPSILON = 1e-6  # positions are sums of floats


class ReplyBegin(Control, frozen=True, speech=True):
    """Runs ahead of a reply's speech and tells the sink which reply it is."""

    reply: Reply
    part: bool = False
    """Whether `reply` is only a part of the reply that is being said."""


class ReplyEnd(Control, frozen=True, speech=True):
    """Follows the speech of a part of a reply. A whole reply ends with `LLMEnd`."""

    reply: Reply


class Sentence(msgspec.Struct):
    """The audio from `Mark(text)` to the `Mark` or `LLMEnd` that closes it; `start` and `end` are positions."""

    mark: Mark
    start: float
    reply: Reply | None
    end: float | None = None
    inserted: list[tuple[float, float]] = []
    """Position and seconds of other audio that was played within the sentence, such as a hold line."""
    began: float = math.inf
    """When the caller began to hear it, on the loop's clock. Infinite before that is known."""
    ended: float = 0.0
    """When the last of it that was handed to the transport will have been heard, on the loop's clock."""

    def cut(self, heard: float, arrived: float) -> str:
        """The whole words heard by position `heard`, when the sink was given audio up to `arrived`."""
        heard -= sum(min(seconds, max(0.0, heard - position)) for position, seconds in self.inserted)
        length = (arrived if self.end is None else self.end) - self.start - sum(s for _, s in self.inserted)
        if self.end is None:
            length = max(length, len(self.mark.text) / CHARACTERS_PER_SECOND)
        return cut(self.mark.text, self.mark.words, heard - self.start, length)


def cut(text: str, words: tuple[Word, ...], heard: float, length: float) -> str:
    """`text` up to its last word that ended within `heard` seconds. Without the times of its `words`, every character
    is taken to last equally long in an utterance of `length` seconds."""
    if heard <= 0:
        return ""
    if words:
        return " ".join(word.text for word in words if word.end <= heard + EPSILON)
    end = 0
    for word in re.finditer(r"\S+", text):
        if length * word.end() / len(text) > heard + EPSILON:
            break
        end = word.end()
    return text[:end]


class Cue(msgspec.Struct):
    """A position that is reported when it has been played: the end of a sentence, of replies, or both."""

    name: str
    """The name of the mark that the peer is asked to return: unique in the call."""
    position: float
    at: float
    """When the audio up to there will have been played, on the loop's clock."""
    sentence: Sentence | None
    replies: list[Reply] = []


class Cleared(msgspec.Struct):
    """Says what had been heard when a `Clear` came."""

    played: list[Mark]
    """The marks of sentences that had been heard in full but were not confirmed yet."""
    heard: str
    seconds: float
    """The words, and the seconds of audio, that were heard of the replies it cut short."""


class Ledger:
    """Records what was handed to one sink, and what the caller heard of it."""

    def __init__(self) -> None:
        self.sent = 0.0
        """Seconds of audio handed to the transport and not recalled."""
        self.play_end = 0.0
        """When the last of that audio will have been played, on the loop's clock."""
        self.replies: list[Reply] = []  # never long: a deque takes more memory
        """Replies that have begun at the speaker and are not done."""
        self.cues: deque[Cue] = deque()
        """Cues whose audio was sent and has not been played yet, in order."""
        self.lately: list[Sentence] = []
        """The sentences that were begun last."""
        self._sentence: Sentence | None = None
        self._reply: Reply | None = None
        self._confirmed = 0.0
        self._names = 0

    def audio(self, seconds: float, now: float) -> None:
        """Record that `seconds` of audio are handed to the transport at `now`."""
        begin = max(self.play_end, now)
        self.play_end = begin + seconds
        self.sent += seconds
        sentence = self._sentence
        if sentence is not None:
            sentence.began = min(sentence.began, begin)
            sentence.ended = self.play_end

    def heard(self, now: float) -> float:
        """The position up to which audio was heard and cannot be recalled, by the clock or the peer's confirmation."""
        return max(self._confirmed, self.sent - max(0.0, self.play_end - now))

    def begin(self, reply: Reply, *, part: bool) -> Cue | None:
        """Begin `reply`: the speech from now on belongs to it. Returns the cue that ends the reply before, if that was
        never ended."""
        cue = None
        if not part:
            cue = self.end()
            self._reply = reply
        reply.start = self.sent
        return cue

    def open(self, mark: Mark) -> Cue | None:
        """Begin a sentence. Returns the cue that closes the one before, if that was open."""
        cue = self.close()
        self._sentence = Sentence(mark, self.sent, self._reply)
        self.lately.append(self._sentence)
        del self.lately[:-LATELY]
        return cue

    def insert(self, seconds: float) -> None:
        """Record that the next `seconds` of audio handed to the transport are no part of the open sentence."""
        if self._sentence is not None:
            self._sentence.inserted.append((self.sent, seconds))

    def close(self) -> Cue | None:
        """End the open sentence, if there is one. Returns its cue."""
        sentence, self._sentence = self._sentence, None
        if sentence is None:
            return None
        sentence.end = self.sent
        return self._cue(sentence)

    def end(self, part: Reply | None = None) -> Cue | None:
        """End the reply, or the given part of it. Returns a new cue, or None if the last one is at this position."""
        cue = None if part is not None else self.close()
        reply = part or self._reply
        if reply is None:
            return cue
        if part is None:
            self._reply = None
        if not self.cues or self.cues[-1].position < self.sent - EPSILON:
            cue = self._cue(None)
        self.cues[-1].replies.append(reply)
        return cue

    def echo(self, name: str) -> list[Cue]:
        """Take the cue `name`, which the peer has returned, and every cue before it as played. Unknown names - of cues
        that were cleared since, or played long ago - are ignored."""
        if all(cue.name != name for cue in self.cues):
            return []
        played = [self._play()]
        while played[-1].name != name:
            played.append(self._play())
        return played

    def elapse(self, now: float, grace: float) -> list[Cue]:
        """Take cues as played that should have been played `grace` seconds ago or earlier."""
        played = []
        while self.cues and self.cues[0].at + grace <= now + EPSILON:
            played.append(self._play())
        return played

    def clear(self, now: float, queued: float, *, closed: bool) -> Cleared:
        """Recall everything that was not heard at `now`.

        `queued` is how many seconds of the open sentence's audio had arrived and were not sent, `closed`
        whether its end was among them.
        """
        heard, arrived = self.heard(now), self.sent + queued
        played = []
        while self.cues and self.cues[0].position <= heard + EPSILON:
            cue = self._play()
            if cue.sentence is not None:
                played.append(cue.sentence.mark)
        cutoff = [cue.sentence for cue in self.cues if cue.sentence is not None]
        if self._sentence is not None:
            self._sentence.end = arrived if closed else None
            cutoff.append(self._sentence)
        for sentence in cutoff:
            if sentence.reply is not None:
                sentence.reply.add(sentence.cut(heard, arrived))
        replies = list(self.replies)
        for reply in replies:
            reply.finish(heard, interrupted=True)
        self.replies.clear()
        self.cues.clear()
        self._sentence = self._reply = None
        self.sent = self._confirmed = heard
        self.play_end = min(self.play_end, now)
        for sentence in self.lately:
            sentence.ended = min(sentence.ended, now)
        words = " ".join(reply.heard for reply in replies if reply.heard)
        first = min((reply.start for reply in replies if reply.start is not None), default=heard)
        return Cleared(played, words, max(0.0, heard - first))

    def _cue(self, sentence: Sentence | None) -> Cue:
        self._names += 1
        cue = Cue(f"voiceflow-{self._names}", self.sent, self.play_end, sentence)
        self.cues.append(cue)
        return cue

    def _play(self) -> Cue:
        cue = self.cues.popleft()
        self._confirmed = max(self._confirmed, cue.position)
        if cue.sentence is not None and cue.sentence.reply is not None:
            cue.sentence.reply.add(cue.sentence.mark.text)
        for reply in cue.replies:
            self.replies.remove(reply)
            reply.finish(cue.position)
        return cue
