// The dialog that writes outputs.

import { $, app } from "./app.js";
import { pauseFollowing } from "./following.js";
import { toast } from "./messages.js";
import { saver } from "./painting.js";
import { send } from "./server.js";
import { showState } from "./status.js";

const OUTPUTS = [
  ["overlay", "Video with the objects tinted", ".mp4 .mov .mkv .webm"],
  ["matte", "Black-and-white matte", ".mp4 .mov .mkv, or a folder of PNGs"],
  ["alpha", "Cutout with alpha channel", ".mov, .webm, or a folder of PNGs"],
  ["png", "Masks as indexed PNGs", "a folder"],
  ["mask_video", "Masks as a video of IDs", ".mkv holds the IDs, .mp4 shows colors"],
  ["soft", "Soft masks (probabilities)", "a folder, or .mkv"],
  ["crop", "Each object cropped", "a folder"],
  ["stats", "Table: area, position, confidence", ".csv or .jsonl"],
  ["coco", "COCO annotations", ".json"],
];

const fields = new Map();
const bar = $("export-progress").querySelector("progress");
const progress = $("export-progress").querySelector("span");

export function openExport() {
  if (!fields.size) build();
  fail(null);
  show();
  if (!$("export-dialog").open) $("export-dialog").showModal();
}

// What the server tells of an export.
export function exportHeard(event) {
  app.exporting = event.kind === "exporting";
  if (app.exporting) {
    if (event.total) {
      bar.max = event.total;
      bar.value = event.done;
    }
    const what = event.what === "backward" ? "Backward, frame" : "Frame";
    progress.textContent = `${what} ${event.done}${event.total ? ` of ${event.total}` : ""}`;
    const share = event.total ? ` ${Math.floor((100 * event.done) / event.total)} %` : "";
    $("export").textContent = `Exporting${share}…`;
  } else {
    $("export").textContent = "Export…";
    if (event.files) app.exported = true;
    if (!$("export-dialog").open && event.error) toast(event.error, true);
    if (!$("export-dialog").open && event.files) toast(`Exported to ${app.export.folder}.`);
    fail(event.error);
    $("export-files").hidden = !event.files;
    $("export-files").replaceChildren(...(event.files ?? []).map((path) => {
      const row = document.createElement("li");
      row.textContent = path;
      return row;
    }));
  }
  show();
}

function build() {
  const { folder, names } = app.export;
  $("export-folder").textContent = folder;
  const rows = OUTPUTS.flatMap(([name, label, kinds]) => {
    const tick = document.createElement("input");
    tick.type = "checkbox";
    tick.checked = name === "overlay";
    tick.onchange = show;
    const file = document.createElement("input");
    file.value = names[name];
    file.title = kinds;
    file.spellcheck = false;
    file.setAttribute("aria-label", `File name: ${label}`);
    fields.set(name, { tick, file });
    const text = document.createElement("label");
    text.append(tick, label);
    return [text, file];
  });
  $("export-list").replaceChildren(...rows);
}

function show() {
  const busy = app.exporting;
  $("export-progress").hidden = !busy;
  $("export-start").disabled = !busy && ![...fields.values()].some((each) => each.tick.checked);
  $("export-start").textContent = busy ? "Cancel export" : "Export";
  $("export-start").classList.toggle("primary", !busy);
  for (const { tick, file } of fields.values()) {
    tick.disabled = busy;
    file.disabled = busy || !tick.checked;
  }
}

function fail(text) {
  $("export-error").hidden = !text;
  $("export-error").textContent = text ?? "";
}

async function start() {
  const chosen = [...fields].filter(([, each]) => each.tick.checked);
  const files = Object.fromEntries(chosen.map(([name, each]) => [name, each.file.value.trim()]));
  await saver.flushed();
  pauseFollowing();
  await send("POST", "export", { files, overwrite: $("export-replace").checked });
  app.exporting = true;
  bar.removeAttribute("value");
  progress.textContent = "Starting…";
  showState();
}

$("export-close").onclick = () => $("export-dialog").close();
$("export-dialog").querySelector("form").onsubmit = async (event) => {
  event.preventDefault();
  fail(null);
  $("export-files").hidden = true;
  try {
    await (app.exporting ? send("DELETE", "export") : start());
  } catch (error) {
    fail(error.message);
  }
  show();
};
