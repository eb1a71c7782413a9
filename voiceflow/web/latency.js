/** A waterfall for each turn: its segments beside each other, to scale. */

const LONGEST_SHOWN = 8;
const NAMES = {
  endpoint: "end of speech",
  recognition: "recognition",
  first_token: "first word",
  first_sentence: "first sentence",
  synthesis: "synthesis",
  playout: "playout",
};

/** @param {HTMLElement} list @param {{turn: number, stages: Record<string, number>}} latency */
export function showLatency(list, { turn, stages }) {
  const total = Object.values(stages).reduce((sum, seconds) => sum + seconds, 0);
  const row = document.createElement("li");
  const label = document.createElement("span");
  label.textContent = `Turn ${turn}: ${total.toFixed(2)} s`;
  const bar = document.createElement("div");
  bar.className = "waterfall";
  const parts = Object.entries(stages).map(([name, seconds]) => {
    const part = document.createElement("span");
    part.className = name;
    part.style.flexGrow = String(Math.max(seconds, 0));
    part.title = `${NAMES[name] ?? name}: ${(1000 * seconds).toFixed(0)} ms`;
    return part;
  });
  bar.append(...parts);
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", parts.map((part) => part.title).join(", "));
  const legend = document.createElement("p");
  legend.className = "legend";
  for (const part of parts) {
    const item = document.createElement("span");
    item.className = part.className;
    item.textContent = part.title;
    legend.append(item);
  }
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.append(label, bar);
  details.append(summary, legend);
  row.append(details);
  list.prepend(row);
  while (list.children.length > LONGEST_SHOWN) list.lastElementChild?.remove();
}
