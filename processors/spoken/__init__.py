"""Writes a sentence out as a person would say it: numbers, dates, times, money, units, addresses, signs, abbreviations.

speaking.py says a sentence, spoken.py keeps which of its parts stand for what was written. rules.py is what is found in
a sentence; grammar.py and languages/ are how it is said.
"""

from voiceflow.processors.spoken.speaking import LANGUAGES, is_ready, speak
from voiceflow.processors.spoken.spoken import Spoken

__all__ = ["LANGUAGES", "Spoken", "is_ready", "speak"]
