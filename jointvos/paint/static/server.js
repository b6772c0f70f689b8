// Talking to the server: JSON, label maps as runs, and its events.

let tab = "";

export class Refused extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { "x-tab": tab, ...options.headers };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Refused("The server cannot be reached.", 0);
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Refused(sentence(told.error || `The server answered ${answer.status}.`), answer.status);
  }
  return answer;
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

export const getJson = async (path) => (await ask(path)).json();

export const send = async (method, path, body) =>
  (await ask(path, { method, body: body instanceof Uint8Array ? body : JSON.stringify(body ?? {}) })).json();

export async function takeOver() {
  tab = (await send("POST", "tab")).tab;
}

export const isThisTab = (other) => other === tab;

// A decoded frame, with its time in seconds.
export async function getFrame(index) {
  const answer = await ask(`frame/${index}`);
  const image = await createImageBitmap(await answer.blob());
  image.time = Number(answer.headers.get("x-time"));
  return image;
}

// The labels of a frame, and which objects were painted in it.
export async function getMask(index, pixels) {
  const answer = await ask(`mask/${index}`);
  const given = answer.headers.get("x-given");
  return {
    labels: unpack(await answer.arrayBuffer(), pixels),
    given: new Set(given ? given.split(",").map(Number) : []),
  };
}

// A region that the server finds, as labels of 0 and 1.
export async function findRegion(path, body, pixels) {
  const sent = body instanceof Uint8Array ? body : JSON.stringify(body);
  return unpack(await (await ask(path, { method: "POST", body: sent })).arrayBuffer(), pixels);
}

// Runs of equal pixels: four bytes each, the length in the upper 24 bits, the ID in the lower 8.
export function pack(labels) {
  let runs = new Uint32Array(4096);
  let count = 0;
  for (let start = 0; start < labels.length; ) {
    const id = labels[start];
    let end = start + 1;
    while (end < labels.length && labels[end] === id && end - start < 0xffffff) end++;
    if (count === runs.length) {
      const longer = new Uint32Array(2 * count);
      longer.set(runs);
      runs = longer;
    }
    runs[count++] = ((end - start) << 8) | id;
    start = end;
  }
  return new Uint8Array(runs.buffer, 0, 4 * count);
}

export function unpack(buffer, pixels) {
  const labels = new Uint8Array(pixels);
  let at = 0;
  for (const run of new Uint32Array(buffer)) {
    const length = run >>> 8;
    if (run & 255) labels.fill(run & 255, at, at + length);
    at += length;
  }
  return labels;
}

// Calls back with every event, and with whether the server can be heard.
export function listen(onEvent, onConnection) {
  const events = new EventSource("events");
  events.onmessage = (message) => onEvent(JSON.parse(message.data));
  events.onopen = () => onConnection(true);
  events.onerror = () => onConnection(false);
  return () => events.close();
}
