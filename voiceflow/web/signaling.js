/**
 * The WebSocket over which calls begin. It is kept open, and reconnected with back-off. Times are in milliseconds.
 *
 * @typedef {(name: string, detail?: object) => void} Tell dispatches an event of the client
 */

const PING_INTERVAL = 30_000;
const ANSWER_TIMEOUT = 15_000;
const FIRST_RETRY = 500;
const LONGEST_RETRY = 15_000;
const UNAUTHORIZED = 4001;
const LOGIN = "you are not logged in, or your login is over: reload this page";
const REFUSED = "calls from this browser are refused: open the link that was printed at start";

/** An error whose message is for the person who calls. */
export class Failure extends Error {}

/** A connection on which each question has one answer, and answers come in the order of the questions. */
export class Signaling {
  #retry = FIRST_RETRY;
  #closed = false;
  /** The only timer: until the next attempt to connect, until the next ping, or for the answer to it. */
  #timer = 0;
  /** @type {{resolve: (message: any) => void, reject: (failure: Failure) => void}[]} */
  #asked = [];

  /** @param {string} url @param {Tell} tell */
  constructor(url, tell) {
    this.url = new URL(url, location.href);
    this.url.protocol = this.url.protocol.replace("http", "ws");
    this.tell = tell;
    this.socket = this.#connect();
  }

  get open() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Resolves to the answer to `message`; rejects with a `Failure`. @param {object} message @returns {Promise<any>} */
  ask(message) {
    return new Promise((resolve, reject) => {
      if (!this.open) return reject(new Failure("the server cannot be reached: try again in a moment"));
      this.#asked.push({ resolve, reject });
      this.socket.send(JSON.stringify(message));
    });
  }

  hangUp() {
    if (this.open) this.socket.send(JSON.stringify({ type: "hangup" }));
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.socket.close();
  }

  #connect() {
    const socket = new WebSocket(this.url);
    socket.onopen = () => this.#check({ type: "hello" });
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#lost(why(code, reason));
    return socket;
  }

  /** Ask from time to time: a socket does not notice by itself that the network is gone. @param {object} message */
  async #check(message) {
    this.#timer = setTimeout(() => this.socket.close(), ANSWER_TIMEOUT);
    try {
      const { type } = await this.ask(message);
      this.#retry = FIRST_RETRY;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#check({ type: "ping" }), PING_INTERVAL);
      if (type === "hello_ack") this.tell("ready");
    } catch {
      this.socket.close();
    }
  }

  /** @param {any} message */
  #receive(message) {
    const asked = this.#asked.shift();
    if (message.type === "error") asked?.reject(new Failure(message.message));
    else asked?.resolve(message);
  }

  /** @param {string} reason */
  #lost(reason) {
    clearTimeout(this.#timer);
    for (const { reject } of this.#asked.splice(0)) reject(new Failure(reason));
    if (this.#closed) return;
    const wait = this.#retry * (0.5 + 0.5 * Math.random()); // so that not all pages come at once after a restart
    this.#timer = setTimeout(() => (this.socket = this.#connect()), wait);
    this.#retry = Math.min(2 * this.#retry, LONGEST_RETRY);
    this.tell("lost", { reason });
  }
}

/** Why a socket was closed, for the person who calls. @param {number} code @param {string} reason */
function why(code, reason) {
  if (code === UNAUTHORIZED) return LOGIN;
  return reason === "refused" ? REFUSED : reason || "the server cannot be reached";
}
