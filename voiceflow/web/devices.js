/** The choice of microphone and speaker. What it shows is what is in use. */

import { say } from "./words.js";

/** Names by which Chromium lists a device a second time. */
const ALIASES = ["", "default", "communications"];

export class Devices {
  /**
   * @param {import("./voiceflow-client.js").VoiceflowClient} client
   * @param {HTMLSelectElement} microphone @param {HTMLSelectElement} speaker
   * @param {(reason: string) => void} complain is told why a device cannot be used
   */
  constructor(client, microphone, speaker, complain) {
    this.client = client;
    this.microphone = microphone;
    this.speaker = speaker;
    this.complain = complain;
    microphone.addEventListener("change", () => this.#use(microphone, client.useMicrophone(microphone.value)));
    speaker.addEventListener("change", () => this.#use(speaker, client.useSpeaker(speaker.value)));
    navigator.mediaDevices?.addEventListener("devicechange", () => this.refresh());
    this.refresh();
  }

  /** Lists what is there. Browsers tell it once the microphone was allowed. */
  async refresh() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    list(this.microphone, all.filter(({ kind }) => kind === "audioinput"));
    list(this.speaker, all.filter(({ kind }) => kind === "audiooutput"));
    const used = this.client.localStream?.getAudioTracks()[0].getSettings().deviceId ?? this.microphone.value;
    this.microphone.value = ALIASES.includes(used) ? "" : used;
    const choosable = "setSinkId" in HTMLMediaElement.prototype && this.speaker.options.length > 1;
    this.speaker.labels[0].hidden = !choosable;
  }

  /** @param {HTMLSelectElement} select @param {Promise<void>} using */
  async #use(select, using) {
    const { value } = select;
    try {
      await using;
      select.dataset.used = value;
    } catch (error) {
      select.value = select.dataset.used ?? "";
      this.complain(/** @type {Error} */ (error).message);
    }
    this.refresh();
  }
}

/** @param {HTMLSelectElement} select @param {MediaDeviceInfo[]} devices */
function list(select, devices) {
  const named = devices.filter(({ deviceId }) => !ALIASES.includes(deviceId));
  const options = named.map(({ label, deviceId }) => new Option(label, deviceId));
  options.unshift(new Option(say("System default"), ""));
  const known = [...select.options].map(({ value }) => value).join();
  if (known === options.map(({ value }) => value).join()) return; // an open list would close
  const { value } = select;
  select.replaceChildren(...options);
  select.value = options.some((option) => option.value === value) ? value : "";
}
