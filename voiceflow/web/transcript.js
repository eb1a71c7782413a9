/** The conversation in words. Words that the agent was stopped from saying are crossed out. */

export class Transcript {
  /** @type {HTMLElement | null} The caller's words that are not final. */
  #interim = null;
  /** @type {Map<number, HTMLElement>} */
  #replies = new Map();

  /** @param {HTMLElement} log */
  constructor(log) {
    this.log = log;
  }

  clear() {
    this.log.replaceChildren();
    this.#interim = null;
    this.#replies.clear();
  }

  /** @param {{text: string, final: boolean}} said */
  caller({ text, final }) {
    if (!text && !this.#interim) return;
    const line = this.#interim ?? this.#line("caller", "You");
    this.#interim = final ? null : line;
    if (!text) return line.remove(); // the interim words turned out to be nothing
    line.classList.toggle("interim", !final);
    this.#write(line, text);
  }

  /** @param {{id: number, text: string, heard: string, done: boolean, interrupted: boolean}} reply */
  agent({ id, text, heard, done, interrupted }) {
    const line = this.#replies.get(id) ?? this.#line("agent", "Agent");
    this.#replies.set(id, line);
    if (done && !interrupted) return this.#write(line, text);
    const rest = unheard(text, heard);
    const tail = interrupted ? [tagged("s", rest), " ", tagged("small", "interrupted")] : [tagged("i", rest)];
    this.#write(line, heard, " ", ...tail);
  }

  /** Crosses out what was still to be said when the call ended. */
  end() {
    for (const rest of this.log.querySelectorAll("i")) rest.replaceWith(tagged("s", rest.textContent ?? ""));
  }

  /** @param {string} party @param {string} name */
  #line(party, name) {
    const line = document.createElement("p");
    line.className = party;
    line.append(tagged("b", name), " ", document.createElement("span"));
    this.log.append(line);
    return line;
  }

  /** Follows the newest words, unless the reader has scrolled back. @param {HTMLElement} line @param {(string | Node)[]} words */
  #write(line, ...words) {
    const { log } = this;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    line.lastElementChild?.replaceChildren(...words);
    if (atEnd) log.scrollTop = log.scrollHeight;
  }
}

/** @param {string} tag @param {string} text */
function tagged(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

/** The part of `text` after the words of `heard`. Words are counted, since markup in `text` is missing in `heard`.
 * @param {string} text @param {string} heard */
function unheard(text, heard) {
  const count = heard.split(/\s+/).filter(isWord).length;
  const places = [...text.matchAll(/\S+/g)].filter(([word]) => isWord(word));
  return count < places.length ? text.slice(places[count].index) : "";
}

const isWord = (/** @type {string} */ word) => /[\p{L}\p{N}]/u.test(word);
