/** The caller's microphone in one call: it can be muted, and replaced by another one. */

import { Failure } from "./signaling.js";

export class Microphone {
  /** @type {MediaStream | null} */
  stream = null;
  /** @type {RTCRtpSender | null} What sends the sound, once there is a connection. */
  sender = null;
  #muted = false;
  #stopped = false;
  /** @type {Promise<void | null> | null} */
  #latest = null;

  /**
   * @param {MediaTrackConstraints} audio
   * @param {() => void} changed is called when another microphone has taken the place of the first
   * @param {(reason: string) => void} lost is called when none is left
   */
  constructor(audio, changed, lost) {
    this.audio = audio;
    this.changed = changed;
    this.lost = lost;
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    for (const track of this.stream?.getTracks() ?? []) track.enabled = !muted;
  }

  /**
   * Takes the microphone `deviceId`, or the default one if that is not there. What was taken before is let go; it is
   * kept if this one cannot be had, which is a `Failure`. Of several that are asked for at once, it is the last.
   * @param {string} [deviceId] @returns {Promise<void | null>}
   */
  open(deviceId) {
    const opening = this.#take(deviceId, () => opening === this.#latest);
    return (this.#latest = opening);
  }

  /** @param {string | undefined} deviceId @param {() => boolean} wanted whether no other was asked for since
   * @returns {Promise<void | null>} */
  async #take(deviceId, wanted) {
    const stream = await open(this.audio, deviceId);
    if (this.#stopped || !wanted()) {
      halt(stream); // it was granted too late
      return this.#stopped ? null : this.#latest;
    }
    const [track] = stream.getAudioTracks();
    track.enabled = !this.#muted;
    track.onended = () => this.#replaceLost();
    const before = this.stream;
    halt(before);
    this.stream = stream;
    await this.sender?.replaceTrack(track);
    if (before) this.changed();
  }

  stop() {
    this.#stopped = true;
    halt(this.stream);
  }

  /** Another microphone takes the place of one that was unplugged. */
  async #replaceLost() {
    try {
      await this.open();
    } catch {
      if (!this.#stopped) this.lost("the microphone was taken away");
    }
  }
}

/** @param {MediaStream | null} stream */
function halt(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** @param {MediaTrackConstraints} audio @param {string} [deviceId] @returns {Promise<MediaStream>} */
async function open(audio, deviceId) {
  if (!navigator.mediaDevices) {
    throw new Failure("browsers give the microphone to secure pages only: open this page by https, or on localhost");
  }
  try {
    // `exact`, since Chromium prefers the default one to an `ideal` one.
    const wanted = deviceId ? { ...audio, deviceId: { exact: deviceId } } : audio;
    return await navigator.mediaDevices.getUserMedia({ audio: wanted });
  } catch (error) {
    const { name } = /** @type {DOMException} */ (error);
    if (deviceId && name === "OverconstrainedError") return open(audio); // it was unplugged
    const told = ERRORS.get(name);
    throw told ? new Failure(told) : error;
  }
}

const ERRORS = new Map([
  ["NotAllowedError", "the microphone was refused: allow it for this page in the address bar, then call again"],
  ["NotFoundError", "there is no microphone: connect one, then call again"],
  ["NotReadableError", "another program holds the microphone: close it, then call again"],
]);
