// The page: opening a video, and what the buttons do.

import { $, app, round } from "./app.js";
import { exportHeard, openExport } from "./export.js";
import { follow, setWatching } from "./following.js";
import { icon, setIcon } from "./icons.js";
import { move } from "./keys.js";
import { confirmed, curtain } from "./messages.js";
import { addObject, showObjects } from "./objects.js";
import {
  choose, clearFrame, redo, refused, saver, setOption, setStroke, setView, undo,
} from "./painting.js";
import { getJson, send, takeOver } from "./server.js";
import { go, play, reload, view } from "./stage.js";
import { timeline } from "./status.js";
import { end, startListening, take } from "./sync.js";
import { TOOLS } from "./tools.js";

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
  choose("points");
  showObjects();
  const first = Math.min(...app.painted.keys());
  await go(Number.isFinite(first) ? first : 0);
  startListening(exportHeard);
}

async function done() {
  await saver.flushed();
  if (app.exporting && !(await confirmed("An export is running. End and cancel it?", "End"))) return;
  const followed = app.done.forward != null && !app.exported;
  if (followed && !(await confirmed("Nothing is exported yet. End with a command that follows and exports later?", "End"))) return;
  if (!app.painted.size && !(await confirmed("Nothing is marked yet. End all the same?", "End"))) return;
  try {
    const { command } = await send("POST", "done");
    end();
    curtain("Done", command
      ? "The masks are saved. This command follows them and writes the outputs; it is also printed in the terminal. You can close this tab."
      : "You can close this tab.");
    $("curtain-command").hidden = !command;
    $("curtain-command").textContent = command ?? "";
  } catch (error) {
    refused(error, app.frame);
  }
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
    setOption(option, Number(event.target.value));
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
$("export").onclick = openExport;
$("done").onclick = done;
$("frame-number").onchange = (event) => {
  const frame = parseInt(event.target.value, 10);
  if (Number.isFinite(frame)) go(frame);
  else event.target.value = app.wanted;
  $("canvas").focus();
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

setTheme();
open();
