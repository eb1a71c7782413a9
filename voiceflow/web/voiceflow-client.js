/**
 * Calls to a voiceflow server from a web page. One module, no dependencies.
 *
 *     import { VoiceflowClient } from "/voiceflow-client.js";
 *     const client = new VoiceflowClient();
 *     client.addEventListener("transcript", ({ detail }) => console.log(detail.text));
 *     button.onclick = () => (client.inCall ? client.hangUp() : client.startCall());
 *
 * Events (`detail` holds the fields):
 * - `ready`: the server answers; a call may be started. Again after each reconnection.
 * - `connected`: the call is up.
 * - `failed {reason}`: the call could not be started or kept. `ended` follows.
 * - `ended {reason}`: the call is over. Exactly once for each `startCall`.
 * - `log {message, level}`: what happens meanwhile; level is "debug", "info", "warning" or "error".
 * - `transcript {text, final}`: what the caller says; interims replace each other, a final one replaces them.
 * - `reply {id, text, heard, done, interrupted}`: what the agent says; a later one with the same id replaces it.
 * - `state {state}`: "listening", "thinking" or "speaking"; `speech {speaking}`: whether the caller speaks.
 * - `clear`: the agent was interrupted. `latency {turn, stages}`: how long each part of a turn took, in seconds.
 *
 * @typedef {object} Options
 * @property {string} [signalingUrl] Where the server's signalling is, relative to the page: "/ws".
 * @property {MediaTrackConstraints} [audio] What is asked of the microphone.
 * @property {number} [iceGatheringTimeout] How long to look for ways to the server, in milliseconds: 10 000.
 */

const PING_INTERVAL = 30_000;
const ANSWER_TIMEOUT = 15_000;
const CONNECT_TIMEOUT = 15_000;
/** The server says something every second or two; without any word for this long it is gone. */
const SILENCE_TIMEOUT = 5_000;
const FIRST_RETRY = 500;
const LONGEST_RETRY = 30_000;

export class VoiceflowClient extends EventTarget {
  /** @param {Options} [options] */
  constructor(options = {}) {
    super();
    this.audio = options.audio ?? {
      sampleRate: 48_000,
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    };
    this.iceGatheringTimeout = options.iceGatheringTimeout ?? 10_000;
    /** @private @type {Call | null} */
    this.call = null;
    /** @private */
    this.signaling = new Signaling(options.signalingUrl ?? "/ws", this);
  }

  /** Whether a call is being made or up. */
  get inCall() {
    return this.call !== null;
  }

  /** The microphone's stream during a call, for meters. @returns {MediaStream | null} */
  get localStream() {
    return this.call?.microphone ?? null;
  }

  /** The agent's stream during a call, for meters. @returns {MediaStream | null} */
  get remoteStream() {
    return this.call?.remote ?? null;
  }

  /** Start a call. Resolves once it is up, or with false if it failed: `failed` has told why. @returns {Promise<boolean>} */
  async startCall() {
    if (this.call) throw new Error("a call is on already: hang up first");
    const call = new Call(this);
    this.call = call;
    try {
      await call.start(this.signaling);
      return true;
    } catch (error) {
      call.end(error instanceof Failure ? error.message : `the call failed: ${error}`, true);
      return false;
    }
  }

  hangUp() {
    this.call?.end("you hung up");
  }

  /** Press a key: 0-9, *, #, A-D. @param {string} digit */
  sendDigit(digit) {
    this.call?.send({ type: "dtmf", digit });
  }

  /** End everything. The client cannot be used any more. */
  destroy() {
    this.hangUp();
    this.signaling.close();
  }

  /** @private @param {string} name @param {object} [detail] */
  tell(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** @private @param {string} message @param {"debug" | "info" | "warning" | "error"} [level] */
  log(message, level = "info") {
    this.tell("log", { message, level });
  }
}

/** What went wrong, in words for the person who calls. */
class Failure extends Error {}

/** One call: microphone, peer connection, data channel. */
class Call {
  /** @param {VoiceflowClient} client */
  constructor(client) {
    this.client = client;
    this.over = false;
    this.up = false;
    /** @type {MediaStream | null} */
    this.microphone = null;
    /** @type {MediaStream | null} */
    this.remote = null;
    /** @type {RTCPeerConnection | null} */
    this.peer = null;
    /** @type {RTCDataChannel | null} */
    this.channel = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.silence = undefined;
    this.speaker = new Audio();
    this.speaker.autoplay = true;
  }

  /** @param {Signaling} signaling */
  async start(signaling) {
    const [iceServers, microphone] = await Promise.all([signaling.hello(), openMicrophone(this.client.audio)]);
    this.microphone = microphone;
    if (this.over) return this.release();
    const peer = (this.peer = new RTCPeerConnection({ iceServers }));
    for (const track of microphone.getTracks()) {
      track.onended = () => this.end("the microphone was taken away", true);
      peer.addTrack(track, microphone);
    }
    peer.ontrack = ({ track, streams }) => this.play(streams[0] ?? new MediaStream([track]));
    this.openChannel(peer.createDataChannel("voiceflow"));
    const connected = this.connected(peer);
    connected.catch(() => {}); // whoever awaits it is told; nobody may yet
    await peer.setLocalDescription();
    await gathered(peer, this.client.iceGatheringTimeout);
    const sdp = await signaling.offer(peer.localDescription?.sdp ?? "");
    if (this.over) return;
    await peer.setRemoteDescription({ type: "answer", sdp });
    await within(connected, CONNECT_TIMEOUT, "no way to the server was found: a firewall may need a TURN server");
    if (this.over) return;
    this.up = true;
    this.client.tell("connected");
  }

  /** Resolves when the connection is up; ends the call when it breaks. @param {RTCPeerConnection} peer */
  connected(peer) {
    return new Promise((resolve, reject) => {
      peer.onconnectionstatechange = () => {
        this.client.log(`connection: ${peer.connectionState}`, "debug");
        if (peer.connectionState === "connected") resolve(undefined);
        if (peer.connectionState === "failed" || peer.connectionState === "closed") {
          const failure = new Failure("the connection to the server broke");
          if (this.up) this.end(failure.message, true);
          else reject(failure);
        }
      };
    });
  }

  /** @param {MediaStream} stream */
  play(stream) {
    this.remote = stream;
    this.speaker.srcObject = stream;
    this.speaker.play().catch((error) => this.client.log(`the browser does not play: ${error}`, "warning"));
  }

  /** @param {RTCDataChannel} channel */
  openChannel(channel) {
    this.channel = channel;
    channel.onopen = () => this.heard();
    channel.onmessage = ({ data }) => this.receive(data);
    channel.onclose = () => this.up && this.end("the server ended the call");
  }

  /** The server is there. */
  heard() {
    clearTimeout(this.silence);
    if (this.over) return;
    this.silence = setTimeout(() => this.end("the server is silent: the connection broke", true), SILENCE_TIMEOUT);
  }

  /** @param {string} data */
  receive(data) {
    this.heard();
    const { type, ...detail } = JSON.parse(data);
    if (type === "ping") this.send({ type: "pong" });
    else if (type === "ended") this.end(detail.reason);
    else if (type !== "pong") {
      // What is on its way when the agent is interrupted is not to be heard any more.
      if (type === "clear") this.mute(true);
      if (type === "state" && detail.state === "speaking") this.mute(false);
      this.client.tell(type, detail);
    }
  }

  /** Silences the track itself, and so everything that plays or measures it. @param {boolean} muted */
  mute(muted) {
    for (const track of this.remote?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** @param {object} message */
  send(message) {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(message));
  }

  /** @param {string} reason @param {boolean} [failed] */
  end(reason, failed = false) {
    if (this.over) return;
    this.over = true;
    this.send({ type: "hangup" });
    this.client.signaling.hangUp();
    this.release();
    this.client.call = null;
    if (failed) this.client.tell("failed", { reason });
    this.client.tell("ended", { reason });
  }

  release() {
    clearTimeout(this.silence);
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
    this.speaker.srcObject = null;
    this.peer?.close();
  }
}

/** The WebSocket to the server: kept open, reconnected with back-off. */
class Signaling {
  /** @param {string} url @param {VoiceflowClient} client */
  constructor(url, client) {
    this.url = new URL(url, location.href);
    this.url.protocol = this.url.protocol.replace("http", "ws");
    this.client = client;
    this.closed = false;
    this.retry = FIRST_RETRY;
    /** @type {{type: string, resolve: (message: any) => void, reject: (error: Error) => void} | null} */
    this.waiting = null;
    /** @type {RTCIceServer[] | null} */
    this.iceServers = null;
    this.connect();
  }

  connect() {
    const socket = (this.socket = new WebSocket(this.url));
    socket.onopen = () => {
      this.send({ type: "hello" });
      this.pinging = setInterval(() => this.send({ type: "ping" }), PING_INTERVAL);
    };
    socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    socket.onclose = ({ reason }) => this.lost(reason);
  }

  /** @param {any} message */
  receive(message) {
    if (message.type === "hello_ack") {
      this.iceServers = message.ice_servers;
      this.retry = FIRST_RETRY;
      this.client.tell("ready");
    }
    if (message.type === "error") this.client.log(message.message, "error");
    const waiting = this.waiting;
    if (message.type === "error") waiting?.reject(new Failure(message.message));
    else if (waiting?.type === message.type) waiting.resolve(message);
  }

  /** @param {string} reason */
  lost(reason) {
    clearInterval(this.pinging);
    this.iceServers = null;
    this.waiting?.reject(new Failure(reason || "the server cannot be reached"));
    if (this.closed) return;
    this.client.log(`no connection to ${this.url}; next attempt in ${this.retry / 1000} s`, "warning");
    this.retrying = setTimeout(() => this.connect(), this.retry);
    this.retry = Math.min(2 * this.retry, LONGEST_RETRY);
  }

  /** The servers to find a way with, as soon as the server has told them. @returns {Promise<RTCIceServer[]>} */
  async hello() {
    return this.iceServers ?? (await this.answer("hello_ack")).ice_servers;
  }

  /** @param {string} sdp @returns {Promise<string>} the answer */
  async offer(sdp) {
    this.send({ type: "webrtc_offer", sdp });
    return (await this.answer("webrtc_answer")).sdp;
  }

  hangUp() {
    this.send({ type: "hangup" });
  }

  /** The next message of `type`. @param {string} type @returns {Promise<any>} */
  answer(type) {
    const answered = new Promise((resolve, reject) => {
      this.waiting = { type, resolve, reject };
    });
    return within(answered, ANSWER_TIMEOUT, "the server does not answer");
  }

  /** @param {object} message */
  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  close() {
    this.closed = true;
    clearTimeout(this.retrying);
    this.socket?.close();
  }
}

/** @param {MediaTrackConstraints} audio @returns {Promise<MediaStream>} */
async function openMicrophone(audio) {
  if (!navigator.mediaDevices) {
    throw new Failure("browsers give the microphone to secure pages only: open this page by https, or on localhost");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError") {
      throw new Failure("the microphone was refused: allow it for this page in the address bar, then call again");
    }
    if (name === "NotFoundError") throw new Failure("there is no microphone: connect one, then call again");
    if (name === "NotReadableError") throw new Failure("another program holds the microphone: close it, then call again");
    throw error;
  }
}

/** Local candidates are in the offer: wait until all are known, or `timeout` ms. @param {RTCPeerConnection} peer */
function gathered(peer, timeout) {
  return new Promise((resolve) => {
    const check = () => peer.iceGatheringState === "complete" && resolve(undefined);
    peer.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, timeout);
    check();
  });
}

/** @template T @param {Promise<T>} promise @param {number} timeout ms @param {string} reason @returns {Promise<T>} */
function within(promise, timeout, reason) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Failure(reason)), timeout);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
