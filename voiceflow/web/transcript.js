/** The conversation in words. What the caller has not heard of a reply is told apart from what they have. */

import { say } from "./words.js";

export class Transcript {
  /** @type {HTMLElement | null} The caller's words that are not final. */
  #interim = null;
  /** @type {Map<number, HTMLElement>} */
  #replies = new Map();
  /** Whether the newest words are in view, and are to stay there. */
  #following = true;
  /** @type {Map<HTMLElement, string>} What is copied of each line, in order. */
  #texts = new Map();

  /** @param {HTMLElement} log @param {HTMLElement} scroller holds it */
  constructor(log, scroller) {
    this.log = log;
    this.scroller = scroller;
    scroller.addEventListener("scroll", () => this.#look());
    new ResizeObserver(() => this.#follow()).observe(scroller);
  }

  /** All of it as plain text, a line for each turn. */
  get text() {
    return [...this.#texts.values()].join("\n");
  }

  clear() {
    this.log.replaceChildren();
    this.#interim = null;
    this.#replies.clear();
    this.#texts.clear();
  }

  /** @param {{text: string, final: boolean}} said */
  caller({ text, final }) {
    if (!text && !this.#interim) return;
    const line = this.#interim ?? this.#line("caller", say("You"));
    this.#interim = final ? null : line;
    line.classList.toggle("interim", !final);
    if (text) return this.#write(line, text);
    this.#texts.delete(line); // the interim words turned out to be nothing
    line.remove();
  }

  /** @param {{id: number, text: string, heard: string, done: boolean, interrupted: boolean}} reply */
  agent({ id, text, heard, done, interrupted }) {
    const line = this.#replies.get(id) ?? this.#line("agent", say("Agent"));
    this.#replies.set(id, line);
    if (done && !interrupted) return this.#write(line, text);
    const rest = unheard(text, heard);
    if (!interrupted) this.#write(line, heard, tagged("coming", rest));
    else this.#write(line, heard, neverHeard(say(rest ? "Interrupted here. Not heard:" : "Interrupted here."), rest));
  }

  /** What is said about the conversation. @param {string} text */
  note(text) {
    const line = document.createElement("p");
    line.classList.add("line", "note");
    line.textContent = text;
    this.log.append(line);
    this.#texts.set(line, `[${text}]`);
    this.#follow();
  }

  /** Marks what was still to be said when the call ended. */
  end() {
    for (const coming of this.log.querySelectorAll(".coming")) {
      const line = /** @type {HTMLElement} */ (coming.closest(".line"));
      const [heard, rest] = [coming.previousSibling?.textContent ?? "", coming.textContent ?? ""];
      if (rest) this.#write(line, heard.trim(), neverHeard(say("The call ended here. Not heard:"), rest));
    }
  }

  /** @param {string} party @param {string} name */
  #line(party, name) {
    const line = document.createElement("p");
    line.className = `line ${party}`;
    const who = document.createElement("b");
    who.textContent = name;
    line.append(who, " ", document.createElement("span"));
    this.log.append(line);
    return line;
  }

  /** Notes whether the reader has scrolled back. */
  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.#following = scrollHeight - scrollTop - clientHeight < 80;
  }

  #follow() {
    if (this.#following) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /** @param {HTMLElement} line @param {string} words @param {HTMLElement} [rest] what was not heard */
  #write(line, words, rest) {
    line.lastElementChild?.replaceChildren(words, ...(rest ? [" ", rest] : []));
    this.#follow();
    const aside = rest?.classList.contains("unheard") ? ` [${rest.textContent}]` : rest ? ` ${rest.textContent}` : "";
    this.#texts.set(line, `${line.firstElementChild?.textContent}: ${words}${aside}`.trim());
  }
}

/** @param {string} label @param {string} rest */
function neverHeard(label, rest) {
  const made = tagged("unheard", "");
  const title = document.createElement("small");
  title.textContent = label;
  made.append(title, ...(rest ? [" ", tagged("", rest)] : []));
  return made;
}

/** @param {string} className @param {string} text */
function tagged(className, text) {
  const element = document.createElement("span");
  element.className = className;
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
