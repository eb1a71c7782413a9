"""From pieces of text, as a model streams them, to sentences that can be spoken."""

from __future__ import annotations

from voiceflow.processors.text import SentenceSplitter, SpeechCleaner


class Sentences:
    """Collects text and gives it back as sentences, without markup. What has no letter or digit is not spoken."""

    def __init__(self) -> None:
        self.reset()

    def feed(self, text: str) -> list[str]:
        """The sentences that `text` completes."""
        return _spoken(self._splitter.feed(self._cleaner.feed(text)))

    def flush(self) -> list[str]:
        """What is left. After it: like new."""
        return _spoken([*self._splitter.feed(self._cleaner.flush()), *self._splitter.flush()])

    def reset(self) -> None:
        self._cleaner = SpeechCleaner()
        self._splitter = SentenceSplitter()


def _spoken(sentences: list[str]) -> list[str]:
    return [s.strip() for s in sentences if any(map(str.isalnum, s))]
