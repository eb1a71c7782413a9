/** A level meter: a stream's loudness over the last two seconds, with the newest on the right. */

const BARS = 40;
const QUIETEST_DB = -60;
/** Milliseconds between two levels. */
const INTERVAL = 50;
/** Milliseconds between two levels for people who prefer reduced motion, who see a single level. */
const CALM_INTERVAL = 500;

export class Meter {
  #levels = new Array(BARS).fill(0);
  #frame = 0;
  /** @type {AudioContext | null} */
  #context = null;

  /** @param {HTMLElement} place holds the canvas; the bars have the canvas's text colour. */
  constructor(place) {
    this.canvas = /** @type {HTMLCanvasElement} */ (place.querySelector("canvas"));
    new ResizeObserver(() => this.#draw()).observe(this.canvas);
  }

  /** @param {MediaStream | null} stream */
  start(stream) {
    if (!stream) return;
    this.#context = new AudioContext();
    const analyser = new AnalyserNode(this.#context, { fftSize: 2048 });
    new MediaStreamAudioSourceNode(this.#context, { mediaStream: stream }).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    let last = 0;
    const step = (/** @type {number} */ now) => {
      this.#frame = requestAnimationFrame(step);
      if (now - last < (calm.matches ? CALM_INTERVAL : INTERVAL)) return;
      last = now;
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      const level = Math.max(0, 1 - (10 * Math.log10(power + 1e-12)) / QUIETEST_DB);
      if (calm.matches) this.#levels.fill(level);
      else this.#levels = [...this.#levels.slice(1), level];
      this.#draw();
    };
    this.#frame = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#context?.close();
    this.#context = null;
    this.#levels.fill(0);
    this.#draw();
  }

  #draw() {
    const { canvas } = this;
    const width = (canvas.width = canvas.clientWidth * devicePixelRatio);
    const height = (canvas.height = canvas.clientHeight * devicePixelRatio);
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.fillStyle = getComputedStyle(canvas).color;
    const step = width / BARS;
    this.#levels.forEach((level, place) => {
      const size = Math.max(2 * devicePixelRatio, level * height);
      pen.fillRect(place * step, (height - size) / 2, step * 0.6, size);
    });
  }
}
