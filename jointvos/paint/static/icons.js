// Icons of buttons, drawn on 24 by 24.

const DRAWN = {
  box: '<path d="M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4"/><circle cx="12" cy="12" r="3.5" class="solid"/>',
  brush: '<path d="M20 3c-4 2-8 6-10 10l1 2 2 1c4-2 6-8 7-13z"/><path d="M9 14c-3 0-3 3-3 4s-1 2-3 2c3 2 8 1 8-3"/>',
  eraser: '<path d="M9 20 3.5 14.500 13 5l7 7-8 8zM8.500 9.500l7 7M9 20h11"/>',
  polygon: '<path d="M5 18 7 6l9-2 4 8-7 8z"/><g class="solid"><circle cx="5" cy="18" r="2"/><circle cx="7" cy="6" r="2"/><circle cx="16" cy="4" r="2"/><circle cx="20" cy="12" r="2"/><circle cx="13" cy="20" r="2"/></g>',
  points: '<path d="M9 2v4M2 9h4M4 4l2.500 2.500M14 4l-2.500 2.500M4 14l2.500-2.500"/><path d="m10 10 10 4-4.500 1.500L14 20z" class="solid"/>',
  strokes: '<path d="M3 10c3-5 5 5 8 0"/><path d="M14 17c3-5 4 4 7-1" stroke-dasharray="2.500 2.500"/><path d="M18 4v6M15 7h6M4 19h6"/>',
  similar: '<path d="m4 20 10-10M16 3v4M14 5h4M20 9v3M18.500 10.500h3M9 3v3M7.500 4.500h3"/>',
  fill: '<path d="m11 3 9 9-8 8-8-8 8-8M4 12h16"/><path d="M21 16c1 2 1.500 3 0 4-1.500-1-1-2 0-4z" class="solid"/>',
  undo: '<path d="M8 5 4 9l4 4M4 9h10a5 5 0 0 1 0 10h-3"/>',
  redo: '<path d="m16 5 4 4-4 4M20 9H10a5 5 0 0 0 0 10h3"/>',
  theme: '<circle cx="12" cy="12" r="8"/><path d="M12 4a8 8 0 0 1 0 16z" class="solid"/>',
  keys: '<rect x="2.500" y="6" width="19" height="12" rx="2"/><path d="M6 10h.01M10 10h.01M14 10h.01M18 10h.01M7 14h10"/>',
  plus: '<path d="M12 5v14M5 12h14"/>',
  seen: '<path d="M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7z"/><circle cx="12" cy="12" r="3"/>',
  unseen: '<path d="M4 4l16 16M9 6c1-.6 2-1 3-1 6 0 10 7 10 7l-3 3.500M6 8c-2.500 2-4 4-4 4s4 7 10 7c2 0 3-.5 4-1"/>',
  remove: '<path d="M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13"/>',
  first: '<path d="M5 5v14"/><path d="M20 5v14L8 12z" class="solid"/>',
  last: '<path d="M19 5v14"/><path d="M4 5v14l12-7z" class="solid"/>',
  back: '<path d="M15 5v14L5 12z" class="solid"/><path d="M18 5v14"/>',
  forward: '<path d="M9 5v14l10-7z" class="solid"/><path d="M6 5v14"/>',
  play: '<path d="M7 4v16l13-8z" class="solid"/>',
  pause: '<path d="M8 5v14M16 5v14" stroke-width="4"/>',
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = DRAWN[name];
  return svg;
}

export function setIcon(button, name) {
  button.replaceChildren(icon(name));
}
