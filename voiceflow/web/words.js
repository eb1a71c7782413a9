/** The page's words in the reader's language. The code is written in English; other languages are looked up by it. */

import { GERMAN } from "./german.js";

/** @type {Record<string, Record<string, string>>} */
const CATALOGUES = { en: {}, de: GERMAN };

/** The first of the reader's languages that the page knows, else English. */
export const LANGUAGE =
  [navigator.language, ...navigator.languages].map((tag) => tag.split("-")[0]).find((tag) => tag in CATALOGUES) ?? "en";

/**
 * `english` in the reader's language, with `values` in the place of their names in braces. What is not in the catalogue,
 * such as an error of the browser's, stays as it is.
 * @param {string} english @param {Record<string, string | number>} [values]
 */
export function say(english, values = {}) {
  const words = CATALOGUES[LANGUAGE][english] ?? english;
  return words.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** A number with as many decimals, as the reader writes it. @param {number} value @param {number} decimals */
export function number(value, decimals) {
  return value.toLocaleString(LANGUAGE, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** Puts the words of the document itself into the reader's language. */
export function translate() {
  document.documentElement.lang = LANGUAGE;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = /** @type {Text} */ (texts.currentNode);
    const english = text.data.replace(/\s+/g, " ").trim();
    if (english) text.data = say(english);
  }
  for (const element of document.querySelectorAll("[aria-label]")) element.ariaLabel = say(element.ariaLabel ?? "");
}
