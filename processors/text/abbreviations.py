"""Words that are written with a full stop, and words that begin sentences: they tell the end of a sentence from an
abbreviation where the next word is capitalised. English, German, French, Spanish and Italian, in lower case."""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEVER_LAST: Final = _words("""
    dr mr mrs ms mx prof rev hon gov sen pres capt cmdr col cpl gen lt maj sgt supt messrs mt dipl frl hrn pfr
    mme mmes mlle mlles sra srta dott sig.ra sigg avv
    vs e.g i.e cf ex viz approx esp est excl incl orig resp
    z.b z.t d.h u.a i.d.r i.a s.o s.u v.a o.ä bzw ca evtl ggf inkl exkl einschl ausschl zzgl abzgl gem bspw sog vgl tgl
    geb ehem gest hrsg insb jew ungef verh
    p.ex c.-à-d c.à.d env p.ej aprox avda
""")
"""Abbreviations that never end a sentence: the name, example or number that they announce follows."""

BEFORE_NUMBER: Final = _words(
    "no nos nr nrn num núm n p pp pg vol ch sec fig figs eq art par abs kap bd s tel ext apt rm mind pos"
)
"""Abbreviations if a number follows, ordinary words otherwise."""

SOMETIMES_LAST: Final = _words("""
    inc ltd co corp bros llc plc dept univ assn gmbh jr sr esq al etc usw usf ff max st ave blvd rd hwy str pl sq ft mm
    hr fr sig ph.d a.m p.m a.d b.c jan feb febr mar apr aug sept oct nov dec okt dez janv févr juil déc ene
""")
"""Abbreviations that end a sentence if the next word is one of `STARTERS`."""

STARTERS: Final = _words("""
    a after all also although an and another any are as at because before both but by can could did do does each either
    every everyone everything first finally for from good had has have he hello her here his how however i i'd i'll i'm
    i've if in instead is it it's its just let let's maybe most my neither next no nobody none not nothing now of on
    once one only or other our perhaps please she should since so some someone sometimes soon still such than thank
    thanks that that's the their then there there's therefore these they they're this those though to today tomorrow
    until was we we'd we'll we're we've well were what what's when where which while who why with would yes
    yesterday yet you you'd you'll you're you've your
    aber alle als auch auf bei bis bitte da dabei danach dann daher das dazu dein deine dem den denn der des deshalb die
    dies diese dieser dieses doch du ein eine einen einer er es für gibt hier ich ihr ihre im ist ja jeder jetzt kann
    können man mein meine mit möchten nach nein nicht noch nun nur ob oder ohne schon sehr sein seine seit sie sind
    sobald soll um und uns unser unsere vielleicht viele von vor wann warum was weil wenn wer wie wir wo zu zum zur
    alors après aujourd'hui aussi au aux avec avez c'est car ce ces cet cette chez comme comment dans de demain depuis
    donc du elle elles en ensuite est et il ils j'ai je la le les leur ma mais merci mes moi mon ne nos notre nous on où
    ou oui par pas peut pour pourquoi puis quand que quel quelle qui sa sans si son sur tout tous très tu un une voici
    voilà vos votre vous
    además ahora al algunos antes aquí así aunque cada casi con cuando del desde después dónde el ella ellos en
    entonces era es esa ese eso esta está este esto gracias hay hoy las lo los luego mañana mi muy nosotros o para pero
    porque puede pues qué quién se según sí sin sobre su sus también tengo tiene todo todos usted y ya yo
    anche che ci come cosa di e è gli grazie ho io lei loro non noi per perché però poi quando questo sono tutto vi voi
""")
"""Words that are capitalised only because a sentence begins with them."""

BEFORE_ORDINAL: Final = _words("am der den dem des vom zum beim im bis seit ab die das jeder jeden dieser diesen")
"""German words before an ordinal, which is written with a full stop: am 3. Mai."""

MONTHS: Final = _words("januar jänner februar märz april mai juni juli august september oktober november dezember")
"""German names of the months."""
