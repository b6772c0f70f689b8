"""`jointvos download-weights`: install models, see which there are, and check them."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jointvos.cli import options
from jointvos.cli.console import INTERRUPTED, PLAIN_INTERVAL_S, Reporter, data
from jointvos.errors import ConfigError, IncompatibleWeights, WeightsNotFound

if TYPE_CHECKING:
    from rich.progress import Progress


def download_weights(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Models (joint-davis, joint-ytvos) or backbones to train from (imagenet-lite0, "
            "imagenet-r50, mask-rcnn-r50-backbone).",
            show_default=False,
        ),
    ] = None,
    show: Annotated[
        bool,
        typer.Option("--list", help="Print what there is: installed, size, quality, licence."),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Hash what is installed and compare with what was seen."),
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Instead of the cache folder."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE|URL",
            help="Take it from there: the published file, or, under a name of your own, a model "
            "of jointvos or an official checkpoint.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace what is installed under that name.")
    ] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", envvar="JOINTVOS_OFFLINE", help="Do not use the network."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Install models; list and check them.

    Prints the installed files. Published checkpoints are fetched (an interrupted download goes on
    where it was), checked, and converted to safetensors; nothing in them is executed.
    JOINTVOS_MIRROR names a server that has the published files.
    """
    names = names or []
    if show and (verify or source or force or names):
        raise ConfigError("--list goes alone; leave out names and other actions")
    if verify and (source or force):
        raise ConfigError("--verify changes nothing; leave out --from and --force")
    if folder is not None:
        folder = folder.expanduser()
    if show:
        _list(folder, as_json)
    elif verify:
        _verify(names, folder, as_json)
    elif not names:
        raise ConfigError("name a model, for example joint-davis; --list shows what there is")
    elif source is not None and len(names) > 1:
        raise ConfigError(f"--from takes one name, got {', '.join(names)}")
    else:
        _install(names, folder, source, force, offline, as_json, Reporter(quiet))


def _install(
    names: list[str],
    folder: Path | None,
    source: str | None,
    force: bool,
    offline: bool,
    as_json: bool,
    reporter: Reporter,
) -> None:
    from jointvos.checkpoints.install import install

    done = []
    try:
        for name in names:
            with _bar(reporter) as bar:
                path = install(
                    name, bar, folder=folder, source=source, force=force, offline=offline
                )
            done.append(_described(name, path))
            if not as_json:
                data(str(path))
    except KeyboardInterrupt:
        reporter.note("interrupted; the same command goes on from here")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        data(json.dumps({"models": done}))


def _list(folder: Path | None, as_json: bool) -> None:
    from jointvos.checkpoints.locate import cache_folder, installed, installed_backbones
    from jointvos.checkpoints.registry import KNOWN

    folder = folder or cache_folder()
    there = installed(folder) | installed_backbones(folder)
    rows = [_described(name, there.get(name)) for name in dict.fromkeys([*there, *KNOWN])]
    if as_json:
        data(json.dumps({"folder": str(folder), "models": rows}))
        return
    table = [("NAME", "INSTALLED", "SIZE", "QUALITY AS PUBLISHED", "LICENCE")]
    for row in rows:
        size = row["bytes"] or row["published_bytes"]
        table.append(
            (
                row["name"],
                "yes" if row["path"] else "no",
                f"{size / 1e6:.1f} MB" if size else "unknown",
                row["quality"] or "-",
                row["licence"] or "yours to know",
            )
        )
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        cells = zip(line, widths, strict=True)
        data("  ".join(cell.ljust(width) for cell, width in cells).rstrip())
    typer.echo(f"models are installed in {folder}", err=True)


def _described(name: str, path: Path | None) -> dict[str, Any]:
    """What is known of a model, and of its file if there is one."""
    from jointvos.checkpoints.record import read_record
    from jointvos.checkpoints.registry import KNOWN

    known = KNOWN.get(name)
    record = read_record(path) if path else None
    published = record.published if record else None
    inside = record.installed if record else None
    return {
        "name": name,
        "kind": known.kind if known else "model",
        "path": str(path) if path else None,
        "bytes": path.stat().st_size if path else None,
        "sha256": inside.sha256 if inside else known.installed_sha256 if known and path else None,
        "quality": known.figures if known else None,
        "licence": known.licence if known else None,
        "training_data": known.training_data if known else None,
        "source": published.source if published else None,
        "seen": published.date if published else None,
        "published_bytes": published.size if published else known.size if known else None,
        "published_sha256": published.sha256 if published else known.sha256 if known else None,
    }


def _verify(names: list[str], folder: Path | None, as_json: bool) -> None:
    from jointvos.checkpoints.locate import cache_folder, installed, installed_backbones
    from jointvos.checkpoints.record import check_fully

    folder = folder or cache_folder()
    there = installed(folder) | installed_backbones(folder)
    if missing := [name for name in names if name not in there]:
        raise WeightsNotFound(
            f"{', '.join(missing)} not installed in {folder}; installed: {', '.join(there)}"
        )
    findings = [check_fully(name, there[name]) for name in names or there]
    if as_json:
        rows = [
            {
                "name": finding.name,
                "path": str(finding.path),
                "state": finding.state,
                "sha256": finding.sha256,
                "expected": finding.expected,
            }
            for finding in findings
        ]
        data(json.dumps({"models": rows}))
    else:
        for finding in findings:
            data(f"{finding.name}\t{finding.state}\t{finding.sha256}\t{finding.path}")
    if changed := [finding.name for finding in findings if finding.state == "changed"]:
        raise IncompatibleWeights(
            f"changed since they were installed: {', '.join(changed)}; get them again with "
            f"`jointvos download-weights {' '.join(changed)} --force`"
        )


@contextmanager
def _bar(reporter: Reporter) -> "Iterator[_Lines | _Bar]":
    if reporter.quiet or not sys.stderr.isatty():
        yield _Lines(reporter)
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from jointvos.cli.console import stderr

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), "left", TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True) as progress:
        yield _Bar(progress)


class _Bar:
    """Shows a transfer on a terminal."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, visible=False)

    def note(self, text: str) -> None:
        self._progress.console.print(text)

    def progress(self, done: int, total: int | None) -> None:
        self._progress.update(self._task, completed=done, total=total, visible=True)


class _Lines:
    """Shows a transfer elsewhere: a line now and then."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._said = self._began = time.monotonic()
        self._first: int | None = None

    def note(self, text: str) -> None:
        self._reporter.note(text)

    def progress(self, done: int, total: int | None) -> None:
        if self._first is None:
            self._first, self._began = done, time.monotonic()
        now = time.monotonic()
        if now - self._said < PLAIN_INTERVAL_S:
            return
        self._said = now
        rate = (done - self._first) / max(now - self._began, 1e-3)
        of_total = f" of {total / 1e6:.1f}" if total else ""
        left = f", about {(total - done) / rate:.0f} s left" if total and rate else ""
        self._reporter.note(f"{done / 1e6:.1f}{of_total} MB, {rate / 1e6:.1f} MB/s{left}")
