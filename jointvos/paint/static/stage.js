// Which frame is shown, and playing.

import { $, app, timecode } from "./app.js";
import { setWatching } from "./following.js";
import { setIcon } from "./icons.js";
import { busy } from "./messages.js";
import { forgetTool, saver } from "./painting.js";
import { getFrame, getMask } from "./server.js";
import { showState, timeline } from "./status.js";
import { View } from "./view.js";

const BITMAP_BYTES = 256 * 2 ** 20;
const canvas = $("canvas");

export const view = new View(canvas);
const bitmaps = new Map();

// Show a frame that the user has asked for; `watching` ends with that.
export function go(frame) {
  setWatching(false);
  return show(frame);
}

export async function show(frame) {
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
    const edits = app.edits;
    const slow = setTimeout(() => app.playing || busy("Decoding…"), 400);
    try {
      const pixels = app.video.width * app.video.height;
      const [image, mask, onion] = await Promise.all([
        bitmap(frame), saver.of(frame) ?? getMask(frame, pixels),
        $("onion").checked && frame > 0 ? getMask(frame - 1, pixels) : null,
      ]);
      if (frame !== app.wanted) continue;
      if (frame !== app.frame) forgetTool();
      else if (app.pressed || app.edits !== edits) { // painted on meanwhile
        app.stale = true;
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      app.frame = frame;
      canvas.setAttribute("aria-label", `Frame ${frame}`);
      app.labels = mask.labels.slice();
      app.given = new Set(mask.given);
      view.onion = onion?.labels ?? null;
      view.setFrame(image, app.labels);
      $("time").textContent = timecode(image.time);
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
    if (!app.playing && frame === app.wanted) for (const near of [frame + 1, frame - 1]) prefetch(near);
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

export function reload() {
  app.stale = true;
  show(app.wanted);
}

export async function play() {
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

export const stop = () => { app.playing = false; };
