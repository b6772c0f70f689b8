// The tools. Each gets points in pixels of the video; `editor` applies what comes of them.

import { boxOf, connected, empty, join, line, polygon } from "./labels.js";
import { findRegion } from "./server.js";

const INSIDE = 2, OUTSIDE = 3;

// A drag that paints with a round tip.
class Brush {
  constructor(editor, erase) {
    this.editor = editor;
    this.erase = erase;
  }

  down(point) {
    if (!this.editor.begin()) return;
    this.last = point;
    this.box = empty();
    this.move(point);
  }

  move(point) {
    if (!this.last) return;
    const { labels, width, height, current, size } = this.editor;
    const set = this.erase
      ? (at) => { if (labels[at] === current) labels[at] = 0; }
      : (at) => { labels[at] = current; };
    const box = line(width, height, this.last, point, size / 2, set);
    this.box = join(this.box, box);
    this.last = point;
    this.editor.changed(box);
  }

  up() {
    if (!this.last) return;
    this.last = null;
    this.editor.end(this.box);
  }

  cancel() {
    this.up();
  }

  draw(context, unit, pointer) {
    if (pointer) ring(context, pointer, this.editor.size / 2, unit);
  }
}

// A rectangle whose content the server cuts out.
class Box {
  constructor(editor) {
    this.editor = editor;
  }

  down(point) {
    this.from = this.to = point;
  }

  move(point) {
    if (this.from) this.to = point;
    this.editor.draw();
  }

  async up() {
    if (!this.from) return;
    const { width, height } = this.editor;
    const x = Math.max(0, Math.round(Math.min(this.from.x, this.to.x)));
    const y = Math.max(0, Math.round(Math.min(this.from.y, this.to.y)));
    const x1 = Math.min(width, Math.round(Math.max(this.from.x, this.to.x)));
    const y1 = Math.min(height, Math.round(Math.max(this.from.y, this.to.y)));
    this.from = null;
    this.editor.draw();
    if (x1 - x < 2 && y1 - y < 2) return this.editor.say("Drag a box around the object.");
    const box = { x, y, width: x1 - x, height: y1 - y };
    const found = await this.editor.ask("Cutting it out…", (frame, pixels) =>
      findRegion(`box/${frame}`, box, pixels));
    if (!found) return;
    const { labels, current } = this.editor;
    this.editor.edit(() => {
      for (let row = y; row < y1; row++) {
        for (let at = row * width + x; at < row * width + x1; at++) {
          if (labels[at] === current) labels[at] = 0;
        }
      }
      take(this.editor, found);
      return join({ x0: x, y0: y, x1, y1 }, boxOf(found, width, height, Boolean));
    });
  }

  cancel() {
    this.from = null;
    this.editor.draw();
  }

  draw(context, unit) {
    if (!this.from) return;
    const [x, y] = [Math.min(this.from.x, this.to.x), Math.min(this.from.y, this.to.y)];
    const [w, h] = [Math.abs(this.to.x - this.from.x), Math.abs(this.to.y - this.from.y)];
    outline(context, unit, () => context.rect(x, y, w, h));
  }
}

// Points inside and outside of the object, around which the server finds it.
class Points {
  constructor(editor) {
    this.editor = editor;
    this.points = [];
  }

  async down(point, event) {
    const { width, height } = this.editor;
    const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
    if (!this.editor.ready() || x < 0 || y < 0 || x >= width || y >= height) return;
    const outside = event.shiftKey || event.button === 2;
    this.points.push({ x, y, outside });
    const places = (wanted) => this.points.filter((p) => p.outside === wanted).map((p) => [p.x, p.y]);
    const found = await this.editor.ask("Looking for the object…", (frame) =>
      findRegion(`points/${frame}`, { inside: places(false), outside: places(true) }, width * height));
    if (!found) {
      this.points.pop();
      this.editor.draw();
      return;
    }
    replace(this.editor, found);
  }

  undo() {
    this.points.pop();
  }

  forget() {
    this.points = [];
  }

  cancel() {
    this.forget();
    this.editor.draw();
  }

  draw(context, unit) {
    for (const point of this.points) {
      context.beginPath();
      context.arc(point.x + 0.5, point.y + 0.5, 5 * unit, 0, 7);
      context.fillStyle = point.outside ? "#ff4d4d" : "#3ddc84";
      context.fill();
      context.lineWidth = 1.5 * unit;
      context.strokeStyle = "#fff";
      context.stroke();
    }
  }
}

// Corners by clicks, or a lasso by dragging.
class Polygon {
  constructor(editor) {
    this.editor = editor;
    this.points = [];
  }

  down(point) {
    if (!this.editor.ready()) return;
    if (this.points.length > 2 && this.#closes(point)) return this.finish();
    this.points.push(point);
    this.dragging = true;
    this.editor.draw();
  }

  move(point) {
    const last = this.points.at(-1);
    if (this.dragging && Math.hypot(point.x - last.x, point.y - last.y) > 3 / this.editor.zoom) {
      this.points.push(point);
      this.lasso = true;
    }
    this.editor.draw();
  }

  up() {
    this.dragging = false;
    if (this.lasso && this.points.length > 2) this.finish();
    this.lasso = false;
  }

  key(event) {
    if (!this.points.length) return false;
    if (event.key === "Enter") this.finish();
    else if (event.key === "Backspace") this.points.pop();
    else return false;
    this.editor.draw();
    return true;
  }

  double() {
    this.finish();
  }

  finish() {
    const points = this.points;
    this.points = [];
    this.editor.draw();
    if (points.length < 3) return;
    const { labels, width, height, current } = this.editor;
    this.editor.edit(() => polygon(width, height, points, (at) => { labels[at] = current; }));
  }

  cancel() {
    this.points = [];
    this.lasso = this.dragging = false;
    this.editor.draw();
  }

  #closes(point) {
    const first = this.points[0];
    return Math.hypot(point.x - first.x, point.y - first.y) < 8 / this.editor.zoom;
  }

  draw(context, unit, pointer) {
    if (!this.points.length) return;
    outline(context, unit, () => {
      this.points.forEach((p, i) => (i ? context.lineTo(p.x, p.y) : context.moveTo(p.x, p.y)));
      if (pointer) context.lineTo(pointer.x, pointer.y);
    });
    const first = this.points[0];
    ring(context, first, 4 * unit, unit);
  }
}

// Strokes inside and outside of the object, from which the server finds its edge.
class Strokes {
  constructor(editor) {
    this.editor = editor;
    this.strokes = [];
  }

  down(point, event) {
    if (!this.editor.ready()) return;
    const outside = this.editor.stroke === "outside" || event.button === 2;
    this.now = { outside, points: [point], width: this.editor.size };
    this.strokes.push(this.now);
    this.editor.draw();
  }

  move(point) {
    if (this.now) this.now.points.push(point);
    this.editor.draw();
  }

  async up() {
    if (!this.now) return;
    this.now = null;
    const { labels, width, height, current } = this.editor;
    const drawn = new Uint8Array(labels.length);
    for (let at = 0; at < labels.length; at++) {
      drawn[at] = labels[at] === current ? 1 : labels[at] ? 4 : 0;
    }
    for (const stroke of this.strokes) {
      const code = stroke.outside ? OUTSIDE : INSIDE;
      stroke.points.forEach((point, i) =>
        line(width, height, stroke.points[Math.max(0, i - 1)], point, stroke.width / 2, (at) => {
          if (drawn[at] !== 4) drawn[at] = code;
        }));
    }
    const before = this.strokes.length;
    const found = await this.editor.ask("Finding the edge…", (frame, pixels) =>
      findRegion(`strokes/${frame}`, this.editor.packed(drawn), pixels));
    if (!found) {
      this.strokes.length = Math.min(this.strokes.length, before - 1);
      this.editor.draw();
      return;
    }
    replace(this.editor, found);
  }

  undo() {
    this.strokes.pop();
  }

  forget() {
    this.strokes = [];
    this.now = null;
  }

  cancel() {
    this.forget();
    this.editor.draw();
  }

  draw(context, unit, pointer) {
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) {
      context.beginPath();
      stroke.points.forEach((p, i) => (i ? context.lineTo(p.x, p.y) : context.moveTo(p.x, p.y)));
      const last = stroke.points.at(-1);
      context.lineTo(last.x + 0.01, last.y);
      context.lineWidth = Math.max(stroke.width, 2 * unit);
      context.strokeStyle = stroke.outside ? "#ff4d4dcc" : "#3ddc84cc";
      context.stroke();
    }
    if (pointer) ring(context, pointer, this.editor.size / 2, unit);
  }
}

// A click that takes the connected pixels of a similar color.
class Similar {
  constructor(editor) {
    this.editor = editor;
  }

  async down(point, event) {
    const { width, height, tolerance } = this.editor;
    const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
    if (!this.editor.ready() || x < 0 || y < 0 || x >= width || y >= height) return;
    const remove = event.shiftKey;
    const found = await this.editor.ask("Looking for similar pixels…", (frame, pixels) =>
      findRegion(`similar/${frame}`, { x, y, tolerance }, pixels));
    if (!found) return;
    const { labels, current } = this.editor;
    this.editor.edit(() => {
      if (remove) {
        for (let at = 0; at < labels.length; at++) if (found[at] && labels[at] === current) labels[at] = 0;
      } else take(this.editor, found);
      return boxOf(found, width, height, Boolean);
    });
  }
}

// A click that fills what an outline encloses.
class Fill {
  constructor(editor) {
    this.editor = editor;
  }

  down(point) {
    const { labels, width, height, current } = this.editor;
    const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
    if (!this.editor.ready() || x < 0 || y < 0 || x >= width || y >= height) return;
    if (labels[y * width + x] === current) return this.editor.say("This belongs to the object already.");
    const { found, open } = connected(labels, width, height, x, y);
    if (open && labels[y * width + x] === 0) {
      return this.editor.say("Nothing encloses this. Draw a closed outline first.");
    }
    this.editor.edit(() => {
      let box = empty();
      for (const at of found) {
        labels[at] = current;
        const px = at % width, py = (at - px) / width;
        box = { x0: Math.min(box.x0, px), y0: Math.min(box.y0, py), x1: Math.max(box.x1, px + 1), y1: Math.max(box.y1, py + 1) };
      }
      return box;
    });
  }
}

// Put a region in the place of all that the object had before.
function replace(editor, region) {
  const { labels, width, height, current } = editor;
  editor.edit(() => {
    const box = join(boxOf(labels, width, height, (id) => id === current), boxOf(region, width, height, Boolean));
    for (let at = 0; at < labels.length; at++) if (labels[at] === current) labels[at] = 0;
    take(editor, region);
    return box;
  });
}

// Give a region to the current object, but for what others have.
function take(editor, region) {
  const { labels, current } = editor;
  for (let at = 0; at < labels.length; at++) if (region[at] && !labels[at]) labels[at] = current;
}

function ring(context, center, radius, unit) {
  for (const [color, width] of [["#000a", 3], ["#fff", 1.2]]) {
    context.beginPath();
    context.arc(center.x, center.y, Math.max(radius, unit), 0, 7);
    context.strokeStyle = color;
    context.lineWidth = width * unit;
    context.stroke();
  }
}

function outline(context, unit, path) {
  for (const [color, dash] of [["#000b", []], ["#fff", [5, 4]]]) {
    context.beginPath();
    path();
    context.setLineDash(dash.map((n) => n * unit));
    context.strokeStyle = color;
    context.lineWidth = 1.5 * unit;
    context.stroke();
  }
  context.setLineDash([]);
}

export const TOOLS = [
  { id: "points", key: "c", name: "Click", make: (editor) => new Points(editor), options: [],
    text: "Click the object, and again where something is missing. Shift-click or right-click what does not belong to it." },
  { id: "box", key: "r", name: "Box", make: (editor) => new Box(editor), options: [],
    text: "Drag a box around the object. What stands out in it becomes the mask." },
  { id: "strokes", key: "s", name: "Refine", make: (editor) => new Strokes(editor),
    options: ["size", "stroke"],
    text: "A stroke inside adds, a stroke outside (or with the right button) takes away. X switches between them." },
  { id: "similar", key: "w", name: "Similar color", make: (editor) => new Similar(editor),
    options: ["tolerance"],
    text: "A click takes the connected area of that color. With Shift it takes it away." },
  { id: "brush", key: "b", name: "Brush", make: (editor) => new Brush(editor, false), options: ["size"],
    text: "Paint the object. [ and ] change the size." },
  { id: "eraser", key: "e", name: "Eraser", make: (editor) => new Brush(editor, true), options: ["size"],
    text: "Erase the chosen object. [ and ] change the size." },
  { id: "polygon", key: "p", name: "Polygon", make: (editor) => new Polygon(editor), options: [],
    text: "Click corners; Enter or the first corner closes, Backspace takes one back. Or drag a lasso." },
  { id: "fill", key: "g", name: "Fill", make: (editor) => new Fill(editor), options: [],
    text: "A click fills what an outline encloses." },
];
