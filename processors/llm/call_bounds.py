"""Where a call that a model has written as text begins and ends. No I/O in here."""

from __future__ import annotations

import re

from voiceflow.processors.llm import markers
from voiceflow.processors.llm.written_calls import ARGUMENTS, LISTS, NAMES, Tools, end_of_value

LONGEST = 8000
"""Characters that a call may have."""

_KEYS = (*NAMES, *LISTS, *ARGUMENTS, "type", "id", "tool_call_id")
_LONGEST_BEGINNING = 80
_LINE = r"functools\[|Action:\s*(?:```|[\[{])"
_LINE_BEGUN = re.compile(r"Action:\s*`{0,2}\Z")
_FENCE = re.compile(r"```[ \t]*([A-Za-z_]*)[ \t]*\n")
_BEGUN = re.compile(
    r"(?:`{1,2}|```[ \t]*[A-Za-z_]{0,12}[ \t]*|\[\s*|(?:\[\s*)?\{\s*(?:[\"'][\w-]{0,64}(?:[\"']\s*)?)?)\Z"
)
_TOKEN = r"<\|[^<>|]*\|>\s*"
_VALUE = re.compile(rf"\s*(?:{_TOKEN})*(?:[\[{{]|[A-Za-z_][\w.:-]*\s*(?:\[[A-Z_]+\][\w-]*\s*|{_TOKEN})*\{{)")
_NAMES_TOOL = re.compile("<(?:function=|invoke)")
_ANY_BRACKET = re.compile(r"[\[{(]")
_SHAPE = (
    re.compile(r"[\"'](?:name|tool_name|function|tool)[\"']\s*:\s*[\"']"),
    re.compile(r"[\"'](?:arguments|parameters|tool_input)[\"']\s*:"),
)


class WrittenCall:
    """The call that is being read: where it begins and ends in the text of an answer."""

    def __init__(self, tools: Tools) -> None:
        names = "|".join(map(re.escape, sorted(tools, key=len, reverse=True)))
        self._keys = re.compile(rf"\[?\s*\{{\s*[\"'](?:{'|'.join((*_KEYS, *map(re.escape, tools)))})[\"']\s*:")
        self._named = re.compile(rf"\[\s*(?:{names})\(" if names else r"\Z.")
        self._line = re.compile(
            rf"(?:{names})\(|>>>(?:{names})\s|{_LINE}" if names else _LINE,
        )
        self._begun = {
            word[:size]
            for name in tools
            for word in (f"{name}(", f"[{name}(", f">>>{name}\n")
            for size in range(1, len(word))
        } | {word[:size] for word in ("Action:", "functools[") for size in range(1, len(word) + 1)}
        self._reset()

    def _reset(self) -> None:
        self.opening = ""
        """What belongs to the call of the text before it."""
        self.is_marked = False
        """Whether a marker says that it is a call."""
        self._ends: re.Pattern[str] | None = None
        self._fenced = False

    def begins_line(self, text: str, at: int, *, over: bool) -> bool | None:
        """Whether a call begins at `at`, the beginning of a line. None if that is undecided."""
        self._reset()
        if self._line.match(text, at):
            return True
        rest = text[at : at + _LONGEST_BEGINNING]
        undecided = not over and (rest in self._begun or _LINE_BEGUN.match(text, at) is not None)
        return None if undecided else False

    def begins(self, text: str, at: int, *, over: bool) -> bool | None:
        """Whether a call begins at the bracket or backtick at `at`. None if that is undecided."""
        self._reset()
        if fence := _FENCE.match(text, at):
            self._fenced = True
            self.is_marked = fence[1].lower().startswith("tool")
            return True
        if self._keys.match(text, at) or self._named.match(text, at):
            return True
        rest = text[at : at + _LONGEST_BEGINNING]
        undecided = not over and (rest in self._begun or _BEGUN.match(text, at) is not None)
        return None if undecided else False

    def is_opened_by(self, marker: str) -> bool:
        """Whether `marker` begins a call."""
        for begins, ends in markers.CALLS:
            if begins.fullmatch(marker):
                self._reset()
                self.opening = marker if _NAMES_TOOL.match(marker) else ""
                self.is_marked, self._ends = True, ends
                return True
        return False

    def open_named(self, name: str) -> None:
        """A call of the tool `name` begins, of which the arguments follow."""
        self._reset()
        self.opening, self.is_marked, self._ends = name, True, markers.NEXT_MESSAGE

    def ends(self, text: str, at: int, *, over: bool) -> tuple[int, int] | None:
        """Where the call ends of which the text begins at `at`, without the marker of its end, and with it. None if it
        goes on."""
        end = self._end(text, at)
        if end is None and (over or len(text) - at > LONGEST):
            return len(text), len(text)
        return end

    def _end(self, text: str, at: int) -> tuple[int, int] | None:
        ends = []
        if self._fenced:
            fence = text.find("```", at + 3)
            ends += [(fence + 3, fence + 3)] if fence >= 0 else []
        else:
            bracket = _VALUE.match(text, at) if self.is_marked else _ANY_BRACKET.search(text, at)
            end = end_of_value(text, bracket.end() - 1) if bracket else None
            ends += [(end, end)] if end is not None else []
        if self._ends is not None and (closed := self._ends.search(text, at)):
            ends.append((closed.start(), closed.end()))
        if turn := markers.TURN_ENDS.search(text, at):
            ends.append((turn.start(), turn.start()))
        return min(ends, default=None)

    def is_sure(self, body: str) -> bool:
        """Whether `body` can be nothing but a call, though it may be of an unknown tool."""
        return self.is_marked or bool(_SHAPE[0].search(body) and _SHAPE[1].search(body))
