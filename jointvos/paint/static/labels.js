// Drawing into a label map: one byte per pixel, row by row. Boxes are {x0, y0, x1, y1}, ends excluded.

export const empty = () => ({ x0: Infinity, y0: Infinity, x1: -Infinity, y1: -Infinity });
export const isEmpty = (box) => box.x1 <= box.x0 || box.y1 <= box.y0;

export function join(a, b) {
  return {
    x0: Math.min(a.x0, b.x0), y0: Math.min(a.y0, b.y0),
    x1: Math.max(a.x1, b.x1), y1: Math.max(a.y1, b.y1),
  };
}

function clipped(box, width, height) {
  return {
    x0: Math.max(0, Math.floor(box.x0)), y0: Math.max(0, Math.floor(box.y0)),
    x1: Math.min(width, Math.ceil(box.x1)), y1: Math.min(height, Math.ceil(box.y1)),
  };
}

// Sets all pixels whose centers are at most `radius` away from the line between two points, and
// that under a point at least. `set(offset)` does it.
export function line(width, height, from, to, radius, set) {
  const reach = Math.max(radius, 0.5);
  const box = clipped(
    {
      x0: Math.min(from.x, to.x) - reach, y0: Math.min(from.y, to.y) - reach,
      x1: Math.max(from.x, to.x) + reach + 1, y1: Math.max(from.y, to.y) + reach + 1,
    },
    width, height,
  );
  const dx = to.x - from.x, dy = to.y - from.y;
  const length = dx * dx + dy * dy;
  const far = Math.max(radius * radius, 0.5);
  for (let y = box.y0; y < box.y1; y++) {
    for (let x = box.x0; x < box.x1; x++) {
      const px = x + 0.5 - from.x, py = y + 0.5 - from.y;
      const t = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
      const ax = px - t * dx, ay = py - t * dy;
      if (ax * ax + ay * ay <= far) set(y * width + x);
    }
  }
  return box;
}

// Sets all pixels whose centers are in a polygon, by the even-odd rule.
export function polygon(width, height, points, set) {
  const bounds = points.reduce((box, p) => join(box, { x0: p.x, y0: p.y, x1: p.x, y1: p.y }), empty());
  const box = clipped(bounds, width, height);
  for (let y = box.y0; y < box.y1; y++) {
    const center = y + 0.5;
    const crossings = [];
    for (let i = 0; i < points.length; i++) {
      const a = points[i], b = points[(i + 1) % points.length];
      if (a.y > center !== b.y > center) crossings.push(a.x + ((center - a.y) / (b.y - a.y)) * (b.x - a.x));
    }
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const end = Math.min(width, Math.ceil(crossings[i + 1] - 0.5));
      for (let x = Math.max(0, Math.ceil(crossings[i] - 0.5)); x < end; x++) set(y * width + x);
    }
  }
  return box;
}

// The pixels connected with one and equal to it, as offsets; null if they touch the frame's border.
export function connected(labels, width, height, x, y) {
  const wanted = labels[y * width + x];
  const seen = new Uint8Array(labels.length);
  const stack = [y * width + x];
  seen[stack[0]] = 1;
  let open = false;
  const found = [];
  while (stack.length) {
    const at = stack.pop();
    found.push(at);
    const column = at % width;
    if (column === 0 || column === width - 1 || at < width || at >= labels.length - width) open = true;
    if (column > 0) visit(at - 1);
    if (column < width - 1) visit(at + 1);
    if (at >= width) visit(at - width);
    if (at < labels.length - width) visit(at + width);
  }
  return { found, open };

  function visit(next) {
    if (!seen[next] && labels[next] === wanted) {
      seen[next] = 1;
      stack.push(next);
    }
  }
}

export function boxOf(labels, width, height, wanted) {
  const box = empty();
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (!wanted(labels[at])) continue;
      if (x < box.x0) box.x0 = x;
      if (x >= box.x1) box.x1 = x + 1;
      if (y < box.y0) box.y0 = y;
      box.y1 = y + 1;
    }
  }
  return box;
}

// A copy of the part in a box, and putting it back.
export function copyPart(labels, width, box) {
  const w = box.x1 - box.x0;
  const part = new Uint8Array(w * (box.y1 - box.y0));
  for (let y = box.y0; y < box.y1; y++) {
    part.set(labels.subarray(y * width + box.x0, y * width + box.x1), (y - box.y0) * w);
  }
  return part;
}

export function putPart(labels, width, box, part) {
  const w = box.x1 - box.x0;
  for (let y = box.y0; y < box.y1; y++) {
    labels.set(part.subarray((y - box.y0) * w, (y - box.y0 + 1) * w), y * width + box.x0);
  }
}
