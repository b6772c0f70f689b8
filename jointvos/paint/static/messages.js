// What the page tells in words: what it is busy with, what went wrong, what it wants to know.

import { $, app } from "./app.js";

export function busy(text) {
  $("busy").hidden = !text;
  if (text) $("busy").lastElementChild.textContent = text;
}

export function toast(text, warning = false) {
  clearTimeout(app.toast);
  $("toast").textContent = text;
  $("toast").classList.toggle("warning", warning);
  $("toast").hidden = false;
  app.toast = setTimeout(() => ($("toast").hidden = true), warning ? 9000 : 4000);
}

export function confirmed(text, yes) {
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  const dialog = $("ask-dialog");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

export function curtain(title, text, button, action) {
  $("curtain-title").textContent = title;
  $("curtain-text").textContent = text;
  $("curtain-button").hidden = !button;
  $("curtain-button").textContent = button ?? "";
  $("curtain-button").onclick = action;
  delete $("curtain").dataset.lost;
  $("curtain").hidden = false;
  if (button) $("curtain-button").focus();
}

export function uncurtain() {
  $("curtain").hidden = true;
  delete $("curtain").dataset.lost;
}
