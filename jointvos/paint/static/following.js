// Following, forward and backward.

import { $, app, duration } from "./app.js";
import { toast } from "./messages.js";
import { saver } from "./painting.js";
import { send } from "./server.js";
import { stop } from "./stage.js";
import { showState } from "./status.js";
import { takenOver } from "./sync.js";

export async function follow(way) {
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

export function pauseFollowing() {
  if (!app.following) return;
  const pausing = send("POST", "pause").catch((error) => error.status === 409 && takenOver());
  saver.after(pausing);
  setWatching(false);
}

export function setFollowing(way) {
  app.following = way;
  if (!way) setWatching(false);
  showState();
}

export function setWatching(on) {
  app.watching = on;
  $("watch").hidden = on || !app.following;
}

export function pace(event) {
  if (!event.fps) return "";
  const speed = event.fps >= 1 ? `${event.fps.toFixed(1)} frames/s` : `${(1 / event.fps).toFixed(1)} s a frame`;
  return event.left_s == null ? speed : `${speed}, ${duration(event.left_s)} left`;
}
