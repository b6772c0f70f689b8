// The page: its state, and how everything in it works together.

import { exportDialog } from "./export.js";
import { History } from "./history.js";
import { icon } from "./icons.js";
import { boxOf, copyPart, isEmpty, putPart } from "./labels.js";
import { Saver } from "./saver.js";
import { getFrame, getJson, getMask, isThisTab, listen, pack, send, takeOver } from "./server.js";
import { Timeline } from "./timeline.js";
import { TOOLS } from "./tools.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);
const CODES = { sure: 1, unsure: 2, lost: 3 };
const BITMAP_BYTES = 256 * 2 ** 20;

const app = {
  video: null, objects: [], colors: [], painted: new Map(), certainty: {}, cuts: new Set(),
  done: { forward: null, backward: null }, following: null, exporting: false,
  frame: -1, wanted: 0, labels: null, given: new Set(), current: 1,
  size: 24, tolerance: 32, stroke: "inside", watching: false, playing: false, asking: false,
};
const view = new View($("canvas"));
const timeline = new Timeline($("timeline"), (frame) => go(frame));
const history = new History();
const saver = new Saver(saved, showSaved, refused);
const bitmaps = new Map();
let pointer = null;
let stopListening = () => {};

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
let tool = tools.box;

// --- Opening -----------------------------------------------------------------------------------

async function open() {
  try {
    await takeOver();
    take(await getJson("state"));
  } catch (error) {
    return curtain("The video cannot be opened", error.message, "Try again", () => location.reload());
  }
  const { video } = app;
  document.title = `${video.name} – jointvos paint`;
  $("video-name").textContent = video.name;
  $("video-name").title = app.folder;
  $("video-facts").textContent = `${video.width} × ${video.height}, ${round(video.fps)} fps`;
  view.setSize(video.width, video.height, video.aspect);
  view.setColors(app.colors);
  app.size = Math.max(4, Math.round(Math.min(video.width, video.height) / 40));
  app.current = app.objects[0]?.id ?? 1;
  choose("box");
  showObjects();
  const first = Math.min(...app.painted.keys());
  await go(Number.isFinite(first) ? first : 0);
  stopListening = listen(heard, connected);
}

function take(state) {
  const { video } = state;
  app.video = video;
  app.folder = state.folder;
  app.colors = state.colors;
  app.export = state.export;
  app.exporting = state.exporting;
  setFollowing(state.following);
  app.cuts = new Set(state.cuts);
  app.certainty = {};
  for (const [id, runs] of Object.entries(state.certainty)) {
    for (const [first, count, code] of runs) codesOf(id).fill(CODES[code], first, first + count);
  }
  merge(state);
  timeline.setCount(video.frames);
  $("frame-count").textContent = `of ${video.frames}${video.exact ? "" : "?"}`;
  if (!video.exact) setTimeout(refresh, 1500);
}

// Parts of the state that change with every mask.
function merge(state) {
  app.painted = new Map(Object.entries(state.painted).map(([frame, ids]) => [Number(frame), ids]));
  app.done = state.done;
  const known = new Map(app.objects.map((each) => [each.id, each]));
  app.objects = state.objects.map((each) => known.get(each.id) ?? each);
  showObjects();
  showState();
}

async function refresh() {
  try {
    take(await getJson("state"));
  } catch {
    // The event stream tells whether the server is gone.
  }
}

function codesOf(id) {
  const length = Math.max(app.video.frames, 1);
  const old = app.certainty[id];
  if (old && old.length >= length) return old;
  app.certainty[id] = new Uint8Array(length + 64);
  if (old) app.certainty[id].set(old);
  return app.certainty[id];
}

// --- Frames ------------------------------------------------------------------------------------

// Show a frame that the user has asked for; `watching` ends with that.
function go(frame) {
  setWatching(false);
  return show(frame);
}

async function show(frame) {
  const { video } = app;
  app.wanted = Math.min(video.frames - 1, Math.max(0, frame));
  timeline.setFrame(app.wanted);
  $("frame-number").value = app.wanted;
  $("time").textContent = timecode(app.wanted / video.fps);
  app.loading ??= load().finally(() => (app.loading = null));
  return app.loading;
}

async function load() {
  while (app.frame !== app.wanted || app.stale) {
    const frame = app.wanted;
    app.stale = false;
    const slow = setTimeout(() => app.playing || busy("Decoding…"), 400);
    try {
      const pixels = app.video.width * app.video.height;
      const [image, mask, onion] = await Promise.all([
        bitmap(frame), saver.of(frame) ?? getMask(frame, pixels),
        $("onion").checked && frame > 0 ? getMask(frame - 1, pixels) : null,
      ]);
      if (frame !== app.wanted) continue;
      if (frame !== app.frame) leave();
      app.frame = frame;
      canvas.setAttribute("aria-label", `Frame ${frame}`);
      app.labels = mask.labels.slice();
      app.given = new Set(mask.given);
      view.onion = onion?.labels ?? null;
      view.setFrame(image, app.labels);
      $("frame-error").hidden = true;
    } catch (error) {
      if (frame !== app.wanted) continue;
      app.frame = frame;
      app.labels = null;
      view.setFrame(null, null);
      view.draw();
      $("frame-error").hidden = false;
      $("frame-error").textContent = error.message;
    } finally {
      clearTimeout(slow);
      if (!app.asking) busy(null);
    }
    showState();
    if (!app.playing) for (const near of [frame + 1, frame - 1]) prefetch(near);
  }
}

// A decoded frame; the last ones are kept.
function bitmap(frame) {
  const kept = bitmaps.get(frame) ?? getFrame(frame);
  bitmaps.delete(frame);
  bitmaps.set(frame, kept);
  kept.catch(() => bitmaps.delete(frame));
  const most = Math.max(5, Math.floor(BITMAP_BYTES / (4 * app.video.width * app.video.height)));
  for (const [old, image] of bitmaps) {
    if (bitmaps.size <= most) break;
    bitmaps.delete(old);
    image.then((gone) => gone !== view.image && gone.close(), () => {});
  }
  return kept;
}

function prefetch(frame) {
  if (frame >= 0 && frame < app.video.frames) bitmap(frame).catch(() => {});
}

function leave() {
  tool.act.cancel?.();
  tools.strokes.act.forget();
}

async function play() {
  app.playing = !app.playing;
  setIcon($("play"), app.playing ? "pause" : "play");
  if (!app.playing) return;
  setWatching(false);
  if (app.wanted >= app.video.frames - 1) await show(0);
  const begin = performance.now(), from = app.wanted;
  while (app.playing) {
    const next = from + 1 + Math.floor(((performance.now() - begin) * app.video.fps) / 1000);
    if (next >= app.video.frames) break;
    for (let ahead = 1; ahead < 4; ahead++) prefetch(next + ahead);
    await show(next);
    const due = begin + ((next - from) * 1000) / app.video.fps;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  app.playing = false;
  setIcon($("play"), "play");
}

const stop = () => { app.playing = false; };

// Frames where one should look: painted ones, and those from which an object is unsure or lost.
function stops() {
  const found = new Set(app.painted.keys());
  for (const { id } of app.objects) {
    const codes = app.certainty[id] ?? [];
    for (let i = 1; i < codes.length; i++) if (codes[i] > 1 && codes[i] !== codes[i - 1]) found.add(i);
  }
  return [...found].sort((a, b) => a - b);
}

// --- Painting ----------------------------------------------------------------------------------

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

function refused(error, frame) {
  if (error.status === 409) return takenOver();
  toast(error.message, true);
  if (frame === app.frame) reload();
}

function reload() {
  app.stale = true;
  show(app.wanted);
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
  tools.strokes.act.strokes.pop();
  view.changed(change.box);
  save();
}

const undo = () => step("undo", "givenBefore");
const redo = () => step("redo", "givenAfter");

function clearObjectHere() {
  if (!ready()) return;
  const { width, height } = app.video;
  editor.edit(() => {
    const box = boxOf(app.labels, width, height, (id) => id === app.current);
    for (let at = 0; at < app.labels.length; at++) if (app.labels[at] === app.current) app.labels[at] = 0;
    return box;
  });
}

async function clearFrame() {
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

// --- Objects -----------------------------------------------------------------------------------

const nameOf = (id) => app.objects.find((each) => each.id === id)?.name ?? `Object ${id}`;

function addObject() {
  const used = new Set(app.objects.map((each) => each.id));
  let id = 1;
  while (used.has(id)) id++;
  if (id > 254) return toast("There can be at most 254 objects.");
  app.objects.push({ id, name: `Object ${id}`, visible: true });
  app.current = id;
  tools.strokes.act.forget();
  sendObjects();
  showObjects();
}

async function sendObjects() {
  try {
    await send("PUT", "objects", app.objects);
  } catch (error) {
    if (error.status === 409) takenOver();
    else if (error.status) toast(error.message, true);
  }
}

async function removeObject(object) {
  const frames = [...app.painted.values()].filter((ids) => ids.includes(object.id)).length;
  const where = frames ? ` It is painted in ${frames} frame${frames > 1 ? "s" : ""}; that cannot be undone.` : "";
  if (frames && !(await confirmed(`Remove ${object.name}?${where}`, "Remove"))) return;
  pauseFollowing();
  await saver.flushed();
  try {
    const answer = await send("DELETE", `objects/${object.id}`);
    app.objects = app.objects.filter((each) => each !== object);
    if (app.current === object.id) app.current = app.objects[0]?.id ?? 1;
    history.clear();
    merge(answer);
    reload();
  } catch (error) {
    refused(error, app.frame);
  }
}

function select(id) {
  if (!app.objects.some((each) => each.id === id)) return;
  if (app.current !== id) tools.strokes.act.forget();
  app.current = id;
  showObjects();
  view.draw();
}

function showObjects() {
  const list = $("objects");
  if (list.contains(document.activeElement) && document.activeElement.tagName === "INPUT") return;
  $("no-objects").hidden = app.objects.length > 0;
  list.replaceChildren(...app.objects.map((object) => {
    const row = document.createElement("li");
    row.classList.toggle("current", object.id === app.current);
    const chip = document.createElement("button");
    chip.className = "chip";
    chip.textContent = object.id;
    chip.style.background = app.colors[object.id];
    chip.setAttribute("aria-pressed", object.id === app.current);
    chip.setAttribute("aria-label", `Choose ${object.name}`);
    chip.title = object.id < 10 ? `Choose (${object.id})` : "Choose";
    const name = document.createElement("input");
    name.value = object.name;
    name.maxLength = 80;
    name.spellcheck = false;
    name.setAttribute("aria-label", `Name of object ${object.id}`);
    name.onchange = () => {
      object.name = name.value.trim() || `Object ${object.id}`;
      name.value = object.name;
      // In place: what is clicked next must not be made anew before the click arrives.
      chip.setAttribute("aria-label", `Choose ${object.name}`);
      eye.setAttribute("aria-label", `${eye.title} ${object.name}`);
      bin.setAttribute("aria-label", `${bin.title} ${object.name}`);
      sendObjects();
      showState();
    };
    name.onkeydown = (event) => ["Enter", "Escape"].includes(event.key) && $("canvas").focus();
    const eye = iconButton(object.visible ? "seen" : "unseen", object.visible ? "Hide" : "Show", object.name);
    eye.onclick = (event) => {
      event.stopPropagation();
      object.visible = !object.visible;
      sendObjects();
      showObjects();
    };
    const bin = iconButton("remove", "Remove", object.name);
    bin.onclick = (event) => {
      event.stopPropagation();
      removeObject(object);
    };
    row.onclick = () => select(object.id);
    name.onfocus = () => {
      app.current = object.id;
      for (const other of list.children) other.classList.toggle("current", other === row);
      view.draw();
    };
    row.append(chip, name, eye, bin);
    return row;
  }));
  view.hidden = new Set(app.objects.filter((each) => !each.visible).map((each) => each.id));
  view.redrawMasks();
}

function iconButton(name, verb, object) {
  const button = document.createElement("button");
  button.className = "icon";
  button.title = verb;
  button.setAttribute("aria-label", `${verb} ${object}`);
  button.append(icon(name));
  return button;
}

// --- Following ---------------------------------------------------------------------------------

async function follow(way) {
  if (app.following) return pauseFollowing();
  if (!app.painted.size && !saver.busy) return toast("Mark an object first, then follow it.");
  if (app.exporting) return toast("An export is running. Wait for it or cancel it.");
  stop();
  await saver.flushed();
  try {
    setFollowing(way);
    setWatching(true);
    await send("POST", "follow", { way });
  } catch (error) {
    setFollowing(null);
    if (error.status === 409) takenOver();
    else toast(error.message, true);
  }
}

function pauseFollowing() {
  if (!app.following) return;
  const pausing = send("POST", "pause").catch((error) => error.status === 409 && takenOver());
  saver.after(pausing);
  setWatching(false);
}

function setFollowing(way) {
  app.following = way;
  if (!way) setWatching(false);
  showState();
}

function setWatching(on) {
  app.watching = on;
  $("watch").hidden = on || !app.following;
}

function heard(event) {
  switch (event.kind) {
    case "hello":
      refresh();
      break;
    case "following":
      setFollowing(event.way);
      break;
    case "frame":
      busy(null);
      app.done[event.way] = event.frame;
      for (const [id, code] of Object.entries(event.objects)) codesOf(id)[event.frame] = CODES[code];
      if (event.cut) app.cuts.add(event.frame);
      else app.cuts.delete(event.frame);
      $("pace").textContent = pace(event);
      if (app.watching) show(event.frame);
      else if (event.frame === app.frame && !saver.of(event.frame)) reload();
      showState();
      break;
    case "paused":
      busy(null);
      $("pace").textContent = "";
      setFollowing(null);
      if (event.error) toast(event.error, true);
      refresh();
      break;
    case "note":
      if (event.warning) toast(event.text, true);
      else busy(event.text);
      break;
    case "exporting":
    case "exported":
      app.exporting = event.kind === "exporting";
      exporter.heard(event);
      showState();
      break;
    case "tab":
      if (!isThisTab(event.tab)) takenOver();
      break;
  }
}

function pace(event) {
  if (!event.fps) return "";
  const speed = event.fps >= 1 ? `${event.fps.toFixed(1)} frames/s` : `${(1 / event.fps).toFixed(1)} s a frame`;
  return event.left_s == null ? speed : `${speed}, ${duration(event.left_s)} left`;
}

// --- What is shown of the state ----------------------------------------------------------------

function fits(frame) {
  const first = Math.min(...app.painted.keys());
  const { forward, backward } = app.done;
  return (forward != null && frame >= first && frame <= forward) ||
    (backward != null && frame <= first && frame >= backward);
}

function showState() {
  if (!app.video) return;
  const painted = [...app.painted.keys()].sort((a, b) => a - b);
  const { frames } = app.video;
  const { forward, backward } = app.done;
  const first = painted[0];
  timeline.setState({
    objects: app.objects.map((each) => ({ id: each.id, color: app.colors[each.id] })),
    certainty: app.certainty, painted, cuts: app.cuts, fits,
  });
  $("undo").disabled = !history.canUndo;
  $("redo").disabled = !history.canRedo;
  const next = forward == null ? first : forward + 1;
  const [button, back] = [$("follow"), $("follow-back")];
  const running = app.following;
  button.textContent = running === "forward" ? "Pause" : next >= frames ? "Followed to the end"
    : next > first ? `Follow from ${next}` : "Follow";
  button.classList.toggle("pausing", running === "forward");
  button.disabled = running === "backward" || (!running && (first === undefined || next >= frames)) || app.exporting;
  back.hidden = !(first > 0) && running !== "backward";
  back.textContent = running === "backward" ? "Pause" : backward === 0 ? "Followed to the start" : "Follow back";
  back.classList.toggle("pausing", running === "backward");
  back.disabled = running === "forward" || (!running && backward === 0) || app.exporting;
  if (!running) $("watch").hidden = true;

  const here = app.given.size > 0;
  const seen = app.objects.some((each) => app.certainty[each.id]?.[app.frame]);
  $("clear-frame").hidden = !here;
  const names = [...app.given].map(nameOf).join(", ");
  $("frame-state").textContent = !app.labels ? "" : here
    ? app.frame === first || painted.length === 0 ? `Painted: ${names}. Following starts here.` : `Painted: ${names}. A correction that following learns from.`
    : seen ? fits(app.frame) ? `Found by following. ${sureness()}` : "Found before your last change. Follow again to renew it."
      : "Nothing here yet.";
  hint(painted, next, first);
}

function sureness() {
  const not = (code) => app.objects.filter((each) => app.certainty[each.id]?.[app.frame] === code).map((each) => each.name);
  const [unsure, lost] = [not(2), not(3)];
  return [unsure.length && `Unsure: ${unsure.join(", ")}.`, lost.length && `Not seen: ${lost.join(", ")}.`]
    .filter(Boolean).join(" ");
}

function hint(painted, next, first) {
  let text = "";
  if (!app.labels || app.following || app.playing || app.asking) text = "";
  else if (!painted.length && !saver.busy && tool.id === "box") text = "Drag a box around what you want to cut out. Or choose another tool on the left.";
  else if (painted.length && next === first && app.done.backward == null) text = "Refine the mask if it needs it. Then Follow takes it through the video.";
  $("hint").hidden = !text;
  $("hint").textContent = text;
}

function showSaved(state) {
  $("saved").textContent = { saving: "Saving…", saved: "Saved", offline: "Not saved: the server cannot be reached" }[state];
  $("saved").classList.toggle("error", state === "offline");
}

function connected(well) {
  if (app.ended) return;
  clearTimeout(app.lost);
  if (well) return ($("curtain").dataset.lost && uncurtain());
  app.lost = setTimeout(() => {
    curtain("jointvos paint has ended", saver.busy
      ? "The last change has not been saved yet. Leave this page open and start the same command with the same port; or start it anew and repeat that change."
      : "Everything you did is saved. Start the same command again to go on.");
    $("curtain").dataset.lost = "yes";
  }, 2500);
}

function takenOver() {
  stopListening();
  app.ended = true;
  curtain("This video is open in another tab", "Only one tab can change it at a time.", "Work here instead", () => location.reload());
}

function curtain(title, text, button, action) {
  $("curtain-title").textContent = title;
  $("curtain-text").textContent = text;
  $("curtain-button").hidden = !button;
  $("curtain-button").textContent = button ?? "";
  $("curtain-button").onclick = action;
  delete $("curtain").dataset.lost;
  $("curtain").hidden = false;
  if (button) $("curtain-button").focus();
}

function uncurtain() {
  $("curtain").hidden = true;
  delete $("curtain").dataset.lost;
}

function busy(text) {
  $("busy").hidden = !text;
  if (text) $("busy").lastElementChild.textContent = text;
}

function toast(text, warning = false) {
  clearTimeout(app.toast);
  $("toast").textContent = text;
  $("toast").classList.toggle("warning", warning);
  $("toast").hidden = false;
  app.toast = setTimeout(() => ($("toast").hidden = true), warning ? 9000 : 4000);
}

function confirmed(text, yes) {
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  const dialog = $("ask-dialog");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

async function done() {
  await saver.flushed();
  if (!app.painted.size && !(await confirmed("Nothing is marked yet. End all the same?", "End"))) return;
  try {
    const { command } = await send("POST", "done");
    app.ended = true;
    stopListening();
    curtain("Done", command
      ? "The masks are saved. This command follows them and writes the results; it is printed in the terminal too. You can close this tab."
      : "You can close this tab.");
    $("curtain-command").hidden = !command;
    $("curtain-command").textContent = command ?? "";
  } catch (error) {
    refused(error, app.frame);
  }
}

// --- Tools and pointer -------------------------------------------------------------------------

function choose(id) {
  tool.act.cancel?.();
  tool = tools[id];
  for (const button of $("tools").children) button.setAttribute("aria-pressed", button.dataset.tool === id);
  $("tool-name").textContent = tool.name;
  $("tool-text").textContent = tool.text;
  for (const option of ["size", "tolerance", "stroke"]) $(`option-${option}`).hidden = !tool.options.includes(option);
  $("canvas").style.cursor = tool.options.includes("size") ? "none" : "crosshair";
  showOptions();
  showState();
  view.draw();
}

function showOptions() {
  for (const option of ["size", "tolerance"]) {
    const [input, output] = [$(`option-${option}`).querySelector("input"), $(`option-${option}`).querySelector("output")];
    input.value = app[option];
    output.textContent = option === "size" ? `${app.size} px` : app[option];
  }
  for (const button of $("option-stroke").children) button.setAttribute("aria-pressed", button.dataset.stroke === app.stroke);
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === view.mode);
}

function resize(factor) {
  const next = Math.round(app.size * factor);
  app.size = Math.min(200, Math.max(1, next === app.size ? app.size + Math.sign(factor - 1) : next));
  showOptions();
  view.draw();
}

function setView(mode) {
  view.mode = mode;
  showOptions();
  view.redrawMasks();
}

const canvas = $("canvas");
let panning = null;
let spaceHeld = false, spacePanned = false;

canvas.addEventListener("pointerdown", (event) => {
  if (event.button === 1 || spaceHeld) {
    panning = view.onCanvas(event);
    spacePanned = spaceHeld;
    canvas.setPointerCapture(event.pointerId);
    canvas.style.cursor = "grabbing";
    return event.preventDefault();
  }
  if (event.button === 2 && tool.id !== "strokes") return;
  if (!app.labels) return;
  const point = view.inVideo(event);
  if (event.altKey) return pick(point);
  canvas.setPointerCapture(event.pointerId);
  tool.act.down(point, event);
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
    for (const each of moves.length ? moves : [event]) tool.act.move?.(view.inVideo(each), each);
  } else tool.act.move?.(pointer, event);
  view.draw();
});
for (const kind of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(kind, (event) => {
    if (panning) {
      panning = null;
      choose(tool.id);
    } else if (app.labels) tool.act.up?.(view.inVideo(event), event);
  });
}
canvas.addEventListener("pointerleave", () => {
  pointer = null;
  view.draw();
});
canvas.addEventListener("dblclick", () => tool.act.double?.());
canvas.addEventListener("contextmenu", (event) => event.preventDefault());
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (event.shiftKey) return view.pan(-event.deltaY, 0);
  view.zoom(Math.exp(-event.deltaY / 300), view.onCanvas(event));
}, { passive: false });
view.drawExtra = (context, unit) => tool.act.draw?.(context, unit, pointer);
view.onZoom = (scale) => ($("zoom-fit").textContent = `${Math.round(scale * 100)} %`);

function pick(point) {
  const { width, height } = app.video;
  const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const id = app.labels[y * width + x];
  if (id) select(id);
}

// --- Keys and buttons --------------------------------------------------------------------------

const KEYS = [
  [TOOLS.map((each) => each.key.toUpperCase()), TOOLS.map((each) => each.name).join(", ")],
  [["1", "…", "9"], "Choose an object"], [["N"], "New object"], [["Alt", "click"], "Choose the object under the pointer"],
  [["Del"], "Erase the object in this frame"],
  [["[", "]"], "Smaller or larger tip"], [["X"], "Strokes inside or outside"],
  [["Ctrl", "Z"], "Undo; with Shift redo"],
  [["←", "→"], "One frame; with Shift ten"], [["↑", "↓"], "To the mask or doubtful place before or after"],
  [["Home", "End"], "First or last frame"], [["Space"], "Play; hold and drag to pan"],
  [["T"], "Follow or pause; with Shift backward"],
  [["M"], "Masks filled, as edges, off"], [["O"], "Edge of the frame before"],
  [["+", "-", "0"], "Zoom in, out, fit; the wheel too"],
  [["Ctrl", "E"], "Export"], [["?"], "This list"],
];

function typing(target) {
  return target.closest("dialog, input:not([type=range]):not([type=checkbox])");
}

addEventListener("keydown", (event) => {
  if (!app.video || !$("curtain").hidden || typing(event.target)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const control = event.ctrlKey || event.metaKey;
  const act = control ? {
    z: () => (event.shiftKey ? redo() : undo()), y: redo, e: () => exporter.open(),
  }[key] : event.altKey ? null : key === " " ? () => {
    if (event.target.closest("button")) return false;
    if (!event.repeat) {
      spaceHeld = true;
      spacePanned = false;
      canvas.style.cursor = "grab";
    }
  } : tool.act.key?.(event) ? () => {} : event.target.type === "range" && key.startsWith("Arrow") ? null : {
    ArrowLeft: () => move(event.shiftKey ? -10 : -1), ArrowRight: () => move(event.shiftKey ? 10 : 1),
    ArrowUp: () => jump(-1), ArrowDown: () => jump(1),
    Home: () => move(-Infinity), End: () => move(Infinity),
    "[": () => resize(1 / 1.15), "]": () => resize(1.15),
    "+": () => view.zoom(1.25), "=": () => view.zoom(1.25), "-": () => view.zoom(0.8), 0: () => view.fit(),
    n: addObject, t: () => follow(event.shiftKey ? "backward" : "forward"),
    m: () => setView({ fill: "edge", edge: "none", none: "fill" }[view.mode]),
    o: () => $("onion").click(), x: () => setStroke(app.stroke === "inside" ? "outside" : "inside"),
    Delete: clearObjectHere, Backspace: clearObjectHere, "?": () => $("help").click(),
    Escape: () => tool.act.cancel?.(),
  }[key] ?? toolKey(key) ?? (/^[1-9]$/.test(key) ? () => select(Number(key)) : null);
  if (!act || act() === false) return;
  event.preventDefault();
});
addEventListener("keyup", (event) => {
  if (event.key !== " " || !spaceHeld) return;
  spaceHeld = false;
  choose(tool.id);
  if (!spacePanned) play();
});

const toolKey = (key) => {
  const found = TOOLS.find((each) => each.key === key);
  return found && (() => choose(found.id));
};

function move(by) {
  stop();
  go(Math.min(app.video.frames - 1, Math.max(0, app.wanted + by)));
}

function jump(way) {
  stop();
  const places = stops();
  const next = way > 0 ? places.find((at) => at > app.wanted) : places.findLast((at) => at < app.wanted);
  if (next === undefined) return toast(way > 0 ? "No mask or doubtful place after this." : "No mask or doubtful place before this.");
  go(next);
}

function setStroke(kind) {
  app.stroke = kind;
  showOptions();
}

function setIcon(button, name) {
  button.replaceChildren(icon(name));
}

for (const each of TOOLS) {
  const button = document.createElement("button");
  button.className = "icon";
  button.dataset.tool = each.id;
  button.title = `${each.name} (${each.key.toUpperCase()})`;
  button.setAttribute("aria-label", each.name);
  button.setAttribute("aria-keyshortcuts", each.key);
  button.append(icon(each.id));
  button.onclick = () => choose(each.id);
  $("tools").append(button);
}
for (const button of document.querySelectorAll("[data-icon]")) setIcon(button, button.dataset.icon);
for (const button of document.querySelectorAll("[data-view]")) button.onclick = () => setView(button.dataset.view);
for (const button of $("option-stroke").children) button.onclick = () => setStroke(button.dataset.stroke);
for (const option of ["size", "tolerance"]) {
  $(`option-${option}`).querySelector("input").oninput = (event) => {
    app[option] = Number(event.target.value);
    showOptions();
  };
}
$("undo").onclick = undo;
$("redo").onclick = redo;
$("add-object").onclick = addObject;
$("clear-frame").onclick = clearFrame;
$("onion").onchange = () => { view.onion = null; view.redrawMasks(); reload(); };
$("first").onclick = () => move(-Infinity);
$("back").onclick = () => move(-1);
$("play").onclick = play;
$("forward").onclick = () => move(1);
$("last").onclick = () => move(Infinity);
$("follow").onclick = () => follow("forward");
$("follow-back").onclick = () => follow("backward");
$("watch").onclick = () => setWatching(true);
$("zoom-in").onclick = () => view.zoom(1.25);
$("zoom-out").onclick = () => view.zoom(0.8);
$("zoom-fit").onclick = () => view.fit();
$("export").onclick = () => exporter.open();
$("done").onclick = done;
$("frame-number").onchange = (event) => {
  const frame = parseInt(event.target.value, 10);
  if (Number.isFinite(frame)) go(frame);
  else event.target.value = app.wanted;
  canvas.focus();
};
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

const scheme = matchMedia("(prefers-color-scheme: dark)");
function setTheme() {
  const chosen = localStorage.getItem("jointvos-theme");
  document.documentElement.dataset.theme = chosen ?? (scheme.matches ? "dark" : "light");
  timeline.draw();
}
scheme.onchange = setTheme;
$("theme").onclick = () => {
  localStorage.setItem("jointvos-theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  setTheme();
};
addEventListener("beforeunload", (event) => saver.busy && event.preventDefault());

const exporter = exportDialog({
  say: toast,
  settings: () => app.export,
  running: () => app.exporting,
  start: async (files, overwrite) => {
    await saver.flushed();
    pauseFollowing();
    await send("POST", "export", { files, overwrite });
    app.exporting = true;
    showState();
  },
  cancel: () => send("DELETE", "export"),
});

function timecode(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = (seconds % 60).toFixed(3).padStart(6, "0");
  return `${hours ? `${hours}:` : ""}${String(minutes).padStart(2, "0")}:${rest}`;
}

function duration(seconds) {
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${rounded % 60} s`;
}

const round = (number) => Number(number.toFixed(3));

setTheme();
open();
