/** Each turn's latency as a row of segments. All rows have one scale, so that turns can be compared. */

import { number, say } from "./words.js";

const MOST_SHOWN = 8;
/** @type {Record<string, string>} */
const NAMES = {
  endpoint: "end of your turn",
  recognition: "recognition",
  first_token: "first word",
  first_sentence: "first sentence",
  synthesis: "synthesis",
  playout: "playout",
};

export class Latency {
  /** @param {HTMLElement} list */
  constructor(list) {
    this.list = list;
  }

  clear() {
    this.list.replaceChildren();
  }

  /** Adds a turn on top, with its figures open. @param {{turn: number, stages: Record<string, number>}} turn */
  add({ turn, stages }) {
    const total = Object.values(stages).reduce((sum, seconds) => sum + seconds, 0);
    for (const details of this.list.querySelectorAll("details")) details.open = false;
    const row = document.createElement("li");
    row.dataset.total = String(total);
    row.append(draw(say("Turn {number}", { number: turn }), total, stages));
    this.list.prepend(row);
    while (this.list.children.length > MOST_SHOWN) this.list.lastElementChild?.remove();
    const rows = /** @type {HTMLElement[]} */ ([...this.list.children]);
    const longest = Math.max(...rows.map(({ dataset }) => Number(dataset.total)));
    for (const { style, dataset } of rows) style.setProperty("--share", String(Number(dataset.total) / longest));
  }
}

/** @param {string} name @param {number} total @param {Record<string, number>} stages */
function draw(name, total, stages) {
  const bar = element("span", "waterfall");
  bar.ariaHidden = "true"; // the figures say the same
  const figures = element("ul", "figures");
  for (const [stage, seconds] of Object.entries(stages)) {
    const segment = element("span", stage);
    segment.style.flexGrow = String(Math.max(0, seconds));
    bar.append(segment);
    const figure = element("li", stage);
    figure.append(element("span", "", say(NAMES[stage] ?? stage)), element("span", "", `${number(1000 * seconds, 0)} ms`));
    figures.append(figure);
  }
  const summary = element("summary");
  summary.append(element("span", "", name), element("span", "", `${number(total, 2)} s`), bar);
  const details = document.createElement("details");
  details.open = true;
  details.append(summary, figures);
  return details;
}

/** @param {string} tag @param {string} [className] @param {string} [text] */
function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
