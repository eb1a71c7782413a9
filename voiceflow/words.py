"""Sentences of our own, in the languages that come with voiceflow: what callers hear, and what models are sent.

All others are the user's. Configurations and routes may replace each of them, and add languages: `words`, see
docs/configuration.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Our sentences in one language. The names of the fields are the keys of `words` in the configuration."""

    greeting: str
    """Heard when `Greeting` has no text of its own."""
    hold: str
    """Heard when the caller has to wait for the agent."""
    apology: str
    """Heard when a processor or a voice has failed."""
    not_caught: str
    """Heard when recognition has failed."""
    cannot_think: str
    """Heard when the language model has failed."""
    lost_thought: str
    """Heard when the language model has failed within an answer."""
    not_in_service: str
    """Heard by who calls a number without a route."""
    not_set_up: str
    """Heard by who calls a number while carriers cannot reach us."""
    busy: str
    """Heard by who is connected while there is no place for another call."""
    stopping: str
    """Heard by who is still connected when the server stops."""
    system_prompt: str
    """The system prompt of routes that have none."""
    connected: str
    """Sent as the caller's message where the agent spoke first: providers and chat templates require the user to
    begin."""
    go_on: str
    """Sent as the caller's message where a sound interrupted the answer, and the model is asked for the rest."""
    running: str
    """Sent as the result of a tool that still runs, after an interruption."""
    no_tool: str
    """Sent as the result of a tool {name} that does not exist; {known} are those that do."""
    tool_late: str
    """Sent as the result of a tool {name} that was not done after {seconds} seconds."""
    wrong_arguments: str
    """Sent as the result of a tool {name} that was called with wrong arguments, {error}."""
    tool_failed: str
    """Sent as the result of a tool that raised {error}."""
    tell_more: str
    """Heard from the built-in responder, which stands in for a language model, after the caller has said {said}."""


Overrides: TypeAlias = Mapping[str, Mapping[str, str]]
"""Sentences that replace ours: by language and name; those for the language "" are for all languages."""

ENGLISH: Final = Words(
    greeting="Hello! How can I help you?",
    hold="One moment, please.",
    apology="Sorry, something went wrong.",
    not_caught="Sorry, I did not catch that.",
    cannot_think="Sorry, I cannot think right now. Please say that again.",
    lost_thought="Sorry, I lost my train of thought.",
    not_in_service="This number is not in service.",
    not_set_up="This number is not set up yet.",
    busy="All our lines are busy. Please call again later.",
    stopping="We have to end this call now. Please call again later.",
    system_prompt="You are a helpful voice assistant. Keep responses concise.",
    connected="(The caller is on the line.)",
    go_on="(Go on from where you stopped.)",
    running="(still running)",
    no_tool="Error: there is no tool {name}, only {known}.",
    tool_late="Error: {name} did not finish within {seconds} seconds.",
    wrong_arguments="Error: wrong arguments for {name}: {error}",
    tool_failed="Error: {error}",
    tell_more="You said: {said}. Please tell me more.",
)
CATALOGUE: Final[Mapping[str, Words]] = {
    "en": ENGLISH,
    "de": Words(
        greeting="Hallo! Wie kann ich Ihnen helfen?",
        hold="Einen Moment, bitte.",
        apology="Entschuldigung, da ist etwas schiefgegangen.",
        not_caught="Entschuldigung, das habe ich nicht verstanden.",
        cannot_think="Entschuldigung, ich kann gerade nicht nachdenken. Bitte sagen Sie das noch einmal.",
        lost_thought="Entschuldigung, ich habe den Faden verloren.",
        not_in_service="Diese Nummer ist nicht vergeben.",
        not_set_up="Diese Nummer ist noch nicht eingerichtet.",
        busy="Alle Leitungen sind besetzt. Bitte rufen Sie später noch einmal an.",
        stopping="Wir müssen dieses Gespräch jetzt leider beenden. Bitte rufen Sie später noch einmal an.",
        system_prompt="Du bist ein hilfreicher Sprachassistent. Antworte kurz und auf Deutsch.",
        connected="(Der Anruf ist verbunden.)",
        go_on="(Sprich dort weiter, wo du aufgehört hast.)",
        running="(läuft noch)",
        no_tool="Fehler: Es gibt kein Werkzeug {name}, nur {known}.",
        tool_late="Fehler: {name} war nach {seconds} Sekunden nicht fertig.",
        wrong_arguments="Fehler: falsche Argumente für {name}: {error}",
        tool_failed="Fehler: {error}",
        tell_more="Sie haben gesagt: {said}. Erzählen Sie mir bitte mehr.",
    ),
    "fr": Words(
        greeting="Bonjour, comment puis-je vous aider ?",
        hold="Un instant, s'il vous plaît.",
        apology="Désolé, une erreur s'est produite.",
        not_caught="Désolé, je n'ai pas bien entendu.",
        cannot_think="Désolé, je n'arrive pas à réfléchir en ce moment. Pouvez-vous répéter, s'il vous plaît ?",
        lost_thought="Désolé, j'ai perdu le fil.",
        not_in_service="Ce numéro n'est pas en service.",
        not_set_up="Ce numéro n'est pas encore configuré.",
        busy="Toutes nos lignes sont occupées. Veuillez rappeler plus tard.",
        stopping="Nous devons mettre fin à cet appel. Veuillez rappeler plus tard.",
        system_prompt="Tu es un assistant vocal serviable. Réponds brièvement et en français.",
        connected="(L'appel est connecté.)",
        go_on="(Reprends là où tu t'es arrêté.)",
        running="(toujours en cours)",
        no_tool="Erreur : il n'y a pas d'outil {name}, seulement {known}.",
        tool_late="Erreur : {name} n'a pas terminé en {seconds} secondes.",
        wrong_arguments="Erreur : arguments incorrects pour {name} : {error}",
        tool_failed="Erreur : {error}",
        tell_more="Vous avez dit : {said}. Dites-m'en plus, s'il vous plaît.",
    ),
    "es": Words(
        greeting="¡Hola! ¿En qué puedo ayudarle?",
        hold="Un momento, por favor.",
        apology="Lo siento, algo ha salido mal.",
        not_caught="Lo siento, no le he entendido.",
        cannot_think="Lo siento, ahora mismo no puedo pensar. ¿Puede repetirlo, por favor?",
        lost_thought="Lo siento, he perdido el hilo.",
        not_in_service="Este número no está en servicio.",
        not_set_up="Este número aún no está configurado.",
        busy="Todas nuestras líneas están ocupadas. Por favor, llame más tarde.",
        stopping="Tenemos que terminar esta llamada. Por favor, llame más tarde.",
        system_prompt="Eres un asistente de voz servicial. Responde de forma breve y en español.",
        connected="(La llamada está conectada.)",
        go_on="(Continúa desde donde te quedaste.)",
        running="(todavía en curso)",
        no_tool="Error: no existe la herramienta {name}, solo {known}.",
        tool_late="Error: {name} no terminó en {seconds} segundos.",
        wrong_arguments="Error: argumentos incorrectos para {name}: {error}",
        tool_failed="Se produjo un error: {error}",
        tell_more="Ha dicho: {said}. Cuénteme más, por favor.",
    ),
    "it": Words(
        greeting="Salve! Come posso aiutarla?",
        hold="Un momento, per favore.",
        apology="Mi dispiace, qualcosa è andato storto.",
        not_caught="Mi scusi, non ho capito.",
        cannot_think="Mi dispiace, in questo momento non riesco a pensare. Può ripetere, per favore?",
        lost_thought="Mi scusi, ho perso il filo.",
        not_in_service="Questo numero non è attivo.",
        not_set_up="Questo numero non è ancora configurato.",
        busy="Tutte le linee sono occupate. La preghiamo di richiamare più tardi.",
        stopping="Dobbiamo terminare questa chiamata. La preghiamo di richiamare più tardi.",
        system_prompt="Sei un assistente vocale disponibile. Rispondi in modo breve e in italiano.",
        connected="(La chiamata è collegata.)",
        go_on="(Riprendi da dove ti sei fermato.)",
        running="(ancora in corso)",
        no_tool="Errore: lo strumento {name} non esiste, ci sono solo {known}.",
        tool_late="Errore: {name} non ha finito entro {seconds} secondi.",
        wrong_arguments="Errore: argomenti errati per {name}: {error}",
        tool_failed="Errore: {error}",
        tell_more="Ha detto: {said}. Mi dica di più, per favore.",
    ),
    "pt": Words(
        greeting="Olá! Como posso ajudar?",
        hold="Um momento, por favor.",
        apology="Desculpe, ocorreu um erro.",
        not_caught="Desculpe, não entendi.",
        cannot_think="Desculpe, não consigo pensar neste momento. Pode repetir, por favor?",
        lost_thought="Desculpe, perdi o raciocínio.",
        not_in_service="Este número não está em serviço.",
        not_set_up="Este número ainda não está configurado.",
        busy="Todas as nossas linhas estão ocupadas. Por favor, ligue mais tarde.",
        stopping="Precisamos encerrar esta chamada. Por favor, ligue mais tarde.",
        system_prompt="Você é um assistente de voz prestativo. Responda de forma breve e em português.",
        connected="(A chamada está conectada.)",
        go_on="(Continue de onde parou.)",
        running="(ainda em execução)",
        no_tool="Erro: não existe a ferramenta {name}, apenas {known}.",
        tool_late="Erro: {name} não terminou em {seconds} segundos.",
        wrong_arguments="Erro: argumentos errados para {name}: {error}",
        tool_failed="Erro: {error}",
        tell_more="Você disse: {said}. Conte-me mais, por favor.",
    ),
    "nl": Words(
        greeting="Hallo! Hoe kan ik u helpen?",
        hold="Een ogenblik, alstublieft.",
        apology="Sorry, er is iets misgegaan.",
        not_caught="Sorry, dat heb ik niet verstaan.",
        cannot_think="Sorry, ik kan nu even niet nadenken. Kunt u dat herhalen, alstublieft?",
        lost_thought="Sorry, ik ben de draad kwijt.",
        not_in_service="Dit nummer is niet in gebruik.",
        not_set_up="Dit nummer is nog niet ingesteld.",
        busy="Al onze lijnen zijn bezet. Belt u later alstublieft terug.",
        stopping="We moeten dit gesprek nu beëindigen. Belt u later alstublieft terug.",
        system_prompt="Je bent een behulpzame spraakassistent. Antwoord kort en in het Nederlands.",
        connected="(Het gesprek is verbonden.)",
        go_on="(Ga verder waar je was gebleven.)",
        running="(nog bezig)",
        no_tool="Fout: er is geen hulpmiddel {name}, alleen {known}.",
        tool_late="Fout: {name} was na {seconds} seconden niet klaar.",
        wrong_arguments="Fout: verkeerde argumenten voor {name}: {error}",
        tool_failed="Fout: {error}",
        tell_more="U zei: {said}. Vertel me alstublieft meer.",
    ),
}
"""Our sentences by the language's code."""

_VOICE: Final = re.compile(r"(?:.*[/\\])?([a-z]{2,3})_[A-Z]{2}-[^/\\]*")


def code_of(language: str) -> str:
    """The code of a language without its country, in lower case: de for de-DE, de_AT and DE. "" for none."""
    return language.strip().lower().replace("_", "-").partition("-")[0]


def language_of(voice: str) -> str:
    """The language of a voice by its name, `de_DE-thorsten-medium`, or by that of its file; "" if that does not say."""
    match = _VOICE.fullmatch(voice)
    return match[1] if match else ""


def filled(sentence: str, **values: str) -> str:
    """A sentence with values in place of their names in braces. Other braces stay: the sentence may be the user's."""
    for name, value in values.items():
        sentence = sentence.replace(f"{{{name}}}", value)
    return sentence


def words(language: str, overrides: Overrides | None = None) -> Words:
    """Our sentences in a language, those in English where we have none, with those of `overrides` in their place."""
    found, others = CATALOGUE.get(language, ENGLISH), overrides or {}
    return msgspec.structs.replace(found, **{**others.get("", {}), **others.get(language, {})})
