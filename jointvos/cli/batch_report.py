"""A batch as it is seen: notes and the board on stderr, JSON Lines on stdout."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

from jointvos.cli.batch_board import Board
from jointvos.cli.console import Reporter, data, duration
from jointvos.errors import IncompleteRun
from jointvos.wording import plural

if TYPE_CHECKING:
    from jointvos.batch import Batch, Begins, Ended, Entry, Failures, Looked

_KINDS = {
    1: "unexpected error",
    7: "device",
    8: "output",
    11: "transfer",
    5: "model",
    4: "mask",
    3: "video",
    2: "options",
}
"""What the exit codes of single videos stand for, worst first."""
_NAMED = 20
"""Failed videos that are named at the end; all of them are in the record."""


def look_at(batch: "Batch", reporter: Reporter, as_json: bool) -> None:
    """A dry run: what would be done, on stdout, and how long that takes.

    Raises:
        IncompleteRun: Some videos cannot be done.
    """
    from jointvos.batch import Begins, Looked

    verdicts: Counter[str] = Counter()
    for event in batch:
        match event:
            case Looked():
                verdicts[event.verdict] += 1
                data(json.dumps(asdict(event), ensure_ascii=False) if as_json else _line(event))
                for note in event.notes:
                    reporter.warn(note)
            case Begins():
                reporter.note(_plan(event, batch, verdicts))
    if refused := verdicts["refused"]:
        raise IncompleteRun(f"{refused} of {plural(batch.videos, 'video')} cannot be done")


def carry_out(batch: "Batch", reporter: Reporter, as_json: bool) -> None:
    """Do the videos and show what happens.

    Raises:
        IncompleteRun: Some videos failed.
    """
    from jointvos.batch import Begins, Ended, Looked, VideoEnded, VideoPaused, VideoProgress

    verdicts: Counter[str] = Counter()
    board = Board()
    with ExitStack() as stack:
        meter = stack.enter_context(reporter.meter("videos checked", batch.videos))
        for event in batch:
            match event:
                case Looked():
                    meter.advance()
                    verdicts[event.verdict] += 1
                    if event.reason is not None and event.verdict == "todo":
                        reporter.detail(f"{event.name} is done again: {event.reason}")
                case Begins():
                    stack.close()
                    reporter.note(_plan(event, batch, verdicts))
                    board.begin(event.videos, event.frames)
                    stack.enter_context(board.shown(reporter.quiet))
                case VideoProgress(name, done, total, device):
                    board.progress(name, done, total, device)
                case VideoPaused(name):
                    board.paused(name)
                case VideoEnded(entry):
                    board.ended(entry.name, entry.frames, entry.status == "failed")
                    _tell(entry, reporter)
                    if as_json:
                        data(entry.line())
                case Ended():
                    stack.close()
                    _sum_up(event, batch, reporter)


def _line(looked: "Looked") -> str:
    what = [f"{looked.verdict:7}  {looked.name}"]
    if looked.frames is not None:
        what.append(plural(looked.frames, "frame"))
    if looked.objects:
        what.append(plural(looked.objects, "object"))
    if looked.verdict == "todo":
        what.append(f"-> {', '.join(looked.outputs)}")
    if looked.reason is not None:
        what.append(f"({looked.reason})")
    return "  ".join(what)


def _plan(begins: "Begins", batch: "Batch", verdicts: Counter[str]) -> str:
    places = Counter(batch.places)
    where = ", ".join(place if n == 1 else f"{n} on {place}" for place, n in places.items())
    before = [
        f"{verdicts[verdict]} {says}"
        for verdict, says in (
            ("done", "done before"),
            ("failed", "failed before and left so"),
            ("refused", "cannot be done"),
        )
        if verdicts[verdict]
    ]
    line = f"{plural(begins.videos, 'video')} to do ({plural(begins.frames, 'frame')})"
    line = ", ".join([line, *before])
    if begins.videos and places:
        line = f"{line}; {plural(len(batch.places), 'worker')}: {where}"
    return line if begins.seconds is None else f"{line}; about {duration(begins.seconds)}"


def _tell(entry: "Entry", reporter: Reporter) -> None:
    if entry.status == "failed":
        reporter.warn(f"{entry.name} failed: {entry.error}")
    else:
        reporter.detail(f"{entry.name}: {plural(entry.frames, 'frame')}, {entry.seconds:.1f} s")
    for note in entry.notes:
        reporter.detail(f"{entry.name}: {note}")


def _sum_up(ended: "Ended", batch: "Batch", reporter: Reporter) -> None:
    failed = sum(each.count for each in ended.failed)
    parts = [f"{ended.done} done"]
    parts += [f"{ended.skipped} done before"] if ended.skipped else []
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{ended.left} left; the same command continues"] if ended.left else []
    reporter.note(f"{', '.join(parts)}; the report is {ended.report}")
    if failed and not ended.left:
        raise IncompleteRun(
            f"{failed} of {plural(batch.videos, 'video')} failed: {_by_kind(ended.failed)}"
        )


def _by_kind(failed: "Sequence[Failures]") -> str:
    """Names by what went wrong, worst first: "mask (a, b), video (c)"."""
    room, kinds = _NAMED, []
    for each in sorted(failed, key=lambda each: list(_KINDS).index(each.exit_code)):
        shown = each.names[:room]
        room -= len(shown)
        more = [f"{each.count - len(shown)} more"] if each.count > len(shown) else []
        kinds.append(f"{_KINDS[each.exit_code]} ({', '.join([*shown, *more])})")
    return ", ".join(kinds)
