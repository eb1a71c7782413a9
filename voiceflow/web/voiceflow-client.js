/**
 * Calls to a voiceflow server from a web page. No dependencies, no build step.
 *
 *     import { VoiceflowClient } from "/voiceflow-client.js";
 *     const client = new VoiceflowClient();
 *     client.addEventListener("transcript", ({ detail }) => console.log(detail.text));
 *     button.onclick = () => (client.inCall ? client.hangUp() : client.startCall());
 *
 * During a call `client.muted = true` mutes the caller. `useMicrophone(id)` and `useSpeaker(id)` choose devices.
 *
 * Events (`detail` holds the fields):
 * - `ready`: the server answers; a call may be started. Repeated after each reconnection.
 * - `lost {reason}`: the server does not answer. The client tries again by itself; a call that is up goes on.
 * - `connected`: the call is up.
 * - `failed {reason}`: the call could not be started or kept. `ended` follows.
 * - `ended {reason}`: the call is over. Exactly once for each `startCall`.
 * - `microphone`: the caller speaks into another one from now on: it was chosen, or the first was unplugged.
 * - `log {message, level}`: details for the console; level is "debug" or "warning".
 * - `transcript {text, final}`: what the caller says; interims replace each other, a final one replaces them.
 * - `reply {id, text, heard, done, interrupted}`: what the agent says; a later one with the same id replaces it.
 * - `state {state}`: "listening", "thinking" or "speaking"; `speech {speaking}`: whether the caller speaks.
 * - `problem {processor, text}`: a part of the pipeline failed, the call goes on. On the server's own machine only.
 * - `clear`: the agent was interrupted. `latency {turn, stages}`: how long each part of a turn took, in seconds.
 *
 * @typedef {object} Options
 * @property {string} [signalingUrl] Where the server's signalling is, relative to the page: "/ws".
 * @property {MediaTrackConstraints} [audio] Constraints for the microphone.
 * @property {number} [iceGatheringTimeout] How long to gather ICE candidates, in milliseconds: 10 000.
 */

import { Microphone } from "./microphone.js";
import { Failure, Signaling } from "./signaling.js";

/** @typedef {import("./signaling.js").Tell} Tell */

const AUDIO = { sampleRate: 48_000, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const ANSWER_TIMEOUT = 15_000;
const CONNECT_TIMEOUT = 15_000;
/** During a call the server is pinged this often, in ms, and taken for gone when this many pings are unanswered. */
const CALL_PING_INTERVAL = 1_000;
const CALL_PINGS_UNANSWERED = 5;

export class VoiceflowClient extends EventTarget {
  #audio;
  #iceGatheringTimeout;
  #signaling;
  #microphone = "";
  #speaker = "";
  /** @type {Call | null} */
  #call = null;
  /** @type {Tell} */
  #tell = (name, detail = {}) => this.dispatchEvent(new CustomEvent(name, { detail }));

  /** @param {Options} [options] */
  constructor({ signalingUrl = "/ws", audio = AUDIO, iceGatheringTimeout = 10_000 } = {}) {
    super();
    this.#audio = audio;
    this.#iceGatheringTimeout = iceGatheringTimeout;
    this.#signaling = new Signaling(signalingUrl, this.#tell);
  }

  /** Whether a call is being made or up. */
  get inCall() {
    return this.#call?.over === false;
  }

  /** The microphone's stream during a call, for meters. @returns {MediaStream | null} */
  get localStream() {
    return (this.inCall && this.#call?.microphone.stream) || null;
  }

  /** The agent's stream during a call, for meters. @returns {MediaStream | null} */
  get remoteStream() {
    return (this.inCall && this.#call?.remote) || null;
  }

  /**
   * Start a call. Resolves to true once it is up; to false if it failed (`failed` has told why) or was hung up before
   * that. Rejects if another call is being made or up.
   * @returns {Promise<boolean>}
   */
  async startCall() {
    if (this.inCall) throw new Error("a call is on already: hang up first");
    const call = (this.#call = new Call(this.#signaling, this.#tell, this.#audio));
    try {
      call.playOn(this.#speaker).catch(() => {}); // one that is gone: the default one plays
      await call.start(this.#microphone, this.#iceGatheringTimeout);
      return true;
    } catch (error) {
      call.end(error instanceof Failure ? error.message : String(error), true);
      return false;
    }
  }

  hangUp() {
    this.#call?.end("you hung up");
  }

  /** Whether the agent hears silence instead of the caller. Each call begins unmuted. */
  get muted() {
    return this.inCall && this.#call?.microphone.muted === true;
  }

  set muted(muted) {
    if (this.inCall && this.#call) this.#call.microphone.muted = muted;
  }

  /**
   * Speak into another microphone, in this call and in later ones. Rejects if it cannot be used; a call keeps its own.
   * @param {string} deviceId as `enumerateDevices` names it; "": the default one
   */
  async useMicrophone(deviceId) {
    if (this.inCall) await this.#call?.microphone.open(deviceId);
    this.#microphone = deviceId;
  }

  /** Hear the agent on another speaker, likewise; not every browser lets pages choose. @param {string} deviceId */
  async useSpeaker(deviceId) {
    if (this.inCall) await this.#call?.playOn(deviceId);
    this.#speaker = deviceId;
  }

  /** Press a key: 0-9, *, #, A-D. @param {string} digit */
  sendDigit(digit) {
    this.#call?.send({ type: "dtmf", digit });
  }

  /** End everything. The client cannot be used any more. */
  destroy() {
    this.hangUp();
    this.#signaling.close();
  }
}

/** One call: microphone, peer connection, data channel. */
class Call {
  over = false;
  /** @type {MediaStream | null} */
  remote = null;
  /** @type {RTCPeerConnection | null} */
  #peer = null;
  /** @type {RTCDataChannel | null} */
  #channel = null;
  #up = false;
  #unanswered = 0;
  #pinging = 0;
  #speaker = new Audio();
  /** @type {(failure: Failure) => void} */
  #stop = () => {};
  /** @type {Promise<never>} Rejects when the call ends: whatever else is awaited then comes too late. */
  #ended = new Promise((_, reject) => (this.#stop = reject));

  /** @param {Signaling} signaling @param {Tell} tell @param {MediaTrackConstraints} audio */
  constructor(signaling, tell, audio) {
    this.signaling = signaling;
    this.tell = tell;
    this.microphone = new Microphone(audio, () => tell("microphone"), (reason) => this.end(reason, true));
    this.#ended.catch(() => {}); // often nobody awaits it
  }

  /** @param {string} microphone its id @param {number} gathering ms */
  async start(microphone, gathering) {
    await this.#unlessOver(this.microphone.open(microphone));
    const { ice_servers: iceServers } = await this.#ask({ type: "hello" });
    const peer = (this.#peer = new RTCPeerConnection({ iceServers }));
    const stream = /** @type {MediaStream} */ (this.microphone.stream);
    this.microphone.sender = peer.addTrack(stream.getAudioTracks()[0], stream);
    peer.ontrack = ({ track, streams }) => this.#play(streams[0] ?? new MediaStream([track]));
    this.#watch(peer);
    const opened = this.#open(peer.createDataChannel("voiceflow"));
    await this.#unlessOver(peer.setLocalDescription());
    await this.#before(gathered(peer), gathering); // the candidates found by then must do
    const { sdp } = await this.#ask({ type: "webrtc_offer", sdp: peer.localDescription?.sdp });
    await this.#unlessOver(peer.setRemoteDescription({ type: "answer", sdp }));
    await this.#before(opened, CONNECT_TIMEOUT, "no way to the server was found: a firewall may need a TURN server");
    this.#up = true;
    this.#pinging = setInterval(() => this.#ping(), CALL_PING_INTERVAL);
    this.tell("connected");
  }

  /** Ends the call when the connection breaks. @param {RTCPeerConnection} peer */
  #watch(peer) {
    peer.onconnectionstatechange = () => {
      this.tell("log", { message: `connection: ${peer.connectionState}`, level: "debug" });
      if (peer.connectionState === "failed") this.end("the connection to the server broke", true);
    };
  }

  /** @param {MediaStream} stream */
  #play(stream) {
    this.remote = stream;
    this.#speaker.srcObject = stream;
    this.#speaker.play().catch((error) => {
      if (!this.over) this.tell("log", { message: `the browser does not play: ${error}`, level: "warning" });
    });
  }

  /** @param {string} speaker its id; "": the default one @returns {Promise<void>} */
  async playOn(speaker) {
    if (speaker || this.#speaker.sinkId) await this.#speaker.setSinkId(speaker);
  }

  /** Resolves when the channel is open, which means that the connection is up. @param {RTCDataChannel} channel */
  #open(channel) {
    this.#channel = channel;
    channel.onmessage = ({ data }) => this.#receive(data);
    channel.onclose = () => this.end("the server ended the call", !this.#up);
    return new Promise((resolve) => {
      channel.onopen = resolve;
    });
  }

  /** Unanswered pings are counted, not timed: a browser that is held up delays pings and answers alike. */
  #ping() {
    if (this.#unanswered >= CALL_PINGS_UNANSWERED) this.end("the connection to the server broke", true);
    this.#unanswered += 1;
    this.send({ type: "ping" });
  }

  /** @param {string} data */
  #receive(data) {
    if (this.over) return;
    this.#unanswered = 0;
    const { type, ...detail } = JSON.parse(data);
    if (type === "ended") this.end(detail.reason);
    else if (type !== "pong") {
      // Audio that is on its way when the agent is interrupted must not be heard any more.
      if (type === "clear") this.#silence(true);
      if (type === "state" && detail.state === "speaking") this.#silence(false);
      this.tell(type, detail);
    }
  }

  /** Silences the agent's track itself, and so everything that plays or measures it. @param {boolean} silent */
  #silence(silent) {
    for (const track of this.remote?.getAudioTracks() ?? []) track.enabled = !silent;
  }

  /** @param {object} message */
  send(message) {
    if (this.#channel?.readyState === "open") this.#channel.send(JSON.stringify(message));
  }

  /** @param {object} message to the signalling @returns {Promise<any>} */
  #ask(message) {
    return this.#before(this.signaling.ask(message), ANSWER_TIMEOUT, "the server does not answer");
  }

  /**
   * What `promise` resolves to. After `timeout` ms it fails with `reason`, or just goes on if there is none.
   * @param {Promise<any>} promise @param {number} timeout @param {string} [reason]
   */
  async #before(promise, timeout, reason) {
    let timer = 0;
    const late = new Promise((resolve, reject) => {
      timer = setTimeout(() => (reason ? reject(new Failure(reason)) : resolve(undefined)), timeout);
    });
    try {
      return await this.#unlessOver(Promise.race([promise, late]));
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * What `promise` resolves to; fails as soon as the call is over. A closed connection's own promises stay pending.
   * @template T @param {Promise<T>} promise @returns {Promise<T>}
   */
  async #unlessOver(promise) {
    const result = await Promise.race([promise, this.#ended]);
    if (this.over) await this.#ended;
    return result;
  }

  /** @param {string} reason @param {boolean} [failed] */
  end(reason, failed = false) {
    if (this.over) return;
    this.over = true;
    this.#stop(new Failure(reason));
    clearInterval(this.#pinging);
    this.send({ type: "hangup" });
    this.signaling.hangUp();
    this.microphone.stop();
    this.#speaker.srcObject = null;
    this.#peer?.close();
    if (failed) this.tell("failed", { reason });
    this.tell("ended", { reason });
  }
}

/** Resolves when all ICE candidates of this browser are known, and so in the offer. @param {RTCPeerConnection} peer */
function gathered(peer) {
  return new Promise((resolve) => {
    const check = () => peer.iceGatheringState === "complete" && resolve(undefined);
    peer.addEventListener("icegatheringstatechange", check);
    check();
  });
}
