"""The language of a call: its route's, else the one in which the caller was recognised, else the voice's."""

from __future__ import annotations

from typing import Final

from voiceflow.frames import Frame, Transcript
from voiceflow.route import Route
from voiceflow.words import Words, code_of, language_of, words

from .log import CallLog
from .subscribers import Subscribers

AUTO: Final = "auto"
"""The language of routes whose callers' language is to be recognised."""
SURE: Final = 2
"""How many words an utterance must have, or how many shorter ones must agree: recognition errs on short ones."""


class CallLanguage:
    """The language of one call, as a code of ISO 639 such as `de`."""

    def __init__(self, route: Route, log: CallLog) -> None:
        self._overrides = route.words
        self._fixed = _fixed(route)
        self._first = ours(route)[0]
        self._recognised = ""
        self._guess = ""
        """The language of the last utterance, where it was too short to be sure."""
        self.changed: Subscribers[[str]] = Subscribers("on_language", log)

    @property
    def code(self) -> str:
        return self._recognised or self._first

    @property
    def is_fixed(self) -> bool:
        """Whether the route says which it is."""
        return bool(self._fixed)

    @property
    def words(self) -> Words:
        """Our sentences in the language, or as the route has them."""
        return words(self.code, self._overrides)

    def by(self, voice: str) -> None:
        """The call is spoken by this voice, which may be another than the route's."""
        if not self._fixed:
            self._first = language_of(voice) or self._first

    def hear(self, frame: Frame) -> None:
        """Take what the caller said."""
        if self._fixed or not isinstance(frame, Transcript) or not frame.final:
            return
        heard, before = code_of(frame.language), self.code
        if heard and (len(frame.text.split()) >= SURE or heard == self._guess):
            self._recognised = heard
        self._guess = heard
        if self.code != before:
            self.changed(self.code)


def ours(route: Route) -> tuple[str, Words]:
    """The language of a route's calls before the caller has spoken, and our sentences in it."""
    code = _fixed(route) or language_of(route.tts_voice) or "en"
    return code, words(code, route.words)


def _fixed(route: Route) -> str:
    """The language that the route names; "" if it names none."""
    code = code_of(route.language)
    return "" if code == AUTO else code
