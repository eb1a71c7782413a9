"""The languages that are written out."""

from voiceflow.processors.spoken.grammar import Grammar
from voiceflow.processors.spoken.languages.english import English
from voiceflow.processors.spoken.languages.french import French
from voiceflow.processors.spoken.languages.german import German
from voiceflow.processors.spoken.languages.spanish import Spanish

GRAMMARS: dict[str, type[Grammar]] = {grammar.code: grammar for grammar in (English, German, French, Spanish)}
