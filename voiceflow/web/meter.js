/** A level meter: a stream's loudness over the last seconds, newest on the right. */

const BARS = 40;
const QUIETEST_DB = -60;

export class Meter {
  /** @param {HTMLElement} place holds the canvas; its colour is the place's. */
  constructor(place) {
    this.canvas = /** @type {HTMLCanvasElement} */ (place.querySelector("canvas"));
    this.levels = new Array(BARS).fill(0);
    this.frame = 0;
    this.draw();
  }

  /** @param {MediaStream | null} stream */
  start(stream) {
    if (!stream) return;
    this.context = new AudioContext();
    const analyser = new AnalyserNode(this.context, { fftSize: 2048 });
    new MediaStreamAudioSourceNode(this.context, { mediaStream: stream }).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let last = 0;
    const step = (/** @type {number} */ now) => {
      this.frame = requestAnimationFrame(step);
      if (now - last < 50) return;
      last = now;
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      this.levels.push(Math.max(0, 1 - (10 * Math.log10(power + 1e-12)) / QUIETEST_DB));
      this.levels.shift();
      this.draw();
    };
    this.frame = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.context?.close();
    this.context = undefined;
    this.levels.fill(0);
    this.draw();
  }

  draw() {
    const { width, height } = this.canvas;
    const pen = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = getComputedStyle(this.canvas).color;
    const step = width / BARS;
    this.levels.forEach((level, place) => {
      const size = Math.max(2, level * height);
      pen.fillRect(place * step + 1, (height - size) / 2, step - 2, size);
    });
  }
}
