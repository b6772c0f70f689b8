// The pointer over the stage: tools, zoom and pan.

import { $, app } from "./app.js";
import { select } from "./objects.js";
import { act, cursor, toolId } from "./painting.js";
import { play, view } from "./stage.js";

const canvas = $("canvas");
let pointer = null;
let panning = null;
let spaceHeld = false, spacePanned = false;

function showCursor() {
  canvas.style.cursor = panning ? "grabbing" : spaceHeld ? "grab" : cursor();
}

// The space bar plays, and pans where the pointer is dragged while it is held.
export function holdSpace() {
  spaceHeld = true;
  spacePanned = false;
  showCursor();
}

export function releaseSpace() {
  if (!spaceHeld) return;
  spaceHeld = false;
  showCursor();
  if (!spacePanned) play();
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button === 1 || spaceHeld) {
    panning = view.onCanvas(event);
    spacePanned = spaceHeld;
    canvas.setPointerCapture(event.pointerId);
    showCursor();
    return event.preventDefault();
  }
  if (event.button === 2 && !["strokes", "points"].includes(toolId())) return;
  if (!app.labels) return;
  const point = view.inVideo(event);
  if (event.altKey) return pick(point);
  canvas.setPointerCapture(event.pointerId);
  app.pressed = true;
  act().down(point, event);
});
canvas.addEventListener("pointermove", (event) => {
  pointer = view.inVideo(event);
  if (panning) {
    const now = view.onCanvas(event);
    view.pan(now.x - panning.x, now.y - panning.y);
    panning = now;
    return;
  }
  if (app.labels && canvas.hasPointerCapture(event.pointerId)) {
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const each of moves.length ? moves : [event]) act().move?.(view.inVideo(each), each);
  } else act().move?.(pointer, event);
  view.draw();
});
for (const kind of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(kind, (event) => {
    app.pressed = false;
    if (panning) {
      panning = null;
      showCursor();
    } else if (app.labels) act().up?.(view.inVideo(event), event);
  });
}
canvas.addEventListener("pointerleave", () => {
  pointer = null;
  view.draw();
});
canvas.addEventListener("dblclick", () => act().double?.());
canvas.addEventListener("contextmenu", (event) => event.preventDefault());
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (event.shiftKey) return view.pan(-event.deltaY, 0);
  view.zoom(Math.exp(-event.deltaY / 300), view.onCanvas(event));
}, { passive: false });
view.drawExtra = (context, unit) => act().draw?.(context, unit, pointer);
view.onZoom = (scale) => ($("zoom-fit").textContent = `${Math.round(scale * 100)} %`);

function pick(point) {
  const { width, height } = app.video;
  const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const id = app.labels[y * width + x];
  if (id) select(id);
}
