// The state of the page, and what can be said of it.

export const $ = (id) => document.getElementById(id);

export const CODES = { sure: 1, unsure: 2, lost: 3 };

export const app = {
  video: null, objects: [], colors: [], painted: new Map(), certainty: {}, cuts: new Set(),
  done: { forward: null, backward: null }, following: null, exporting: false,
  frame: -1, wanted: 0, labels: null, given: new Set(), current: 1,
  size: 24, tolerance: 32, stroke: "inside", watching: false, playing: false, exported: false, endedAt: null, asking: false, pressed: false, edits: 0,
};

export function codesOf(id) {
  const length = Math.max(app.video.frames, 1);
  const old = app.certainty[id];
  if (old && old.length >= length) return old;
  app.certainty[id] = new Uint8Array(length + 64);
  if (old) app.certainty[id].set(old);
  return app.certainty[id];
}

export const nameOf = (id) => app.objects.find((each) => each.id === id)?.name ?? `Object ${id}`;

export function fits(frame) {
  const first = Math.min(...app.painted.keys());
  const { forward, backward } = app.done;
  return (forward != null && frame >= first && frame <= forward) ||
    (backward != null && frame <= first && frame >= backward);
}

// Frames where one should look: painted ones, and those from which an object is unsure or lost.
export function stops() {
  const found = new Set(app.painted.keys());
  for (const { id } of app.objects) {
    const codes = app.certainty[id] ?? [];
    for (let i = 1; i < codes.length; i++) if (codes[i] > 1 && codes[i] !== codes[i - 1]) found.add(i);
  }
  return [...found].sort((a, b) => a - b);
}

export function timecode(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = (seconds % 60).toFixed(3).padStart(6, "0");
  return `${hours ? `${hours}:` : ""}${String(minutes).padStart(2, "0")}:${rest}`;
}

export function duration(seconds) {
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${rounded % 60} s`;
}

export const round = (number) => Number(number.toFixed(3));
