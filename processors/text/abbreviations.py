"""Words that are written with a full stop, and words that begin sentences: they tell the end of a sentence from an
abbreviation where the next word is capitalised. European languages together, in lower case."""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEVER_LAST: Final = _words("""
    dr mr mrs ms mx prof rev hon gov sen pres capt cmdr col cpl gen lt maj sgt supt messrs mt dipl frl hrn pfr rs
    mme mmes mlle mlles mgr sra srta sres dña lic arq dott dott.ssa sig.ra sig.na sigg avv ing geom psicol skt
    vs e.g i.e cf ex viz approx esp est excl incl orig resp
    z.b z.t d.h u.a i.d.r i.a s.o s.u v.a o.ä bzw ca evtl ggf inkl exkl einschl ausschl zzgl abzgl gem bspw sog vgl tgl
    geb ehem gest hrsg insb jew ungef verh med phil jur habil kath evang
    p.ex c.-à-d c.à.d env p.ej aprox avda admón bijv d.w.z m.b.t o.a f.eks bl.a t.ex dvs np m.in tzw ul napr tzv např
    проф доц акад г-н г-жа ул пл пр-т просп бул пгт гг им обл напр т.е т.к т.н вкл тел стр рис
""")
"""Abbreviations that never end a sentence: the name, example or number that they announce follows."""

NEVER_LAST_PAIRS: Final = frozenset({"ad es", "por ej", "par ex", "t ex", "f eks"})
"""Abbreviations of the same kind that are written as two words."""

BEFORE_NUMBER: Final = _words("""
    no nos nr nrn num núm n n° nº p pp pg págs pág vol ch sec fig figs eq art arts par abs kap bd s tel tél ext apt rm
    mind pos párr párrf cap кв д корп гл ст
""")
"""Abbreviations if a number follows, ordinary words otherwise."""

DATES: Final = _words("""
    jan feb febr mar mär mrz apr may jun jul aug sep sept oct okt nov dec dez dic ene abr ago janv févr juil déc
    mon tue tues wed thu thur thurs fri sat sun lun mié jue vie sáb dom gen mag giu lug ott
""")
"""Months and days if they are capitalised and a number follows, ordinary words otherwise."""

SOMETIMES_LAST: Final = _words("""
    inc ltd co corp bros llc plc dept univ assn gmbh jr sr esq al etc usw usf ff max st ave blvd rd hwy str pl sq mm
    ft max hr fr sig ph.d a.m p.m a.d b.c jan feb febr mar apr aug sept oct nov dec okt dez janv févr juil déc ene
    dir amm enz osv itd itp atd т.д т.п др руб коп тыс млн млрд долл
""")
"""Abbreviations that end a sentence if the next word is one of `STARTERS`."""

NAMES: Final = _words("yahoo! jeopardy! kahoot! wham! yum! viva! oklahoma! mamma!")
"""Names with an exclamation mark. They end a sentence if the next word is one of `STARTERS`."""

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
    ask call check choose click come dial enter find give go have hold keep leave let look make please press read
    say see send speak start stay stop take talk tell think thank try turn type use visit wait want watch write
    dat de een er het hoe ik je jij maar niet nu of ook waar waarom wat wie wij ze zij
    der det du en et han hun hvad hvem hvor hvordan hvornår hvorfor jeg men når og så vi hon hur jag när och vad varför
    ao até com ela ele eles então este eu isso isto já não nós onde os quais qual quem sim também uma você
    ale co czy gdzie jak jest kiedy kto nie oni ona to tak jsem já kde kdy kdo proč ako čo kde kedy kto prečo
    вы где да для если есть ещё здесь или их как когда кто мой мы на наш не нет но однако он она они оно по пожалуйста
    потом почему при сегодня там так также только тут что это этот эта эти я
    anche che ci come cosa di e è gli grazie ho io lei loro non noi per perché però poi quando questo sono tutto vi voi
""")
"""Words that are capitalised only because a sentence begins with them."""

BEFORE_ORDINAL: Final = _words("am der den dem des vom zum beim im bis seit ab die das jeder jeden dieser diesen")
"""German words before an ordinal, which is written with a full stop: am 3. Mai."""

MONTHS: Final = _words("""
    januar jänner februar februára märz marca april apríla mai mája juni júna juli júla august augusta september
    septembra oktober októbra november novembra dezember decembra
""")
"""Names of the months where days are written with a full stop. German capitalises them."""
