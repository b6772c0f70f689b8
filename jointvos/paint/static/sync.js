// Keeping the page's state like the server's, which tells what happens there.

import { $, app, CODES, codesOf } from "./app.js";
import { pace, setFollowing } from "./following.js";
import { busy, curtain, toast, uncurtain } from "./messages.js";
import { showObjects } from "./objects.js";
import { saver } from "./painting.js";
import { getJson, isThisTab, listen } from "./server.js";
import { reload, show } from "./stage.js";
import { showState, timeline } from "./status.js";

let stopListening = () => {};
let exportHeard = () => {};

export function startListening(onExport) {
  exportHeard = onExport;
  stopListening = listen(heard, connected);
}

export function end() {
  app.ended = true;
  stopListening();
}

export function take(state) {
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
  $("frame-count").textContent = `of 0–${video.frames - 1}${video.exact ? "" : "?"}`;
  if (!video.exact) setTimeout(refresh, 1500);
}

// Parts of the state that change with every mask.
export function merge(state) {
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
      app.endedAt = event.why === "end" ? app.wanted : null;
      if (event.error) toast(event.error, true);
      refresh();
      break;
    case "note":
      if (event.warning) toast(event.text, true);
      else busy(event.text);
      break;
    case "exporting":
    case "exported":
      exportHeard(event);
      showState();
      break;
    case "tab":
      if (!isThisTab(event.tab)) takenOver();
      break;
  }
}

function connected(well) {
  if (app.ended) return;
  clearTimeout(app.lost);
  if (well) return ($("curtain").dataset.lost && uncurtain());
  app.lost = setTimeout(() => {
    const what = saver.busy ? "All but your last change is saved." : "Everything you did is saved.";
    curtain("jointvos paint has ended", `${what} Start the same command again to go on.`);
    $("curtain").dataset.lost = "yes";
  }, 2500);
}

export function takenOver() {
  end();
  curtain("This video is open in another tab", "Only one tab can change it at a time.", "Work here instead", () => location.reload());
}
