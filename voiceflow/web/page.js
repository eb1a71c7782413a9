/** The page from which people talk to the agent: it shows the events of `VoiceflowClient`. */

import { VoiceflowClient } from "./voiceflow-client.js";
import { Devices } from "./devices.js";
import { Latency } from "./latency.js";
import { Meter } from "./meter.js";
import { Transcript } from "./transcript.js";
import { say, translate } from "./words.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
/** The reason of a call that failed on the server's side. */
const FAILED_THERE = "the call failed";
/** What is missing to get answers, by who answers. */
const MISSING = {
  echo: "This pipeline is an echo: you hear what you say, and nobody answers. To talk to an agent, start `voiceflow run assistant`.",
  rules:
    "No language model was found: a few built-in rules answer. For real answers, set `ANTHROPIC_API_KEY` or `OPENAI_API_KEY`, or start Ollama and run `ollama pull llama3.2`; then start the server again.",
};

/** @param {string} selector @returns {HTMLElement} */
const find = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector));
const select = (/** @type {string} */ selector) => /** @type {HTMLSelectElement} */ (find(selector));
const capital = (/** @type {string} */ words) => words[0].toUpperCase() + words.slice(1);

translate();
const [button, mute, copy] = [find("#call"), find("#mute"), find("#copy")];
const toggles = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".folds button")]);
const [caller, agent] = [find("#caller"), find("#agent")];
const meters = [new Meter(caller), new Meter(agent)];
const transcript = new Transcript(find("#transcript"), find("#scroller"));
const latency = new Latency(find("#latency"));
const keys = new Map(KEYS.map((key) => [key, makeKey(key)]));
const client = new VoiceflowClient({ signalingUrl: "ws" }); // below whatever prefix the page is
const devices = new Devices(client, select("#microphone"), select("#speaker"), complain);

/** Whether the server answers, and whether its pipeline is an echo. */
let [reachable, echo] = [false, false];
/** Whether a call is up, and whether the page says how the last one ended. */
let [up, ended] = [false, false];
/** What the agent does, and whether the caller speaks. */
let [state, speaking] = ["listening", false];
/** @type {string | null} Why the call failed. */
let failure = null;
let clock = 0;

/**
 * Says what goes on, in the one place for it. `aloud`: to screen readers, too.
 * @param {string} words @param {{problem?: boolean, aloud?: boolean}} [how]
 */
function show(words, { problem = false, aloud = true } = {}) {
  if (find("#status").textContent !== words) find("#status").textContent = words;
  find("#status").classList.toggle("problem", problem);
  if (aloud) announce(words);
  enable();
}

/** Enables what can be done now. */
function enable() {
  const { inCall } = client;
  document.body.classList.toggle("in-call", inCall);
  write(button, say(inCall ? "Hang up" : "Call"));
  // Not `disabled`, which would take the keyboard focus away from the button.
  button.ariaDisabled = String(!inCall && !reachable);
  mute.hidden = !inCall;
  mute.ariaPressed = String(client.muted);
  for (const key of keys.values()) key.ariaDisabled = String(!inCall);
}

/** Says what goes on in a call that is up. */
function showTurn() {
  if (!up) return;
  caller.classList.toggle("active", speaking && !client.muted);
  agent.classList.toggle("active", state === "speaking");
  const words = [];
  if (echo) words.push(say("You hear yourself."));
  else if (state === "speaking") words.push(say("The agent is speaking."));
  else if (state === "thinking") words.push(say("The agent is thinking …"));
  else if (speaking && !client.muted) words.push(say("You are speaking."));
  else if (!client.muted) words.push(say("The agent is listening."));
  if (client.muted) words.push(say("You are muted."));
  show(words.join(" "), { aloud: false });
}

/** @param {string} reason */
function complain(reason) {
  show(`${capital(say(reason))}.`, { problem: true });
}

/** @param {string} words */
function announce(words) {
  find("#announcement").textContent = words;
}

/** @param {HTMLElement} pressed @param {string} words */
function write(pressed, words) {
  const label = /** @type {HTMLElement} */ (pressed.querySelector("span"));
  if (label.textContent !== words) label.textContent = words;
}

function call() {
  if (client.inCall) return client.hangUp();
  if (!reachable) return;
  find("#latency-hint").hidden = false;
  find("#timer").textContent = "";
  transcript.clear();
  latency.clear();
  showCopy();
  ended = false;
  failure = null;
  client.startCall();
  show(say("Calling … Allow the microphone, if you are asked."));
}

function toggleMute() {
  client.muted = !client.muted;
  mute.ariaPressed = String(client.muted);
  announce(say(client.muted ? "You are muted." : "You can be heard again."));
  showTurn();
}

function showCopy() {
  copy.ariaDisabled = String(!transcript.text);
  find("#talk-hint").hidden = echo || Boolean(transcript.text);
}

async function copyTranscript() {
  if (copy.ariaDisabled === "true") return;
  try {
    await navigator.clipboard.writeText(transcript.text);
  } catch {
    return complain("The browser does not let the page copy");
  }
  write(copy, say("Copied"));
  announce(say("The conversation was copied."));
  setTimeout(() => write(copy, say("Copy")), 2000);
}

/** Opens one of the parts that are folded away on a phone, or folds it. @param {HTMLElement} toggle */
function fold(toggle) {
  const opens = toggle.ariaExpanded !== "true";
  for (const other of toggles) {
    const open = opens && other === toggle;
    other.ariaExpanded = String(open);
    const part = find(`#${other.getAttribute("aria-controls")}`);
    part.classList.toggle("open", open);
    if (open) part.scrollIntoView({ block: "nearest" });
  }
}

/** @param {string} key */
function press(key) {
  client.sendDigit(key);
  keys.get(key)?.classList.add("pressed");
  setTimeout(() => keys.get(key)?.classList.remove("pressed"), 150);
}

/** @param {string} key */
function makeKey(key) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = key;
  made.addEventListener("click", () => client.inCall && press(key));
  find("#keypad").append(made);
  return made;
}

/** Starts the clock of the call. */
function startClock() {
  const began = Date.now();
  const tick = () => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    find("#timer").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  };
  tick();
  clock = setInterval(tick, 500);
}

/** Asks the server who answers, and says what is missing to get answers. */
async function askWhoAnswers() {
  const asked = await fetch("api/about").catch(() => null);
  if (!asked?.ok) return;
  const { answers } = await asked.json();
  echo = answers === "echo";
  const missing = say(/** @type {Record<string, string>} */ (MISSING)[answers] ?? "");
  // Commands stand between backticks.
  const parts = missing.split("`").map((part, place) => (place % 2 ? code(part) : part));
  find("#notice").replaceChildren(...parts);
  find("#notice").hidden = !missing;
  showCopy();
  find("#agent p").textContent = say(echo ? "Echo" : "Agent");
}

/** @param {string} text */
function code(text) {
  const made = document.createElement("code");
  made.textContent = text;
  return made;
}

/** @param {string} name @param {(detail: any) => void} listener */
const on = (name, listener) =>
  client.addEventListener(name, (event) => listener(/** @type {CustomEvent} */ (event).detail));

on("ready", () => {
  reachable = true;
  askWhoAnswers();
  if (client.inCall || ended) enable();
  else show(say("Ready. Press Call and talk."));
});
on("lost", ({ reason }) => {
  reachable = ended = false;
  if (!client.inCall) show(say("{reason}. Trying again …", { reason: capital(say(reason)) }));
});
on("connected", () => {
  up = true;
  [state, speaking] = ["listening", false];
  announce(say("The call is up."));
  startClock();
  meters[0].start(client.localStream);
  meters[1].start(client.remoteStream);
  devices.refresh();
  showTurn();
});
on("microphone", () => {
  meters[0].stop();
  meters[0].start(client.localStream);
  devices.refresh();
});
on("failed", ({ reason }) => (failure = reason));
on("ended", ({ reason }) => {
  up = false;
  ended = true;
  clearInterval(clock);
  if (reason === FAILED_THERE) failure = "the server's log says why";
  if (failure) show(say("The call failed: {reason}.", { reason: say(failure) }), { problem: true });
  else show(say("Call ended: {reason}.", { reason: say(reason) }));
  for (const party of [caller, agent]) party.classList.remove("active");
  for (const meter of meters) meter.stop();
  transcript.end();
});
on("transcript", (said) => {
  transcript.caller(said);
  showCopy();
});
on("reply", (reply) => {
  transcript.agent(reply);
  showCopy();
});
on("problem", ({ processor, text }) => {
  transcript.note(`${processor}: ${text}`);
  showCopy();
});
on("state", (now) => {
  state = now.state;
  showTurn();
});
on("speech", (now) => {
  speaking = now.speaking;
  showTurn();
});
on("latency", (turn) => {
  find("#latency-hint").hidden = true;
  latency.add(turn);
});
on("log", ({ message, level }) => (level === "debug" ? console.debug(message) : console.warn(message)));

button.addEventListener("click", call);
mute.addEventListener("click", toggleMute);
copy.addEventListener("click", copyTranscript);
for (const toggle of toggles) toggle.addEventListener("click", () => fold(toggle));
document.addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey, repeat }) => {
  if (target instanceof HTMLSelectElement) return; // there it looks for a name
  if (client.inCall && keys.has(key) && !(ctrlKey || metaKey || altKey || repeat)) press(key);
});
addEventListener("pagehide", () => client.hangUp());
