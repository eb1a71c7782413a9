/** The page to talk from: it shows what `VoiceflowClient` tells. */

import { VoiceflowClient } from "./voiceflow-client.js";
import { showLatency } from "./latency.js";
import { Meter } from "./meter.js";
import { Transcript } from "./transcript.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const STATES = { listening: "Listening", thinking: "Thinking …", speaking: "Speaking" };

/** @template {HTMLElement} T @param {string} id @returns {T} */
const element = (id) => /** @type {T} */ (document.getElementById(id));

const button = /** @type {HTMLButtonElement} */ (element("call"));
const status = element("status");
const problem = element("problem");
const client = new VoiceflowClient();
const transcript = new Transcript(element("transcript"));
const meters = [new Meter(element("caller")), new Meter(element("agent"))];

/** @param {string} name @param {(detail: any) => void} listener */
const on = (name, listener) =>
  client.addEventListener(name, (event) => listener(/** @type {CustomEvent} */ (event).detail));

/** @param {string} words @param {"Call" | "Hang up"} [action] */
function show(words, action) {
  status.textContent = words;
  if (action) {
    button.textContent = action;
    document.body.classList.toggle("in-call", action === "Hang up");
  }
}

function endCall(/** @type {string} */ reason) {
  show(`Call ended: ${reason}.`, "Call");
  for (const meter of meters) meter.stop();
  element("agent").classList.remove("active");
  element("caller").classList.remove("active");
  for (const key of element("keypad").querySelectorAll("button")) key.disabled = true;
}

button.addEventListener("click", async () => {
  if (client.inCall) return client.hangUp();
  problem.hidden = true;
  transcript.clear();
  element("latency").replaceChildren();
  element("hint").hidden = true;
  show("Calling …", "Hang up");
  await client.startCall();
});

on("ready", () => {
  button.disabled = false;
  if (!client.inCall) show("Ready. Press Call and talk.", "Call");
});
on("connected", () => {
  show("Connected", "Hang up");
  meters[0].start(client.localStream);
  meters[1].start(client.remoteStream);
  for (const key of element("keypad").querySelectorAll("button")) key.disabled = false;
});
on("failed", ({ reason }) => {
  problem.textContent = `${reason[0].toUpperCase()}${reason.slice(1)}.`;
  problem.hidden = false;
});
on("ended", ({ reason }) => endCall(reason));
on("log", ({ message, level }) => {
  console[level === "warning" ? "warn" : level](message);
  if (level === "warning" && !client.inCall && message.startsWith("no connection")) {
    button.disabled = true;
    show("The server cannot be reached. Trying again …");
  }
});
on("transcript", (said) => transcript.caller(said));
on("reply", (reply) => transcript.agent(reply));
on("state", ({ state }) => {
  show(STATES[state] ?? state);
  element("agent").classList.toggle("active", state === "speaking");
});
on("speech", ({ speaking }) => element("caller").classList.toggle("active", speaking));
on("latency", (turn) => {
  element("latency-hint").hidden = true;
  showLatency(element("latency"), turn);
});

for (const key of KEYS) {
  const press = document.createElement("button");
  press.type = "button";
  press.textContent = key;
  press.disabled = true;
  press.addEventListener("click", () => client.sendDigit(key));
  element("keypad").append(press);
}
document.addEventListener("keydown", ({ key, ctrlKey, metaKey, altKey }) => {
  if (client.inCall && KEYS.includes(key) && !ctrlKey && !metaKey && !altKey) client.sendDigit(key);
});
addEventListener("pagehide", () => client.hangUp());
