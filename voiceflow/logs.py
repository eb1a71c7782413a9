"""The loggers of voiceflow. Telephone numbers are masked in what they log, wherever it is written: `+1...1234`.

    log = get_logger("voiceflow.server")

They are masked in the records themselves, whoever formats those. Library code and tracebacks pass no logger of ours:
`masked` is for the formatters of programs.
"""

from __future__ import annotations

import logging
import re
from typing import Final

_NUMBERS: Final = re.compile(
    r"""
    (?P<plus> \+ | %2B ) [1-9] (?: [ ().-]{0,2} \d ){6,14} (?!\d)       # international
    | (?<= sip: | tel: ) \d{5,15} (?!\d)
    | (?<= sips: ) \d{5,15} (?!\d)
    | (?<! [\w.+-] ) \(? \d{3} \)? [ .-] \d{3} [ .-] \d{4} (?! \w )     # as in North America: (512) 555-1234
    | (?<! [\w.+-] ) 0 \d{1,4} [ /-] \d{5,9} (?! \w )                   # as in Europe: 030 1234567
    | (?<! [\w.+-] ) \d{8,15} (?! \w | \.\d | -\w{4}- | \ (?:bytes|samples|frames|Hz|ms|s)\b )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_shown = False


def show_numbers(shown: bool) -> None:
    """Whether telephone numbers are logged as they are, in this process."""
    global _shown
    _shown = shown


def get_logger(name: str) -> logging.Logger:
    """The logger of this name, which masks telephone numbers."""
    found = logging.getLogger(name)
    found.addFilter(_mask)
    return found


def masked(text: str) -> str:
    """`text` with the telephone numbers in it as `+1...1234`, unless numbers are to be logged."""
    return text if _shown else _NUMBERS.sub(_shortened, text)


def _shortened(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0].removeprefix(match["plus"] or ""))
    if match["plus"] is None:
        return f"...{digits[-4:]}"
    return f"+{digits[0] if digits[0] in '17' else digits[:2]}...{digits[-4:]}"  # 1 and 7 are whole country codes


def _mask(record: logging.LogRecord) -> bool:
    if not _shown:
        record.msg, record.args = masked(record.getMessage()), ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = masked(logging.Formatter().formatException(record.exc_info))
    return True
