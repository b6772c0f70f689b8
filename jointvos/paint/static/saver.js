// Sends what was painted to the server, in order, and again until it has arrived.

import { pack, send } from "./server.js";

export class Saver {
  constructor(onSaved, onState, onRefused) {
    this.waiting = new Map();
    this.onSaved = onSaved;
    this.onState = onState;
    this.onRefused = onRefused;
    this.before = Promise.resolve();
  }

  get busy() {
    return this.waiting.size > 0;
  }

  // What is on its way for a frame.
  of(frame) {
    return this.waiting.get(frame);
  }

  // The newest labels of a frame take the place of those that wait.
  save(frame, labels, given) {
    this.waiting.set(frame, { labels: labels.slice(), given: new Set(given) });
    this.onState("saving");
    this.running ??= this.#run().finally(() => (this.running = null));
  }

  // Resolves when everything has arrived.
  async flushed() {
    while (this.running) await this.running;
  }

  // Nothing is sent before a promise has resolved.
  after(promise) {
    this.before = promise.catch(() => {});
  }

  async #run() {
    while (this.waiting.size) {
      await this.before;
      const [frame, job] = this.waiting.entries().next().value;
      try {
        const answer = job.given.size
          ? await send("PUT", `mask/${frame}?given=${[...job.given]}`, pack(job.labels))
          : await send("DELETE", `mask/${frame}`);
        if (this.waiting.get(frame) === job) this.waiting.delete(frame);
        this.onSaved(answer, frame);
      } catch (error) {
        if (error.status === 0) {
          this.onState("offline");
          await new Promise((resolve) => setTimeout(resolve, 1500));
          continue;
        }
        this.waiting.delete(frame);
        this.onRefused(error, frame);
      }
    }
    this.onState("saved");
  }
}
