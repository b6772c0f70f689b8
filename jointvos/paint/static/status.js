// What the page shows of its state: the time line, what can be done next, and about this frame.

import { $, app, fits, nameOf } from "./app.js";
import { history, saver, toolId } from "./painting.js";
import { go, stop } from "./stage.js";
import { Timeline } from "./timeline.js";

export const timeline = new Timeline($("timeline"), (frame) => {
  stop();
  go(frame);
});

export function showState() {
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

  $("export").classList.toggle("primary", next >= frames && !app.exported);
  $("done").classList.toggle("primary", next < frames || app.exported);

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
    .concat(unsure.length || lost.length ? "Mark it here to correct that." : "")
    .filter(Boolean).join(" ");
}

// What to do after following: frames that want to be looked at, or the outputs.
function whatNext() {
  const doubtful = (code) => app.objects.reduce((count, each) =>
    count + (app.certainty[each.id] ?? []).reduce((sum, one, at) => sum + (one === code && fits(at)), 0), 0);
  const [unsure, lost] = [doubtful(2), doubtful(3)];
  const found = [
    unsure && `unsure in ${counted(unsure)} (orange)`,
    lost && `not seen in ${counted(lost)} (thin red line)`,
  ].filter(Boolean).join(", ");
  return found
    ? `Followed; ${found}. ↑ and ↓ go there. Correct the mask where it is wrong, or Export.`
    : "Followed. Check the masks, then Export writes videos, mattes or tables.";
}

const counted = (frames) => `${frames} frame${frames === 1 ? "" : "s"}`;

function hint(painted, next, first) {
  let text = "";
  if (app.labels && !app.following && !app.playing && !app.asking) {
    if (!painted.length && !saver.busy && ["points", "box"].includes(toolId())) {
      text = "Click what you want to cut out. If that misses, drag a box around it (R) or paint it (B).";
    } else if (painted.length && next === first && app.done.backward == null) {
      text = "Refine the mask if it needs it. Then Follow takes it through the video.";
    } else if (app.endedAt === app.frame && painted.length) {
      text = whatNext();
    }
  }
  $("hint").hidden = !text;
  $("hint").textContent = text;
}
