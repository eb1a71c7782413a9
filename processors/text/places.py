"""Where in a text a sentence may end."""

from __future__ import annotations

import re
from typing import Final

NEWLINE: Final = r"[\n\r\v\f\x85\u2028\u2029]"
OPENING: Final = "\"'“‘„«»‹›([{¿¡*_"
CLOSES: Final = {"[": "]", "(": ")", "{": "}"}
_CLOSING: Final = r"""["'”’“‘»«›‹)\]}*_]"""  # “ and « close in German; * and _ are emphasis
_OWN_CLOSING: Final = r"""[」』”’）】》"')\]»]"""

_OWN: Final = (
    "\u0589\u037e\u061d-\u061f\u06d4\u0700-\u0702\u07f9\u0837\u0839\u083d\u083e\u0964\u0965\u0f0d\u0f0e\u104b"
    "\u1362\u1367\u1368\u166e\u1735\u1736\u17d4\u17d5\u1803\u1809\u1944\u1945\u1aa8-\u1aab\u1b5a\u1b5b\u1b5e\u1b5f"
    "\u1c3b\u1c3c\u1c7e\u1c7f\u203c\u203d\u2047-\u2049\u2e2e\u3002\ua4ff\ua60e\ua60f\ua6f3\ua6f7\ua876\ua877\ua8ce"
    "\ua8cf\ua92f\ua9c8\ua9c9\uaa5d-\uaa5f\uaaf0\uaaf1\uabeb\ufe52\ufe56\ufe57\uff01\uff0e\uff1f\uff61"
)
"""The marks of Unicode's property Sentence_Terminal, without those of ASCII, and with the Greek question mark and the
Tibetan shad. A space need not follow them."""
_OWN_LETTERS: Final = r"(?<=[\u0561-\u0587]):|(?<=[\u0370-\u03ff\u1f00-\u1fff]);"
"""The colon and the semicolon where they are written for the Armenian full stop and the Greek question mark."""
MARK: Final = r"(?:[•⁃◦‣] ?)?(?P<number>\d{1,3}|[^\W\d_])(?P<form>\.\)|\.|\))"
"""What begins an item of a list: 1. or 1) or 1.) or a."""
_ITEM_BEGINS: Final = r"(?:[•⁃◦‣] ?)?(?:(?:\d{1,3}|[^\W\d_])(?:\.\)?|\))?)?\Z"

# Runs are bounded, and so is the text that is held back while it waits for the end of one.
PLACE: Final = re.compile(
    rf"(?P<newline>{NEWLINE})"
    rf"|(?P<own>(?:[{_OWN}]|{_OWN_LETTERS})[{_OWN}!?…]{{0,15}})(?P<own_closing>{_OWN_CLOSING}{{0,8}})"
    rf"|(?<= )(?=(?P<item>{MARK} |{_ITEM_BEGINS}))"
    rf"|(?P<stop>(?<= )\.(?: \.){{1,7}}|[.!?…]{{1,16}})(?P<closing>{_CLOSING}{{0,8}}(?: [»›])?)(?P<space> ?)"
    rf"|(?P<clause>(?:[,;:،؛]{_CLOSING}{{0,8}}|(?<= )[-–—]{{1,3}}) |[，；：、፣፤፥၊])"
)
"""Where a sentence, or one of its clauses, may end, and before the items of a list. The text must have no two spaces in
a row."""
