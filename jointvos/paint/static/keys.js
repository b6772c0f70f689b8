// Keyboard shortcuts.

import { $, app, stops } from "./app.js";
import { openExport } from "./export.js";
import { follow } from "./following.js";
import { toast } from "./messages.js";
import { addObject, select } from "./objects.js";
import { act, choose, clearObjectHere, redo, resize, setStroke, setView, undo } from "./painting.js";
import { holdSpace, releaseSpace } from "./pointer.js";
import { go, stop, view } from "./stage.js";
import { TOOLS } from "./tools.js";

const KEYS = [
  ...TOOLS.map((each) => [[each.key.toUpperCase()], each.name]),
  [["1", "…", "9"], "Choose an object"], [["N"], "New object"], [["Alt", "click"], "Choose the object under the pointer"],
  [["Del"], "Erase the object in this frame"],
  [["[", "]"], "Smaller or larger brush"], [["X"], "Strokes inside or outside"],
  [["Ctrl", "Z"], "Undo; with Shift redo"],
  [["←", "→"], "One frame; with Shift ten"], [["↑", "↓"], "Previous or next mask or unsure frame"],
  [["Home", "End"], "First or last frame"], [["Space"], "Play; hold and drag to pan"],
  [["T"], "Follow or pause; with Shift backward"],
  [["M"], "Show masks filled, as edges, or not at all"], [["O"], "Onion skin: the edge in the previous frame"],
  [["+", "-", "0"], "Zoom in, out, fit; the wheel too"],
  [["Ctrl", "E"], "Export"], [["?"], "This list"],
];

function typing(target) {
  return target.closest("dialog, input:not([type=range]):not([type=checkbox])");
}

const WITH_CONTROL = {
  z: (event) => (event.shiftKey ? redo() : undo()),
  y: redo,
  e: openExport,
};
const ALONE = {
  ArrowLeft: (event) => move(event.shiftKey ? -10 : -1),
  ArrowRight: (event) => move(event.shiftKey ? 10 : 1),
  ArrowUp: () => jump(-1),
  ArrowDown: () => jump(1),
  Home: () => move(-Infinity),
  End: () => move(Infinity),
  "[": () => resize(1 / 1.15),
  "]": () => resize(1.15),
  "+": () => view.zoom(1.25),
  "=": () => view.zoom(1.25),
  "-": () => view.zoom(0.8),
  0: () => view.fit(),
  n: addObject,
  t: (event) => follow(event.shiftKey ? "backward" : "forward"),
  m: () => setView({ fill: "edge", edge: "none", none: "fill" }[view.mode]),
  o: () => $("onion").click(),
  x: () => setStroke(app.stroke === "inside" ? "outside" : "inside"),
  Delete: clearObjectHere,
  Backspace: clearObjectHere,
  Escape: () => act().cancel?.(),
  "?": () => $("help").click(),
};
for (const { id, key } of TOOLS) ALONE[key] = () => choose(id);
for (let id = 1; id < 10; id++) ALONE[id] = () => select(id);

addEventListener("keydown", (event) => {
  if (!app.video || !$("curtain").hidden || typing(event.target) || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === " ") {
    if (event.target.closest("button")) return;
    if (!event.repeat) holdSpace();
  } else if (event.ctrlKey || event.metaKey) {
    if (!WITH_CONTROL[key]) return;
    WITH_CONTROL[key](event);
  } else if (!act().key?.(event)) {
    if (!ALONE[key] || (event.target.type === "range" && key.startsWith("Arrow"))) return;
    ALONE[key](event);
  }
  event.preventDefault();
});
addEventListener("keyup", (event) => event.key === " " && releaseSpace());

export function move(by) {
  stop();
  go(Math.min(app.video.frames - 1, Math.max(0, app.wanted + by)));
}

function jump(way) {
  stop();
  const places = stops();
  const next = way > 0 ? places.find((at) => at > app.wanted) : places.findLast((at) => at < app.wanted);
  if (next === undefined) return toast(way > 0 ? "No mask or unsure frame after this one." : "No mask or unsure frame before this one.");
  go(next);
}

$("help").onclick = () => {
  $("keys").replaceChildren(...KEYS.flatMap(([keys, text]) => {
    const [term, meaning] = [document.createElement("dt"), document.createElement("dd")];
    keys.forEach((key) => {
      const cap = document.createElement(key === "…" ? "span" : "kbd");
      cap.textContent = key;
      term.append(cap, " ");
    });
    meaning.textContent = text;
    return [term, meaning];
  }));
  $("help-dialog").showModal();
};
