"""Reduces a model's stream of text to what may be spoken: no thoughts, no calls of tools, no markers of chat templates,
no control characters. No I/O in here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from voiceflow.processors.llm import markers
from voiceflow.processors.llm.call_bounds import WrittenCall
from voiceflow.processors.llm.messages import ToolCall
from voiceflow.processors.llm.written_calls import Tools, written_calls

_UNSPEAKABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff\ud800-\udfff\ufffd\ufffe\uffff]")
"""Control and invisible characters, halves of surrogate pairs, and the replacement for bytes that are not UTF-8."""
_THOUGHTS_BEGIN = (
    *("okay", "ok", "alright", "hmm", "wait", "so", "first", "let me", "let's", "the user", "the caller"),
    *(f"{who} {does}" for who in ("i", "we") for does in ("need", "should", "must", "have to")),
)
"""How models begin to think."""
_INTERESTING = re.compile(r"<(?!<)|[\[{`◁\n]")
"""Where something may begin that is not spoken."""
_BEFORE_MESSAGE = re.compile(r"(.{0,200}?)<\|message\|>", re.DOTALL)
_ROLE = re.compile(r"[ \t]*([A-Za-z_]*)[ \t]*\n?")
_AFTER_CALL = re.compile(r"[\s;,`]*")

Cut: TypeAlias = tuple[int, str]
"""Up to which place the text is done with, and what is spoken of it."""
State: TypeAlias = Callable[[str, int, bool], Cut | None]
"""Takes the text, the place from which on it is not yet done with, and whether it is complete. None waits for more."""


class SpokenText:
    """Takes an answer piece by piece, however it is cut, and returns what the caller may hear of it.

    `tools` are those that may be called. If the model `thinks` first, nothing is spoken until a thought ends that did
    not begin, since its beginning was in the prompt; if none ends, all of it is spoken. Where it is not known (None),
    that depends on the first words.
    """

    def __init__(self, tools: Tools | None = None, *, thinks: bool | None = False) -> None:
        self.calls: list[ToolCall] = []
        """The calls of tools that were written so far."""
        self.thought_aloud = False
        """Whether a thought has ended that did not begin: what was spoken before it was that thought."""
        self.after_thought = ""
        """What is spoken of the last piece after the end of such a thought."""
        self._tools = tools or {}
        self._call = WrittenCall(self._tools)
        self._held = ""
        self._state: State = {True: self._think_first, False: self._speak, None: self._may_think}[thinks]
        self._thought_ends = markers.THOUGHT_ENDS
        self._begun = False
        """Whether anything was spoken."""
        self._blank = True
        """Whether nothing of the present line was spoken."""

    def feed(self, piece: str) -> str:
        return self._run(self._held + _UNSPEAKABLE.sub("", piece), over=False)

    @property
    def held_back(self) -> int:
        """How many characters are held back because they may be a thought."""
        return len(self._held) if self._state in (self._think_first, self._may_think) else 0

    def release(self) -> str:
        """Return what is held back because it may be a thought: it is none."""
        self._state = self._speak
        return self._run(self._held, over=False)

    def finish(self, *, cut: bool = False) -> str:
        """Return the text that was held back and may be spoken. A thought that was never closed is not, nor what seems
        to be one where the answer was `cut` off."""
        if cut and self._state == self._think_first and _seems_a_thought(self._held, over=True):
            return ""
        return self._run(self._held, over=True)

    def _run(self, text: str, *, over: bool) -> str:
        spoken, at, self.after_thought = "", 0, ""
        while at < len(text) and (cut := self._state(text, at, over)) is not None:
            aloud = self.thought_aloud
            at, said = cut
            said = said if self._begun else said.lstrip()
            self._begun = self._begun or bool(said)
            line = said.rpartition("\n")[2]
            self._blank = not line.strip() and (self._blank or line is not said)
            spoken += said
            self.after_thought += said if aloud else ""
        self._held = text[at:]
        return spoken

    # The states

    def _speak(self, text: str, at: int, over: bool) -> Cut | None:
        if self._blank and not text[at].isspace():
            size = self._call.begins_line(text, at, over=over)
            if size is None:
                return None
            if size:
                return self._enter(self._in_call, at)
        found = _INTERESTING.search(text, at)
        if found is None:
            return len(text), text[at:]
        if found.start() > at or found[0] == "\n":
            end = found.end() if found[0] == "\n" else found.start()
            return end, text[at:end]
        if marker := markers.BRACKETED.match(text, at):
            if (cut := self._marker(marker[0], marker.end())) is not None:
                return cut
        elif not over and markers.BEGUN.match(text, at):
            return None
        size = self._call.begins(text, at, over=over)
        if size is None:
            return None
        if size:
            return self._enter(self._in_call, at)
        return at + 1, text[at]

    def _marker(self, marker: str, end: int) -> Cut | None:
        """Take `marker`, which ends at `end`. None if it is text like any other."""
        if markers.THOUGHT.fullmatch(marker):
            self._thought_ends = markers.THOUGHT_ENDS
            return self._enter(self._think, end)
        if markers.THOUGHT_ENDS.fullmatch(marker):
            self.thought_aloud = self.thought_aloud or self._begun
            self._begun = False
            return end, ""
        if self._call.is_opened_by(marker):
            return self._enter(self._in_call, end)
        if markers.RESULT.fullmatch(marker):
            return self._enter(self._in_result, end)
        if markers.TURN_ENDS.fullmatch(marker):
            return self._enter(self._after_turn, end)
        if role := markers.ROLE.fullmatch(marker):
            named = role["role"] or role["wide"]
            return self._take_role(named, end) if named else self._enter(self._in_role, end)
        if marker == "<|channel|>":
            return self._enter(self._in_channel, end)
        return (end, "") if markers.MARKER.fullmatch(marker) else None

    def _may_think(self, text: str, at: int, over: bool) -> Cut | None:
        seems = _seems_a_thought(text, over=over)
        return None if seems is None else self._enter(self._think_first if seems else self._speak, at)

    def _think_first(self, text: str, at: int, over: bool) -> Cut | None:
        ended = markers.THOUGHT_ENDS.search(text, at)
        if markers.THOUGHT.match(text.lstrip()) or (over and ended is None):
            return self._enter(self._speak, at)
        if ended is None:
            return None
        self.thought_aloud = True
        return self._enter(self._speak, ended.end())

    def _think(self, text: str, at: int, over: bool) -> Cut | None:
        return self._skip(self._thought_ends, text, at, over)

    def _in_result(self, text: str, at: int, over: bool) -> Cut | None:
        return self._skip(markers.RESULT_ENDS, text, at, over)

    def _skip(self, ends: re.Pattern[str], text: str, at: int, over: bool) -> Cut | None:
        if ended := ends.search(text, at):
            return self._enter(self._speak, ended.end())
        begun = None if over else markers.BEGUN.search(text, max(at, len(text) - markers.LONGEST))
        end = begun.start() if begun else len(text)
        return (end, "") if end > at else None

    def _in_call(self, text: str, at: int, over: bool) -> Cut | None:
        ends = self._call.ends(text, at, over=over)
        if ends is None:
            return None
        body, end = text[at : ends[0]], ends[1]
        calls = written_calls(self._call.opening + body, self._tools, sure=self._call.is_sure(body))
        self.calls += calls
        if calls or self._call.is_marked:
            return self._enter(self._after_call, end)
        self._state = self._speak
        return end, text[at:end]  # it only looked like a call

    def _after_call(self, text: str, at: int, over: bool) -> Cut | None:
        end = _AFTER_CALL.match(text, at).end()  # type: ignore[union-attr]  # it matches anything
        if end == len(text) and not over:
            return (end, "") if end > at else None
        return self._enter(self._speak, end)

    def _after_turn(self, text: str, at: int, over: bool) -> Cut | None:
        """After the end of the turn: a line or another turn that follows is no part of the answer."""
        end = at
        while text[end : end + 1].isspace():
            end += 1
        if end == len(text):
            return (end, "") if over else None
        if self._begun and "\n" in text[at:end] and text[end] not in "<[":
            return self._enter(self._closed, end)
        return self._enter(self._speak, at)

    def _in_role(self, text: str, at: int, over: bool) -> Cut | None:
        role = _ROLE.match(text, at)
        assert role is not None
        if role.end() == len(text) and not over:
            return None
        return self._take_role(role[1], role.end())

    def _take_role(self, role: str, end: int) -> Cut:
        own = role.lower() in markers.OWN_ROLES
        return self._enter(self._speak if own else self._closed, end)

    def _in_channel(self, text: str, at: int, over: bool) -> Cut | None:
        """gpt-oss names the channel of a message before it: thoughts, calls of tools, or what is meant for the user."""
        header = _BEFORE_MESSAGE.match(text, at)
        if header is None:
            return None if not over and len(text) - at < markers.LONGEST * 2 else self._enter(self._speak, len(text))
        if "to=" in header[1]:
            self._call.open_named(header[1].partition("to=")[2])
            return self._enter(self._in_call, header.end())
        if header[1].strip().startswith("analysis"):
            self._thought_ends = markers.NEXT_MESSAGE
            return self._enter(self._think, header.end())
        return self._enter(self._speak, header.end())

    def _closed(self, text: str, at: int, over: bool) -> Cut | None:
        return len(text), ""

    def _enter(self, state: State, at: int) -> Cut:
        self._state = state
        return at, ""


def _seems_a_thought(text: str, *, over: bool) -> bool | None:
    """Whether `text` begins as thoughts do. None if that is undecided."""
    begins = text.lstrip().lower().replace("’", "'")
    if not over and any(known.startswith(begins) for known in _THOUGHTS_BEGIN):
        return None
    return any(begins.startswith(known) and not begins[len(known) :][:1].isalnum() for known in _THOUGHTS_BEGIN)
