/** The page's words in German, by the English ones. */

/** @type {Record<string, string>} */
export const GERMAN = {
  // What goes on
  "Connecting to the server …": "Verbindung zum Server wird hergestellt …",
  "Ready. Press Call and talk.": "Bereit. „Anrufen“ drücken und sprechen.",
  "{reason}. Trying again …": "{reason}. Neuer Versuch …",
  "Calling … Allow the microphone, if you are asked.": "Anruf läuft … Bitte das Mikrofon erlauben, falls gefragt wird.",
  "The agent is listening.": "Der Agent hört zu.",
  "The agent is thinking …": "Der Agent denkt nach …",
  "The agent is speaking.": "Der Agent spricht.",
  "You are speaking.": "Sie sprechen.",
  "You hear yourself.": "Sie hören sich selbst.",
  "You are muted.": "Sie sind stummgeschaltet.",
  "The call is up.": "Der Anruf steht.",
  "You can be heard again.": "Sie sind wieder zu hören.",
  "Call ended: {reason}.": "Anruf beendet: {reason}.",
  "The call failed: {reason}.": "Der Anruf ist fehlgeschlagen: {reason}.",

  // What can be pressed and chosen
  Call: "Anrufen",
  "Hang up": "Auflegen",
  Mute: "Stumm",
  Keypad: "Tasten",
  Latency: "Latenz",
  Devices: "Geräte",
  Microphone: "Mikrofon",
  Speaker: "Lautsprecher",
  "System default": "Systemstandard",
  Copy: "Kopieren",
  Copied: "Kopiert",
  "The conversation was copied.": "Das Gespräch wurde kopiert.",
  "The browser does not let the page copy": "Der Browser lässt die Seite nicht kopieren",

  // The conversation
  Conversation: "Gespräch",
  You: "Sie",
  Agent: "Agent",
  Echo: "Echo",
  "Duration of the call": "Dauer des Anrufs",
  "What you and the agent say appears here, word by word. Words that you have not heard yet are underlined with dots.":
    "Hier erscheint Wort für Wort, was Sie und der Agent sagen. Was Sie noch nicht gehört haben, ist gepunktet unterstrichen.",
  "Interrupted here.": "Hier unterbrochen.",
  "Interrupted here. Not heard:": "Hier unterbrochen. Nicht gehört:",
  "The call ended here. Not heard:": "Hier endete der Anruf. Nicht gehört:",

  // Latency
  "How long each answer takes, from your last sound to the agent's first.":
    "Wie lange jede Antwort braucht, von Ihrem letzten Laut bis zum ersten des Agenten.",
  "Turn {number}": "Runde {number}",
  "end of your turn": "Ende Ihres Beitrags",
  recognition: "Erkennung",
  "first word": "erstes Wort",
  "first sentence": "erster Satz",
  synthesis: "Sprachausgabe",
  playout: "Wiedergabe",

  // What is missing
  "This pipeline is an echo: you hear what you say, and nobody answers. To talk to an agent, start `voiceflow run assistant`.":
    "Diese Pipeline ist ein Echo: Sie hören, was Sie sagen, und niemand antwortet. Mit einem Agenten sprechen Sie nach " +
    "`voiceflow run assistant`.",
  "No language model was found: a few built-in rules answer. For real answers, set `ANTHROPIC_API_KEY` or `OPENAI_API_KEY`, or start Ollama and run `ollama pull llama3.2`; then start the server again.":
    "Es wurde kein Sprachmodell gefunden: ein paar eingebaute Regeln antworten. Für echte Antworten `ANTHROPIC_API_KEY` " +
    "oder `OPENAI_API_KEY` setzen oder Ollama starten und `ollama pull llama3.2` ausführen; danach den Server neu starten.",

  // Reasons
  "you hung up": "Sie haben aufgelegt",
  "hung up": "der Agent hat aufgelegt",
  "the server's log says why": "warum, steht im Log des Servers",
  "the server ended the call": "der Server hat den Anruf beendet",
  "the server cannot be reached": "der Server ist nicht erreichbar",
  "the server cannot be reached: try again in a moment": "der Server ist nicht erreichbar: bitte gleich noch einmal versuchen",
  "the server does not answer": "der Server antwortet nicht",
  "the server is stopping: call again in a moment": "der Server wird beendet: bitte gleich noch einmal anrufen",
  "the connection to the server broke": "die Verbindung zum Server ist abgerissen",
  "no way to the server was found: a firewall may need a TURN server":
    "es wurde kein Weg zum Server gefunden: vielleicht braucht eine Firewall einen TURN-Server",
  "the microphone was taken away": "das Mikrofon ist nicht mehr da",
  "the microphone was refused: allow it for this page in the address bar, then call again":
    "das Mikrofon wurde verweigert: in der Adressleiste für diese Seite erlauben, dann noch einmal anrufen",
  "there is no microphone: connect one, then call again":
    "es gibt kein Mikrofon: eines anschließen, dann noch einmal anrufen",
  "another program holds the microphone: close it, then call again":
    "ein anderes Programm belegt das Mikrofon: schließen, dann noch einmal anrufen",
  "browsers give the microphone to secure pages only: open this page by https, or on localhost":
    "Browser geben das Mikrofon nur sicheren Seiten: diese Seite über https oder auf localhost öffnen",
  "you are not logged in, or your login is over: reload this page":
    "nicht angemeldet, oder die Anmeldung ist abgelaufen: diese Seite neu laden",
  "calls from this browser are refused: open the link that was printed at start":
    "Anrufe aus diesem Browser sind nicht erlaubt: den beim Start ausgegebenen Link öffnen",
};
