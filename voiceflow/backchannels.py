"""Phrases that take no turn: backchannels, by which listeners show that they listen, and what callers say to hear
whether the agent is still there."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_SOUNDS = """uh-huh, uhhuh, uh-hum, uhum, um-hum, um-hmm, uhm, uhuh, uh, um, er, mm, mmh, hum, huh, aha, aham, ah,
    oh, ooh, ow, eh, ok, o.k., okay, okey, oké"""
_ENGLISH = """yeah, yea, yah, yep, yup, yes, right, sure, alright, all right, right on, i see, got it, gotcha, go on,
    true, that's right, that's true, exactly, absolutely, indeed, of course, i know, i understand, understood,
    makes sense, sounds good, fine, cool, great, nice, good, very good, perfect, wow, oh wow, really"""
_GERMAN = """ja, jaja, jep, jo, jawohl, genau, gut, sehr gut, schön, klar, na klar, alles klar, natürlich, stimmt,
    richtig, verstehe, ich verstehe, verstanden, in ordnung, ach, ach so, achso, aso, ach ja, eben, super, prima, äh,
    ähm, öh"""
_FRENCH = """oui, ouais, d'accord, d'ac, voilà, bien, très bien, bien sûr, tout à fait, je vois, je comprends, compris,
    c'est ça, exactement, effectivement, parfait, entendu, mouais, mmh, euh, ah bon, ah oui"""
_SPANISH = """sí, vale, claro, claro que sí, ajá, ya, ya veo, entiendo, comprendo, entendido, de acuerdo, exacto,
    correcto, eso, eso es, así es, por supuesto, bueno, bien, muy bien, perfecto, mjm"""
_ITALIAN = """sì, certo, già, esatto, giusto, d'accordo, va bene, bene, benissimo, perfetto, capito, ho capito,
    capisco, chiaro, ecco, infatti, appunto, ah sì"""
_PORTUGUESE = """sim, claro, certo, isso, isso mesmo, pois, pois é, exato, exatamente, entendi, entendo, percebo,
    percebi, tá, tá bom, tá certo, está bem, tudo bem, com certeza, beleza, uhum, ahã"""
_DUTCH = """ja, jawel, jep, goed, prima, precies, klopt, juist, inderdaad, zeker, natuurlijk, tuurlijk, duidelijk,
    begrijp ik, ik begrijp het, begrepen, snap ik, ik snap het, oh ja"""


def _listed(*lists: str) -> frozenset[str]:
    return frozenset(" ".join(phrase.split()) for phrases in lists for phrase in phrases.split(","))


BACKCHANNELS: Final = _listed(_SOUNDS, _ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _PORTUGUESE, _DUTCH)
"""Backchannels in English, German, French, Spanish, Italian, Portuguese and Dutch, and hesitations. None of them
refuses or asks to wait."""

_ANYBODY_THERE = """hello, hello there, hi, hey, anyone there, anybody there, is anyone there, is anybody there,
    you there, are you there, are you still there, you still there, still there, can you hear me, do you hear me,
    hallo, noch da, sind sie noch da, sind sie da, bist du noch da, bist du da, ist da jemand, jemand da,
    hören sie mich, können sie mich hören, hörst du mich, kannst du mich hören,
    allô, vous êtes là, vous êtes toujours là, êtes-vous là, êtes-vous toujours là, tu es là, t'es là,
    il y a quelqu'un, y a quelqu'un, vous m'entendez, m'entendez-vous, tu m'entends,
    hola, aló, bueno, oiga, diga, está ahí, sigue ahí, estás ahí, sigues ahí, hay alguien, hay alguien ahí, me oye,
    me escucha, me oyes, me escuchas,
    pronto, c'è ancora, è ancora lì, ci sei, ci sei ancora, c'è nessuno, c'è qualcuno, mi sente, mi senti,
    alô, olá, está aí, ainda está aí, estás aí, tem alguém aí, está me ouvindo, consegue me ouvir, está a ouvir-me,
    bent u er nog, ben je er nog, bent u daar, ben je daar, is daar iemand, is er iemand, hoort u mij, hoor je me,
    hoor je mij"""
ANYBODY_THERE: Final = _listed(_ANYBODY_THERE)
"""What a caller says who waits and hears nothing, in the same languages."""

_STRETCHED: Final = re.compile(r"([^\W\d])\1{2,}")  # "hmmmm"
_HUM: Final = re.compile(r"\b[hmf]+\b")  # as recognisers write it: "mhm", "mmfm", "M.M.F."


def words(text: str) -> list[str]:
    """The words of `text`, without case, accents and punctuation; hyphens and apostrophes separate words.

    >>> words("Uh-huh, d'accord!")
    ['uh', 'huh', 'd', 'accord']
    """
    plain = _STRETCHED.sub(r"\1\1", text.casefold())
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return re.findall(r"\w+", _HUM.sub("mm", plain))


@functools.lru_cache(maxsize=64)
def _taken_apart(phrases: frozenset[str]) -> frozenset[tuple[str, ...]]:
    """The words of each of `phrases`. Calls share them: those of `BACKCHANNELS` take most of a millisecond."""
    return frozenset(tuple(words(phrase)) for phrase in phrases) - {()}


class Phrases:
    """Phrases that do not count as saying something."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = _taken_apart(frozenset(phrases))
        self._longest = max(map(len, self._phrases), default=0)

    def count(self, text: str) -> int:
        """How many words of `text` belong to none of the phrases."""
        said = words(text)
        place = counted = 0
        while place < len(said):
            size = self._match(said, place)
            counted += not size
            place += size or 1
        return counted

    def _match(self, said: list[str], place: int) -> int:
        """The number of words of the longest phrase that begins at word number `place`; 0 if none does."""
        sizes = range(min(self._longest, len(said) - place), 0, -1)
        return next((size for size in sizes if tuple(said[place : place + size]) in self._phrases), 0)
