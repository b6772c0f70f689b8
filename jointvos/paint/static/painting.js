// Painting on the frame that is shown: the tools, undo and redo, and saving.

import { $, app, nameOf } from "./app.js";
import { pauseFollowing } from "./following.js";
import { History } from "./history.js";
import { boxOf, copyPart, isEmpty, putPart } from "./labels.js";
import { busy, toast } from "./messages.js";
import { addObject } from "./objects.js";
import { Saver } from "./saver.js";
import { pack, send } from "./server.js";
import { go, reload, stop, view } from "./stage.js";
import { showState } from "./status.js";
import { merge, takenOver } from "./sync.js";
import { TOOLS } from "./tools.js";

export const history = new History();

export const saver = new Saver(saved, showSaved, refused);

// What tools see of all this.
const editor = {
  get labels() { return app.labels; },
  get width() { return app.video.width; },
  get height() { return app.video.height; },
  get current() { return app.current; },
  get size() { return app.size; },
  get tolerance() { return app.tolerance; },
  get stroke() { return app.stroke; },
  get zoom() { return view.scale / (devicePixelRatio || 1); },
  packed: pack,
  say: (text) => toast(text),
  draw: () => view.draw(),
  changed: (box) => view.changed(box),
  ready,
  begin() {
    if (!ready()) return false;
    pauseFollowing();
    this.old = app.labels.slice();
    this.oldGiven = new Set(app.given);
    app.edits++;
    return true;
  },
  end(box) {
    const { width, height } = this;
    const part = { x0: Math.max(0, box.x0), y0: Math.max(0, box.y0), x1: Math.min(width, box.x1), y1: Math.min(height, box.y1) };
    if (isEmpty(part)) return;
    const [before, after] = [copyPart(this.old, width, part), copyPart(app.labels, width, part)];
    if (before.every((id, at) => id === after[at])) return;
    app.given.add(app.current);
    history.add({ frame: app.frame, box: part, before, after, givenBefore: this.oldGiven, givenAfter: new Set(app.given) });
    save();
    view.changed(part);
  },
  edit(change) {
    if (this.begin()) this.end(change());
  },
  // Ask the server for a region of the frame; null if that failed or another frame is shown now.
  async ask(text, find) {
    if (!ready()) return null;
    const frame = app.frame, current = app.current;
    app.asking = true;
    busy(text);
    try {
      const found = await find(frame, app.labels.length);
      return app.frame === frame && app.current === current ? found : null;
    } catch (error) {
      toast(error.message, true);
      return null;
    } finally {
      app.asking = false;
      busy(null);
    }
  },
};

const tools = Object.fromEntries(TOOLS.map((tool) => [tool.id, { ...tool, act: tool.make(editor) }]));
let tool = tools.points;

export const cursor = () => (tool.options.includes("size") ? "none" : "crosshair");
export const toolId = () => tool.id;
export const act = () => tool.act;

// Take back what a tool has begun, and the strokes on the frame or object that was shown.
export function forgetTool() {
  tool.act.cancel?.();
  forgetStrokes();
}

export function forgetStrokes() {
  for (const { act } of Object.values(tools)) act.forget?.();
}

function ready() {
  if (!app.labels || app.frame !== app.wanted || app.asking) return false;
  if (app.objects.some((each) => each.id === app.current && !each.visible)) {
    toast(`${nameOf(app.current)} is hidden. Show it to paint it.`);
    return false;
  }
  stop();
  if (!app.objects.length) addObject();
  return true;
}

function save() {
  saver.save(app.frame, app.labels, app.given);
  showState();
}

function saved(answer, frame) {
  merge(answer);
  if (!saver.busy && frame === app.frame && !app.given.size) reload();
}

export function refused(error, frame) {
  if (error.status === 409) return takenOver();
  toast(error.message, true);
  if (frame === app.frame) reload();
}

async function step(from, given) {
  const change = history[from]();
  if (!change) return;
  pauseFollowing();
  if (change.frame !== app.frame) await go(change.frame);
  if (!app.labels) return;
  const { width } = app.video;
  putPart(app.labels, width, change.box, from === "undo" ? change.before : change.after);
  app.given = new Set(change[given]);
  app.edits++;
  if (from === "undo") tool.act.undo?.();
  view.changed(change.box);
  save();
}

export const undo = () => step("undo", "givenBefore");
export const redo = () => step("redo", "givenAfter");

export function clearObjectHere() {
  if (!ready()) return;
  const { width, height } = app.video;
  editor.edit(() => {
    const box = boxOf(app.labels, width, height, (id) => id === app.current);
    for (let at = 0; at < app.labels.length; at++) if (app.labels[at] === app.current) app.labels[at] = 0;
    return box;
  });
}

export async function clearFrame() {
  pauseFollowing();
  await saver.flushed();
  try {
    merge(await send("DELETE", `mask/${app.frame}`));
    history.clear();
    reload();
  } catch (error) {
    refused(error, app.frame);
  }
}

function showSaved(state) {
  $("saved").textContent = { saving: "Saving…", saved: "Saved", offline: "Not saved: the server cannot be reached" }[state];
  $("saved").classList.toggle("error", state === "offline");
}

export function choose(id) {
  tool.act.cancel?.();
  tool = tools[id];
  for (const button of $("tools").children) button.setAttribute("aria-pressed", button.dataset.tool === id);
  $("tool-name").textContent = tool.name;
  $("tool-text").textContent = tool.text;
  for (const option of ["size", "tolerance", "stroke"]) $(`option-${option}`).hidden = !tool.options.includes(option);
  $("canvas").style.cursor = cursor();
  showOptions();
  showState();
  view.draw();
}

const largest = () => Math.max(200, Math.round(Math.min(app.video.width, app.video.height) / 4));

export function resize(factor) {
  const next = Math.round(app.size * factor);
  app.size = Math.min(largest(), Math.max(1, next === app.size ? app.size + Math.sign(factor - 1) : next));
  showOptions();
  view.draw();
}

export function setView(mode) {
  view.mode = mode;
  showOptions();
  view.redrawMasks();
}

export function setStroke(kind) {
  app.stroke = kind;
  showOptions();
}

export function setOption(option, value) {
  app[option] = value;
  showOptions();
}

function showOptions() {
  for (const option of ["size", "tolerance"]) {
    const [input, output] = [$(`option-${option}`).querySelector("input"), $(`option-${option}`).querySelector("output")];
    if (option === "size") input.max = largest();
    input.value = app[option];
    output.textContent = option === "size" ? `${app.size} px` : app[option];
  }
  for (const button of $("option-stroke").children) button.setAttribute("aria-pressed", button.dataset.stroke === app.stroke);
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === view.mode);
}
