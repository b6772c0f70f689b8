"""An evaluation as one HTML file that opens from disk: no script, no other file, no server."""

from html import escape
from pathlib import Path

from jointvos.datasets import VOSDataset
from jointvos.evaluation.charts import LINES, j_over_time, side_by_side, worst_frames
from jointvos.evaluation.published import Published
from jointvos.evaluation.report import OWN, Run, beside_published, global_table, worst_first
from jointvos.evaluation.result import EvaluationResult, SequenceResult

MOST_NOTES = 6
"""More are folded away."""
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #667080; --line: #e3e6ea;
  --paper: #fff; --panel: #f6f7f9; --accent: #2f6fde; --bad: #b3261e; --badpaper: #fdecea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #99a2ae; --line: #31363d;
  --paper: #16191d; --panel: #1e2227; --accent: #7aa7ff; --bad: #ff9a90; --badpaper: #3a201e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 36px 28px 64px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 27px; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 18px; margin: 44px 0 12px; }
p { margin: 6px 0; } .soft { color: var(--soft); }
.cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 24px 0 0; }
.card { background: var(--panel); border-radius: 10px; padding: 12px 18px; min-width: 104px; }
.card b { display: block; font-size: 25px; font-weight: 650; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 13px; }
.card:first-child b { color: var(--accent); }
.warn { background: var(--badpaper); color: var(--bad); border-radius: 10px; padding: 10px 16px;
  margin-top: 18px; }
.columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 36px; }
@media (max-width: 900px) { .columns { grid-template-columns: 1fr; } }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
th, td { text-align: right; padding: 5px 8px; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; overflow-wrap: anywhere; }
tr.total td { font-weight: 650; border-top: 2px solid var(--ink); border-bottom: 0; }
tr.own td { color: var(--accent); font-weight: 650; }
td.text { text-align: left; } .whole { white-space: nowrap; } .bar { width: 20%; padding-right: 0; }
.bar i { display: block; height: 8px; border-radius: 4px; background: var(--accent); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 18px; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(500px, 1fr)); gap: 22px; }
@media (max-width: 560px) { .pairs { grid-template-columns: 1fr; } }
figure { margin: 0; } figcaption { font-size: 13px; margin-bottom: 3px; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; }
.pair img { width: 100%; border-radius: 6px; display: block; }
.pair span { font-size: 12px; color: var(--soft); }
svg { width: 100%; background: var(--panel); border-radius: 8px; display: block; }
svg text { font-size: 10px; fill: var(--soft); } svg .grid { stroke: var(--line); }
svg polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.key { font-size: 12px; margin-left: 8px; white-space: nowrap; }
.settings td:first-child { width: 210px; color: var(--soft); }
.settings td { text-align: left; } .settings td + td { font-family: ui-monospace, monospace;
  font-size: 13px; overflow-wrap: anywhere; }
"""


def html_report(run: Run, result: EvaluationResult, dataset: VOSDataset, predictions: Path) -> str:
    """The report as HTML.

    Args:
        run: What was evaluated and how.
        result: What was found.
        dataset: The data set, for the pictures of the worst frames.
        predictions: The folder of masks.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    title = f"{run.dataset} {run.split}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(_summary(run, result))}</p>',
        _cards(result),
        _warnings(run),
        f'<div class="columns"><div>{_sequences(result)}</div><div>{_published(run, result)}</div>'
        "</div>",
        _lines(result),
        _worst(result, dataset, predictions),
        _settings(run),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _summary(run: Run, result: EvaluationResult) -> str:
    rules = "DAVIS, semi-supervised" if run.protocol == "davis" else "YouTube-VOS"
    counts = (
        f"{len(result.sequences)} sequences, {len(result.objects)} objects, {result.frames} frames"
    )
    return f"{counts}. Rules: {rules}."


def _cards(result: EvaluationResult) -> str:
    columns, figures = global_table(result)
    cards = [(_number(each), name) for name, each in zip(columns, figures, strict=True)]
    if (seconds := result.seconds_per_frame) is not None:
        cards += [(f"{seconds:.3f}", "s per frame"), (f"{1 / max(seconds, 1e-9):.1f}", "frames/s")]
    return (
        '<div class="cards">'
        + "".join(f'<div class="card"><b>{b}</b><span>{escape(s)}</span></div>' for b, s in cards)
        + "</div>"
    )


def _warnings(run: Run) -> str:
    lines = [f"This is not the whole split: {run.partial}."] if run.partial else []
    lines += [f"{each.name} has no figures: {each.error}" for each in run.failures]
    warning = "".join(f"<p>{escape(line)}</p>" for line in lines)
    notes = "".join(f'<p class="soft">{escape(_sentence(note))}</p>' for note in run.notes)
    if len(run.notes) > MOST_NOTES:
        notes = f"<details><summary>{len(run.notes)} notes</summary>{notes}</details>"
    return (f'<div class="warn">{warning}</div>' if warning else "") + notes


def _sequences(result: EvaluationResult) -> str:
    rows = [_sequence_row(each) for each in worst_first(result)]
    total = result.score
    rows.append(
        f'<tr class="total"><td>all objects</td><td>{len(result.objects)}</td>'
        f"<td>{result.frames}</td><td>{_number(result.seconds_per_frame)}</td>"
        f"<td>{_number(total.jf_mean)}</td><td>{_number(total.j_mean)}</td>"
        f"<td>{_number(total.f_mean)}</td><td></td></tr>"
    )
    head = _head("sequence", "objects", "frames", "s/frame", "J&F", "J", "F", "")
    return f"<h2>Sequences, worst first</h2><table>{head}{''.join(rows)}</table>"


def _sequence_row(sequence: SequenceResult) -> str:
    score = sequence.score
    return (
        f"<tr><td>{escape(sequence.name)}</td><td>{len(sequence.objects)}</td>"
        f"<td>{sequence.frames}</td><td>{_number(sequence.seconds_per_frame)}</td>"
        f"<td>{_number(score.jf_mean)}</td><td>{_number(score.j_mean)}</td>"
        f"<td>{_number(score.f_mean)}</td>"
        f'<td class="bar"><i style="width:{100 * score.jf_mean:.1f}%"></i></td></tr>'
    )


def _published(run: Run, result: EvaluationResult) -> str:
    if run.benchmark is None:
        return ""
    body = "".join(map(_published_row, beside_published(run, result)))
    sources = "; ".join(dict.fromkeys(row.source for row in run.benchmark.rows))
    figure = "J&F" if run.protocol == "davis" else "G"
    parts = "J / F" if run.protocol == "davis" else "J / F seen, J / F unseen"
    return (
        f'<h2>Published</h2><p class="soft">{escape(_sentence(run.caveat))}</p>'
        f"<table>{_head('method', figure, parts, 'speed')}{body}</table>"
        f'<p class="soft">From: {escape(sources)}.</p>'
    )


def _published_row(row: Published) -> str:
    own = ' class="own"' if row.method == OWN else ""
    parts = " / ".join(f"{part:.1f}" for part in row.parts)
    return (
        f"<tr{own}><td>{escape(row.method)}</td><td>{row.overall:.1f}</td>"
        f'<td class="whole">{parts}</td><td>{escape(row.speed)}</td></tr>'
    )


def _lines(result: EvaluationResult) -> str:
    figures = []
    for sequence in worst_first(result):
        keys = "".join(
            f'<span class="key" style="color:{LINES[i % len(LINES)]}">{each.object_id}</span>'
            for i, each in enumerate(sequence.objects[:24])
            if len(sequence.objects) > 1
        )
        figures.append(
            f"<figure><figcaption><b>{escape(sequence.name)}</b> "
            f"{_number(sequence.score.j_mean)}{keys}</figcaption>{j_over_time(sequence)}</figure>"
        )
    return f'<h2>J over the frames</h2><div class="grid">{"".join(figures)}</div>'


def _worst(result: EvaluationResult, dataset: VOSDataset, predictions: Path) -> str:
    by_name = {each.name: each for each in dataset.sequences}
    figures = []
    for each in worst_frames(result):
        sequence = by_name[each.sequence]
        truth, found = side_by_side(dataset, sequence, predictions, each.index)
        stem = escape(sequence.frames[each.index].stem)
        figures.append(
            f"<figure><figcaption><b>{escape(each.sequence)}</b> frame {stem}, "
            f"J {_number(each.j)}, F {_number(each.f)}</figcaption>"
            f'<div class="pair"><div><img src="{truth}" alt="truth"><span>truth</span></div>'
            f'<div><img src="{found}" alt="prediction"><span>prediction</span></div></div></figure>'
        )
    return f'<h2>Worst frames</h2><div class="pairs">{"".join(figures)}</div>'


def _settings(run: Run) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>"
        for name, value in run.settings.items()
    )
    return f'<h2>Settings</h2><table class="settings">{rows}</table>'


def _head(*names: str) -> str:
    return f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
