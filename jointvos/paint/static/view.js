// The stage: a frame, its masks above it, and what a tool shows, with zoom and pan.

import { empty, isEmpty, join } from "./labels.js";

const TINT = 0.42;

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.overlay = document.createElement("canvas");
    this.paint = this.overlay.getContext("2d");
    this.mode = "fill";
    this.hidden = new Set();
    this.colors = [];
    this.scale = 1;
    this.x = this.y = 0;
    this.aspect = 1;
    this.fitted = true;
    this.image = this.labels = this.onion = null;
    this.drawExtra = () => {};
    this.onZoom = () => {};
    this.dirty = empty();
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  setSize(width, height, aspect) {
    this.width = width;
    this.height = height;
    this.aspect = aspect || 1;
    this.overlay.width = width;
    this.overlay.height = height;
    this.resize();
  }

  setColors(colors) {
    this.colors = colors.map((text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16)));
  }

  setFrame(image, labels) {
    this.image = image;
    this.labels = labels;
    this.redrawMasks();
  }

  redrawMasks() {
    if (this.labels) this.changed({ x0: 0, y0: 0, x1: this.width, y1: this.height });
  }

  // Labels in a box have changed.
  changed(box) {
    this.dirty = join(this.dirty, box);
    this.draw();
  }

  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.#drawNow();
    });
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.fitted && this.width) this.fit();
    this.draw();
  }

  fit() {
    const margin = 0.97;
    const across = this.canvas.width / (this.width * this.aspect);
    this.scale = margin * Math.min(across, this.canvas.height / this.height);
    this.x = (this.canvas.width - this.width * this.aspect * this.scale) / 2;
    this.y = (this.canvas.height - this.height * this.scale) / 2;
    this.fitted = true;
    this.#zoomed();
  }

  // Zoom by a factor, keeping a point of the canvas in place.
  zoom(factor, at = { x: this.canvas.width / 2, y: this.canvas.height / 2 }) {
    const scale = Math.min(40, Math.max(0.02, this.scale * factor));
    this.x = at.x - ((at.x - this.x) * scale) / this.scale;
    this.y = at.y - ((at.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.#zoomed();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.draw();
  }

  // Pixels of the video that make an edge of a constant width on the screen.
  get #edge() {
    return Math.max(1, Math.round((1.6 * (devicePixelRatio || 1)) / this.scale));
  }

  #zoomed() {
    if (this.#edge !== this.drawnEdge) this.redrawMasks();
    this.onZoom(this.scale / (devicePixelRatio || 1));
    this.draw();
  }

  // From a pointer event to the canvas, and to pixels of the video.
  onCanvas(event) {
    const place = this.canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    return { x: (event.clientX - place.left) * ratio, y: (event.clientY - place.top) * ratio };
  }

  inVideo(event) {
    const point = this.onCanvas(event);
    return {
      x: (point.x - this.x) / (this.scale * this.aspect),
      y: (point.y - this.y) / this.scale,
    };
  }

  #drawNow() {
    if (!isEmpty(this.dirty)) this.#render(this.dirty);
    this.dirty = empty();
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.image) return;
    context.setTransform(this.scale * this.aspect, 0, 0, this.scale, this.x, this.y);
    context.imageSmoothingEnabled = this.scale < 3;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.image, 0, 0, this.width, this.height);
    if (this.mode !== "none") context.drawImage(this.overlay, 0, 0);
    this.drawExtra(context, 1 / this.scale);
  }

  // Colors of the masks in a box, and one pixel around it, whose edges may have changed.
  #render(box) {
    const { labels, width, height, hidden } = this;
    if (!labels) return;
    const edge = (this.drawnEdge = this.#edge);
    const x0 = Math.max(0, box.x0 - edge), y0 = Math.max(0, box.y0 - edge);
    const x1 = Math.min(width, box.x1 + edge), y1 = Math.min(height, box.y1 + edge);
    if (x1 <= x0 || y1 <= y0) return;
    const image = this.paint.createImageData(x1 - x0, y1 - y0);
    const pixels = new Uint32Array(image.data.buffer);
    const inner = new Uint32Array(256), outer = new Uint32Array(256);
    const alpha = this.mode === "fill" ? Math.round(255 * TINT) : 0;
    for (let id = 1; id < 255; id++) {
      if (hidden.has(id) || !this.colors[id]) continue;
      const [r, g, b] = this.colors[id];
      inner[id] = (alpha << 24) | (b << 16) | (g << 8) | r;
      outer[id] = (255 << 24) | (b << 16) | (g << 8) | r;
    }
    const onion = this.onion;
    const white = 0xffffffff;
    let out = 0;
    for (let y = y0; y < y1; y++) {
      const up = y >= edge ? -edge * width : 0, down = y < height - edge ? edge * width : 0;
      for (let x = x0; x < x1; x++, out++) {
        const at = y * width + x;
        const left = x >= edge ? -edge : 0, right = x < width - edge ? edge : 0;
        const id = labels[at];
        if (id) {
          const border = labels[at + left] !== id || labels[at + right] !== id ||
            labels[at + up] !== id || labels[at + down] !== id;
          pixels[out] = (border ? outer : inner)[id];
        }
        if (onion && onion[at] && (x + y) % 8 < 5) {
          const was = onion[at];
          if (!hidden.has(was) && (onion[at + left] !== was || onion[at + right] !== was ||
            onion[at + up] !== was || onion[at + down] !== was)) pixels[out] = white;
        }
      }
    }
    this.paint.putImageData(image, x0, y0);
  }
}
