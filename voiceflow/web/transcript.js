/** Who said what. Words that the agent was stopped from saying are crossed out. */

export class Transcript {
  /** @param {HTMLElement} list */
  constructor(list) {
    this.list = list;
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    /** @type {HTMLLIElement | null} */
    this.interim = null;
    /** @type {Map<number, HTMLLIElement>} */
    this.replies = new Map();
  }

  /** @param {{text: string, final: boolean}} said */
  caller({ text, final }) {
    if (!text) return;
    const line = this.interim ?? this.line("caller", "You");
    line.lastElementChild?.replaceChildren(text);
    line.classList.toggle("interim", !final);
    this.interim = final ? null : line;
    this.follow();
  }

  /** @param {{id: number, text: string, heard: string, done: boolean, interrupted: boolean}} reply */
  agent({ id, text, heard, done, interrupted }) {
    if (!text && !heard) return;
    const line = this.replies.get(id) ?? this.line("agent", "Agent");
    this.replies.set(id, line);
    const rest = unheard(text, heard);
    const said = done && !interrupted ? [heard || text] : [span("heard", heard), " ", span("rest", rest, interrupted)];
    line.lastElementChild?.replaceChildren(...said);
    line.classList.toggle("interrupted", interrupted);
    this.follow();
  }

  /** @param {"caller" | "agent"} who @param {string} name */
  line(who, name) {
    const line = document.createElement("li");
    line.className = who;
    line.append(span("name", name), document.createElement("p"));
    this.list.append(line);
    return line;
  }

  follow() {
    this.list.scrollTop = this.list.scrollHeight;
  }
}

/** @param {string} name @param {string} text @param {boolean} [struck] */
function span(name, text, struck = false) {
  const element = document.createElement(struck ? "s" : "span");
  element.className = name;
  element.textContent = text;
  return element;
}

/** What of `text` comes after the words of `heard`. Markup in `text` is not in `heard`: words are counted.
 * @param {string} text @param {string} heard */
function unheard(text, heard) {
  const words = text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const count = heard.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
  return words.slice(count).join(" ");
}
