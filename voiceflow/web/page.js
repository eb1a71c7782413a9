/** The page from which people talk to the agent: it shows the events of `VoiceflowClient`. */

import { VoiceflowClient } from "./voiceflow-client.js";
import { Latency } from "./latency.js";
import { Meter } from "./meter.js";
import { Transcript } from "./transcript.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
/** @type {Record<string, string>} */
const DOING = { listening: "listening", thinking: "thinking …", speaking: "speaking" };

/** @param {string} selector @returns {HTMLElement} */
const find = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector));
const capital = (/** @type {string} */ words) => words[0].toUpperCase() + words.slice(1);

const button = find("#call");
const [caller, agent] = [find("#caller"), find("#agent")];
const meters = [new Meter(caller), new Meter(agent)];
const transcript = new Transcript(find("#transcript"));
const latency = new Latency(find("#latency"));
const keys = new Map(KEYS.map((key) => [key, makeKey(key)]));
const client = new VoiceflowClient({ signalingUrl: "ws" });
let reachable = false;

/** Shows the state of the call in words, and enables what can be done now. @param {string} words */
function show(words) {
  const { inCall } = client;
  if (find("#status").textContent !== words) find("#status").textContent = words;
  document.body.classList.toggle("in-call", inCall);
  button.textContent = inCall ? "Hang up" : "Call";
  // Not `disabled`, which would take the keyboard focus away from the button.
  button.ariaDisabled = String(!inCall && !reachable);
  for (const key of keys.values()) key.ariaDisabled = String(!inCall);
}

/** @param {HTMLElement} party @param {boolean} speaks @param {string} words */
function showDoing(party, speaks, words) {
  party.classList.toggle("active", speaks);
  party.querySelector(".doing")?.replaceChildren(words);
}

function call() {
  if (client.inCall) return client.hangUp();
  if (!reachable) return;
  find("#problem").textContent = "";
  find("#talk-hint").hidden = find("#latency-hint").hidden = false;
  transcript.clear();
  latency.clear();
  client.startCall();
  show("Calling … Allow the microphone, if you are asked.");
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

/** @param {string} name @param {(detail: any) => void} listener */
const on = (name, listener) =>
  client.addEventListener(name, (event) => listener(/** @type {CustomEvent} */ (event).detail));

on("ready", () => {
  reachable = true;
  if (!client.inCall) show("Ready. Press Call and talk.");
});
on("lost", ({ reason }) => {
  reachable = false;
  if (!client.inCall) show(`${capital(reason)}. Trying again …`);
});
on("connected", () => {
  show("Connected.");
  showDoing(agent, false, DOING.listening);
  meters[0].start(client.localStream);
  meters[1].start(client.remoteStream);
});
on("failed", ({ reason }) => (find("#problem").textContent = `${capital(reason)}.`));
on("ended", ({ reason }) => {
  show(find("#problem").textContent ? "The call failed." : `Call ended: ${reason}.`);
  for (const party of [caller, agent]) showDoing(party, false, "");
  for (const meter of meters) meter.stop();
  transcript.end();
});
on("transcript", (said) => {
  find("#talk-hint").hidden = true;
  transcript.caller(said);
});
on("reply", (reply) => {
  find("#talk-hint").hidden = true;
  transcript.agent(reply);
});
on("state", ({ state }) => showDoing(agent, state === "speaking", DOING[state]));
on("speech", ({ speaking }) => showDoing(caller, speaking, speaking ? "speaking" : ""));
on("latency", (turn) => {
  find("#latency-hint").hidden = true;
  latency.add(turn);
});
on("log", ({ message, level }) => (level === "debug" ? console.debug(message) : console.warn(message)));

button.addEventListener("click", call);
document.addEventListener("keydown", ({ key, ctrlKey, metaKey, altKey, repeat }) => {
  if (client.inCall && keys.has(key) && !(ctrlKey || metaKey || altKey || repeat)) press(key);
});
addEventListener("pagehide", () => client.hangUp());
