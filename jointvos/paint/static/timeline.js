// The time line: which frames were painted, how sure each object is, where shots begin.

const RULER = 20;
const SIDE = 12;

export class Timeline {
  constructor(canvas, onSeek) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onSeek = onSeek;
    this.count = 1;
    this.frame = 0;
    this.from = 0;
    this.to = 1;
    this.state = null;
    new ResizeObserver(() => this.resize()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      this.#seek(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.#seek(event);
    });
    canvas.addEventListener("wheel", (event) => this.#zoom(event), { passive: false });
    canvas.addEventListener("dblclick", () => this.#show(0, this.count));
  }

  setCount(count) {
    const whole = this.to - this.from >= this.count;
    this.count = Math.max(1, count);
    this.canvas.setAttribute("aria-valuemax", this.count - 1);
    if (whole || this.to > this.count) this.#show(0, this.count);
  }

  setFrame(frame) {
    this.frame = frame;
    this.canvas.setAttribute("aria-valuenow", frame);
    if (frame < this.from || frame >= this.to) {
      const span = this.to - this.from;
      this.#show(frame - span / 2, frame + span / 2);
    }
    this.draw();
  }

  // Objects with id, color and certainty (a code per frame), painted frames, cuts, and what fits.
  setState(state) {
    this.state = state;
    const lanes = Math.max(1, state.objects.length);
    const height = RULER + 16 + Math.min(96, lanes * 14) + 8;
    if (this.canvas.clientHeight !== height) this.canvas.style.height = `${height}px`;
    this.draw();
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.draw();
  }

  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.#drawNow();
    });
  }

  #show(from, to) {
    const span = Math.min(this.count, Math.max(10, to - from));
    this.from = Math.max(0, Math.min(this.count - span, from));
    this.to = this.from + span;
    this.draw();
  }

  #at(event) {
    const place = this.canvas.getBoundingClientRect();
    const share = (event.clientX - place.left - SIDE) / (place.width - 2 * SIDE);
    return this.from + share * (this.to - this.from);
  }

  #seek(event) {
    this.onSeek(Math.min(this.count - 1, Math.max(0, Math.floor(this.#at(event)))));
  }

  #zoom(event) {
    event.preventDefault();
    const at = this.#at(event), span = this.to - this.from;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = (event.deltaX / this.canvas.clientWidth) * span;
      this.#show(this.from + by, this.to + by);
      return;
    }
    const factor = Math.exp(event.deltaY / 400);
    this.#show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  #drawNow() {
    const { context, canvas, state } = this;
    const ratio = devicePixelRatio || 1;
    const width = canvas.width / ratio, height = canvas.height / ratio;
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    const unit = (width - 2 * SIDE) / (this.to - this.from);
    const x = (frame) => SIDE + (frame - this.from) * unit;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "11px system-ui, 'DejaVu Sans', sans-serif";

    context.fillStyle = context.strokeStyle = color("quiet");
    context.lineWidth = 1;
    const step = niceStep(70 / unit);
    for (let tick = Math.ceil(this.from / step) * step; tick < this.to; tick += step) {
      const at = Math.round(x(tick)) + 0.5;
      line(context, at, RULER - 5, at, RULER);
      context.fillText(tick, at + 3, RULER - 6);
    }
    context.strokeStyle = color("line");
    line(context, 0, RULER + 0.5, width, RULER + 0.5);
    if (!state) return;

    const lanes = state.objects.length;
    const top = RULER + 18;
    const lane = lanes ? Math.min(14, (height - top - 6) / lanes) : 14;
    const thick = Math.max(2, lane - 4);
    const [warn, error] = [color("warn"), color("error")];
    state.objects.forEach((object, row) => {
      const y = top + row * lane;
      context.fillStyle = color("hover");
      context.fillRect(SIDE, y, width - 2 * SIDE, thick);
      const codes = state.certainty[object.id];
      if (!codes) return;
      const first = Math.max(0, Math.floor(this.from)), last = Math.min(codes.length, Math.ceil(this.to));
      // What matters most of the frames in a pixel decides about its color: lost, unsure, sure.
      const each = Math.max(1, 1 / unit);
      for (let start = first; start < last; ) {
        const code = worst(codes, start, Math.min(last, Math.ceil(start + each)));
        let end = Math.min(last, Math.ceil(start + each));
        while (end < last) {
          const next = Math.min(last, Math.ceil(end + each));
          if (worst(codes, end, next) !== code || state.fits(end) !== state.fits(start)) break;
          end = next;
        }
        if (code) {
          context.globalAlpha = state.fits(start) ? 1 : 0.3;
          const wide = Math.max(1, (end - start) * unit);
          context.fillStyle = code === 3 ? error : object.color;
          context.fillRect(x(start), code === 3 ? y + thick / 2 - 1 : y, wide, code === 3 ? 2 : thick);
          if (code === 2) {
            context.fillStyle = warn;
            context.fillRect(x(start), y, wide, thick / 2);
          }
        }
        start = end;
      }
      context.globalAlpha = 1;
    });

    context.strokeStyle = color("quiet");
    context.setLineDash([2, 3]);
    for (const cut of state.cuts) {
      if (cut >= this.from && cut < this.to) line(context, x(cut), RULER, x(cut), height - 4);
    }
    context.setLineDash([]);

    context.fillStyle = color("accent");
    for (const index of state.painted) {
      if (index < this.from || index >= this.to) continue;
      const at = x(index) + Math.min(unit / 2, 40), y = RULER + 9;
      context.beginPath();
      context.moveTo(at, y - 5);
      context.lineTo(at + 5, y);
      context.lineTo(at, y + 5);
      context.lineTo(at - 5, y);
      context.fill();
    }

    const head = Math.round(x(this.frame + 0.5)) + 0.5;
    context.strokeStyle = context.fillStyle = color("text");
    context.lineWidth = 1;
    if (unit > 3) {
      context.globalAlpha = 0.1;
      context.fillRect(x(this.frame), RULER, unit, height);
      context.globalAlpha = 1;
    }
    line(context, head, RULER - 8, head, height);
    context.beginPath();
    context.moveTo(head - 5, RULER - 9);
    context.lineTo(head + 5, RULER - 9);
    context.lineTo(head, RULER - 2);
    context.fill();
  }
}

function worst(codes, start, end) {
  let code = 0;
  for (let i = start; i < end && code < 3; i++) if (codes[i] > code) code = codes[i];
  return code;
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least) ?? 10 * power;
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}
