// The list of objects.

import { $, app } from "./app.js";
import { pauseFollowing } from "./following.js";
import { icon } from "./icons.js";
import { confirmed, toast } from "./messages.js";
import { forgetStrokes, history, refused, saver } from "./painting.js";
import { send } from "./server.js";
import { reload, view } from "./stage.js";
import { showState } from "./status.js";
import { merge, takenOver } from "./sync.js";

export function addObject() {
  const used = new Set(app.objects.map((each) => each.id));
  let id = 1;
  while (used.has(id)) id++;
  if (id > 254) return toast("There can be at most 254 objects.");
  app.objects.push({ id, name: `Object ${id}`, visible: true });
  app.current = id;
  forgetStrokes();
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

export function select(id) {
  if (!app.objects.some((each) => each.id === id)) return;
  if (app.current !== id) forgetStrokes();
  app.current = id;
  showObjects();
  view.draw();
}

export function showObjects() {
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
