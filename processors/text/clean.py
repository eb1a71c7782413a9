"""Removes from streamed text what is not to be spoken: markdown, links, citations, tags, emoji, a model's thoughts.

Only text that may still become markup is held back; other text passes at once, except for spaces, which come with the
text that follows them. How the text was cut into pieces makes no difference, and text that was cleaned before passes
unchanged.

What stays: the numbers of lists (`1. First` is spoken like that), the contents of code, the text of links, formulas in
plain text, and `&`, `%` and `$`, which a voice reads in its own language. The end of a line, a blank line and `<br>`
become a newline, which ends a sentence. The border between two cells of a table becomes a comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from voiceflow.frames import LLMCut, LLMEnd, LLMText
from voiceflow.processor import Processor
from voiceflow.processors.text import markup
from voiceflow.processors.text.brackets import link, source
from voiceflow.processors.text.cuts import WAIT, Cut, entity, fence, is_open, is_said, is_wide
from voiceflow.processors.text.formulas import formula
from voiceflow.processors.text.machine import marker, region

_STOPS = ".,;:!?…\n"
_CLOSES = {"(": ")", "<": ">"}


class SpeechCleaner:
    """Cleans one reply as it streams: text in, text out. `link_hint` is spoken in place of an address.

    >>> cleaner = SpeechCleaner(link_hint="our page")
    >>> cleaner.feed("**Sure!** Visit https://exam"), cleaner.feed("ple.com.\\n\\n- Bye"), cleaner.flush()
    ('Sure! our page', '.\\nBye', '')
    """

    def __init__(self, link_hint: str = "") -> None:
        self._link_hint = link_hint
        self._begin()

    def _begin(self) -> None:
        self._text = ""
        """The text that is held back."""
        self._said = ""
        """The last character that was passed on."""
        self._space = False
        """Whether a space came after it."""
        self._removed = False
        """Whether something was removed after it."""
        self._thought = ""
        """The tag that will end the current thought; empty outside of thoughts."""
        self._url: str | None = None
        """The bracket that will close the current address, empty if none is open; None outside of addresses."""

    def feed(self, text: str) -> str:
        """Take a piece of the reply; returns the text that can be spoken now."""
        said: list[str] = []
        for start in range(0, len(text), markup.PIECE):  # what is cleaned again is copied with the text after it
            self._text += text[start : start + markup.PIECE]
            said += self._clean(over=False)
        return "".join(said)

    def flush(self) -> str:
        """End the reply: returns the text that was still held back, and gets ready for a new reply."""
        rest = "".join(self._clean(over=True))
        self._begin()
        return rest

    @property
    def _starts_line(self) -> bool:
        return self._said in ("", "\n")

    def _clean(self, *, over: bool) -> Iterator[str]:
        text, at = self._text, 0
        while at < len(text):
            cut = self._next(text, at, over=over)
            if cut is WAIT:
                break
            at += cut.size
            if cut.again:
                text, at = cut.again + text[at:], 0
            if cut.say:
                yield from self._say(cut.say)
            self._space |= cut.space
            self._removed |= cut.removed
        self._text = text[at:]

    def _say(self, text: str) -> Iterator[str]:
        if text == "\n":
            text = "" if self._starts_line else text
        else:
            if self._removed and self._said in _STOPS:
                text = text.lstrip(_STOPS)  # these stops closed only what was removed
                if not text:
                    return
            if self._said == "<" and text[0] in markup.TAG_NAME:
                self._space = True  # or it would look like a tag later
            if self._space and not self._starts_line and not (self._removed and text[0] in markup.CLOSING):
                text = " " + text
        self._space = self._removed = False
        if text:
            self._said = text[-1]
            yield text

    def _next(self, text: str, at: int, *, over: bool) -> Cut:
        if self._thought:
            return self._think(text, at)
        if self._url is not None:
            return self._skip_url(text, at, over=over)
        char = text[at]
        if char in markup.NEWLINES:
            return Cut(1, "\n")
        if char.isspace():
            self._space = True
            return Cut(1)
        cut = self._line_start(text, at, over=over) if self._starts_line else None
        return cut or self._inline(text, at, over=over)

    def _line_start(self, text: str, at: int, *, over: bool) -> Cut | None:
        """The cut for what is markup only at the start of a line; None for everything else."""
        if rule := markup.RULE.match(text, at):
            size = len(rule[0])
            if is_open(text, rule.end(), size, over=over):
                return WAIT
            if size >= markup.HOLD or text[rule.end() : rule.end() + 1] in markup.NEWLINES:  # or at the end
                return Cut(size)
            if bullet := markup.BULLET.match(text, at):
                return Cut(len(bullet[0]))
            return Cut(1) if text[at] == "|" else None
        if heading := markup.HEADING.match(text, at):
            size = len(heading[0])
            if is_open(text, heading.end(), size, over=over):
                return WAIT
            is_word = size == 1 and not text[heading.end() : heading.end() + 1].isspace() and heading.end() < len(text)
            return Cut(size, "#" if is_word else "")
        if text[at] == ">":
            after = text[at + 1 : at + 2]
            if not after and not over:
                return WAIT
            return None if after == "=" else Cut(1)
        if found := markup.FENCE.match(text, at):
            return fence(text, at, found.end(), over=over)
        return None

    def _inline(self, text: str, at: int, *, over: bool) -> Cut:
        match text[at]:
            case "$" | "\\" if self._space or not self._said.isalnum():  # US$ 5
                return formula(text, at, over=over) or self._run(text, at, over=over)
            case "*" | "_" | "~" | "`" | "\\" | "=":
                return self._run(text, at, over=over)
            case "[":
                return link(text, at, at, starts_line=self._starts_line, over=over)
            case "【":
                return source(text, at, over=over)
            case "!" if self._space or self._starts_line:  # elsewhere it ends a sentence
                if at + 1 == len(text) and not over:
                    return WAIT
                is_image = text[at + 1 : at + 2] == "["
                return link(text, at, at + 1, starts_line=False, over=over) if is_image else Cut(1, "!")
            case "<":
                return self._tag(text, at, over=over)
            case "&":
                return entity(text, at, over=over)
            case "|":
                return self._cell(text, at, over=over)
        if emoji := markup.EMOJI_RUN.match(text, at):
            self._removed = True
            self._space |= bool(emoji[0].strip(markup.JOINERS))
            return Cut(len(emoji[0]))
        if plain := markup.PLAIN.match(text, at):
            return self._address(text, at, over=over) or Cut(len(plain[0]), plain[0])
        return Cut(1, text[at])

    # Links

    def _address(self, text: str, at: int, *, over: bool) -> Cut | None:
        """The cut for the beginning of an address, with the words that introduce it; None if there is none at `at`."""
        if not self._space and self._said.isalnum() and not is_wide(self._said) and text[at].isalnum():
            return None  # within a word
        if self._said in ("'", "’") and text[at] not in "hHwW":
            return None  # within a word such as it's
        if found := markup.LINK.match(text, at):
            self._url = "".join(_CLOSES[char] for char in found[0] if char in _CLOSES)[-1:]
            is_definition = self._removed and self._starts_line  # [1]: https://x.com
            self._removed = True
            return Cut(len(found[0]), "" if is_definition else self._link_hint)
        rest = text[at : at + markup.LONGEST_OPENING].lower()
        return WAIT if not over and at + len(rest) == len(text) and rest in markup.LINK_BEGINS else None

    def _skip_url(self, text: str, at: int, *, over: bool) -> Cut:
        url = markup.URL.match(text, at)
        assert url is not None
        tail = markup.URL_TAIL.search(url[0])
        assert tail is not None
        if url.end() == len(text) and not over:
            return Cut(tail.start()) if tail.start() else WAIT
        closes = text[at + tail.start() : at + tail.start() + 1]
        size = tail.start() + (1 if closes and closes == self._url else 0)
        self._url = None
        return Cut(size)

    # Tags

    def _tag(self, text: str, at: int, *, over: bool) -> Cut:
        if (cut := self._address(text, at, over=over)) is not None:
            return cut
        if (cut := marker(text, at, over=over)) is not None:
            self._thought = region(text, at)
            return cut
        if address := markup.AUTOLINK.match(text, at, at + markup.HOLD):
            return Cut(len(address[0]), address[1] or address[2])
        tag = markup.TAG.match(text, at, at + markup.HOLD)
        if tag is None:
            may_be = not over and len(text) - at < markup.HOLD and markup.TAG_BEGINS.match(text, at)
            return WAIT if may_be else Cut(1, "<")
        name = (tag[1] or "").lower()
        if name in markup.THOUGHTS and not tag[0].startswith("</"):
            self._thought = f"</{name}>"
        return Cut(len(tag[0]), "\n" if name in markup.BREAKS else "")

    def _think(self, text: str, at: int) -> Cut:
        end = re.compile(re.escape(self._thought), re.IGNORECASE).search(text, at)
        if end is None:
            size = max(0, len(text) - at - len(self._thought) + 1)
            return Cut(size) if size else WAIT
        self._thought = ""
        return Cut(end.end() - at)

    # Emphasis, code, tables

    def _run(self, text: str, at: int, *, over: bool) -> Cut:
        run = markup.RUN.match(text, at)
        if run is None:
            return Cut(1, text[at])
        size = len(run[0])
        if is_open(text, run.end(), size, over=over) and run[1] != "`":
            return WAIT
        before = " " if self._space or self._starts_line else self._said
        after = text[run.end() : run.end() + 1] or " "
        return Cut(size, run[0] if is_said(run[0], before, after) else "")

    def _cell(self, text: str, at: int, *, over: bool) -> Cut:
        cell = markup.CELL.match(text, at)
        assert cell is not None
        size = len(cell[0])
        if is_open(text, cell.end(), size, over=over):
            return WAIT
        ends_line = size >= markup.HOLD or text[cell.end() : cell.end() + 1] in markup.NEWLINES  # or at the end
        if ends_line or self._said in ",;:":
            return Cut(size)
        self._space = False
        return Cut(1, ",", space=True)


class CleanForSpeech(Processor):
    """Removes from the agent's text what cannot be spoken; `link_hint` is spoken in place of addresses. The stage
    around `SpeechCleaner`."""

    def __init__(self, link_hint: str = "") -> None:
        self._link_hint = link_hint
        self._cleaner = SpeechCleaner(link_hint)

    def process(self, frame: LLMText | LLMCut | LLMEnd) -> Iterator[LLMText | LLMCut | LLMEnd]:
        if isinstance(frame, LLMText):
            text = self._cleaner.feed(frame.text)
            if text:
                yield frame if text == frame.text else LLMText(text)
        else:
            yield from self.finish()
            yield frame

    def finish(self) -> Iterator[LLMText]:
        text = self._cleaner.flush()
        if text:
            yield LLMText(text)

    def reset(self) -> None:
        self._cleaner = SpeechCleaner(self._link_hint)
