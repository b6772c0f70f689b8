// The dialog that writes outputs.

const OUTPUTS = [
  ["overlay", "Video with the objects tinted", ".mp4 .mov .mkv .webm"],
  ["alpha", "Cutout with soft edges", ".mov, .webm, or a folder of PNGs"],
  ["png", "Masks as indexed PNGs", "a folder"],
  ["mask_video", "Masks as a video", ".mkv holds the IDs, .mp4 shows colors"],
  ["soft", "Soft masks", "a folder, or .mkv"],
  ["crop", "Each object cropped", "a folder"],
  ["stats", "Area, place and certainty", ".csv or .jsonl"],
  ["coco", "COCO annotations", ".json"],
];

const $ = (id) => document.getElementById(id);

export function exportDialog({ settings, running, start, cancel }) {
  const dialog = $("export-dialog");
  const fields = new Map();

  function build() {
    const { folder, names } = settings();
    $("export-folder").textContent = folder;
    const rows = OUTPUTS.flatMap(([name, label, kinds]) => {
      const tick = document.createElement("input");
      tick.type = "checkbox";
      tick.checked = name === "overlay";
      const file = document.createElement("input");
      file.value = names[name];
      file.title = kinds;
      file.spellcheck = false;
      file.disabled = !tick.checked;
      file.setAttribute("aria-label", `File name: ${label}`);
      tick.onchange = () => {
        file.disabled = !tick.checked;
        show();
      };
      fields.set(name, { tick, file });
      const text = document.createElement("label");
      text.append(tick, label);
      return [text, file];
    });
    $("export-list").replaceChildren(...rows);
  }

  function show() {
    const busy = running();
    $("export-progress").hidden = !busy;
    $("export-start").disabled = !busy && ![...fields.values()].some((each) => each.tick.checked);
    $("export-start").textContent = busy ? "Cancel export" : "Export";
    $("export-start").classList.toggle("primary", !busy);
    for (const { tick, file } of fields.values()) {
      tick.disabled = busy;
      file.disabled = busy || !tick.checked;
    }
  }

  function fail(text) {
    $("export-error").hidden = !text;
    $("export-error").textContent = text ?? "";
  }

  $("export-start").onclick = async () => {
    fail(null);
    $("export-files").hidden = true;
    try {
      if (running()) return await cancel();
      const chosen = [...fields].filter(([, each]) => each.tick.checked);
      await start(
        Object.fromEntries(chosen.map(([name, each]) => [name, each.file.value.trim()])),
        $("export-replace").checked,
      );
      $("export-progress").querySelector("progress").removeAttribute("value");
      $("export-progress").querySelector("span").textContent = "Starting…";
    } catch (error) {
      fail(error.message);
    }
    show();
  };

  return {
    open() {
      if (!fields.size) build();
      fail(null);
      show();
      if (!dialog.open) dialog.showModal();
    },
    heard(event) {
      const [bar, text] = [$("export-progress").querySelector("progress"), $("export-progress").querySelector("span")];
      if (event.kind === "exporting") {
        if (event.total) {
          bar.max = event.total;
          bar.value = event.done;
        }
        const what = event.what === "backward" ? "Backward, frame" : "Frame";
        text.textContent = `${what} ${event.done}${event.total ? ` of ${event.total}` : ""}`;
      } else {
        fail(event.error);
        $("export-files").hidden = !event.files;
        $("export-files").replaceChildren(...(event.files ?? []).map((path) => {
          const row = document.createElement("li");
          row.textContent = path;
          return row;
        }));
      }
      show();
    },
  };
}
