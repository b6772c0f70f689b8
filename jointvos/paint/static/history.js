// Undo and redo: parts of label maps before and after each step, on whatever frame it was.

const MOST_BYTES = 256 * 2 ** 20;

export class History {
  constructor() {
    this.clear();
  }

  clear() {
    this.steps = [];
    this.at = 0;
    this.bytes = 0;
  }

  add(step) {
    this.steps.length = this.at;
    this.steps.push(step);
    this.bytes = this.steps.reduce((sum, each) => sum + each.before.length + each.after.length, 0);
    while (this.bytes > MOST_BYTES && this.steps.length > 1) {
      const old = this.steps.shift();
      this.bytes -= old.before.length + old.after.length;
    }
    this.at = this.steps.length;
  }

  get canUndo() {
    return this.at > 0;
  }

  get canRedo() {
    return this.at < this.steps.length;
  }

  // The step to take back, or to do again.
  undo() {
    return this.canUndo ? this.steps[--this.at] : null;
  }

  redo() {
    return this.canRedo ? this.steps[this.at++] : null;
  }
}
