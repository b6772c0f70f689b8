"""`jointvos download-weights`: install models, see which there are, and check them."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jointvos.cli.console import INTERRUPTED, PLAIN_INTERVAL_S, Reporter, data
from jointvos.cli.groups import OptionGroup, grouped
from jointvos.cli.options import Debug, Quiet
from jointvos.errors import ConfigError, IncompatibleWeights, WeightsNotFound

if TYPE_CHECKING:
    from rich.progress import Progress


@dataclass(frozen=True)
class WeightsOptions(OptionGroup):
    """What is done with models, and where."""

    title = "Options"
    example = "--list"

    show: Annotated[
        bool,
        typer.Option("--list", help="List models: installed or not, size, quality, license."),
    ] = False
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Check the hashes of installed models."),
    ] = False
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Use this folder instead of the cache."),
    ] = None
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE|URL",
            help="Install from here: the published file or, under a name of your choice, a "
            "jointvos model or an official checkpoint.",
        ),
    ] = None
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite the installed model.")] = (
        False
    )
    offline: Annotated[
        bool,
        typer.Option("--offline", envvar="JOINTVOS_OFFLINE", help="Do not use the network."),
    ] = False
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
    quiet: Quiet = False
    debug: Debug = False


@grouped
def download_weights(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Models (joint-davis, joint-ytvos), or backbones for training (imagenet-lite0, "
            "imagenet-r50, mask-rcnn-r50-backbone).",
            show_default=False,
        ),
    ] = None,
    *,
    options: WeightsOptions,
) -> None:
    """Install, list and verify models.

    Prints the paths of installed files. Downloads resume where they were interrupted, and are
    verified and converted to safetensors without executing anything in them. Set JOINTVOS_MIRROR
    to the URL of a server that has the published files.
    """
    names = names or []
    if options.show and (options.verify or options.source or options.force or names):
        raise ConfigError("--list goes alone; leave out names and other actions")
    if options.verify and (options.source or options.force):
        raise ConfigError("--verify changes nothing; leave out --from and --force")
    folder = options.folder and options.folder.expanduser()
    if options.show:
        _list(folder, options.as_json)
    elif options.verify:
        _verify(names, folder, options.as_json)
    elif not names:
        raise ConfigError("name a model, for example joint-davis; see --list")
    elif options.source is not None and len(names) > 1:
        raise ConfigError(f"--from takes one name, got {', '.join(names)}")
    else:
        _install(names, folder, options)


def _install(names: list[str], folder: Path | None, options: WeightsOptions) -> None:
    from jointvos.checkpoints import install

    reporter = Reporter(options.quiet)
    done = []
    try:
        for name in names:
            with _bar(reporter) as bar:
                path = install(
                    name,
                    bar,
                    folder=folder,
                    source=options.source,
                    force=options.force,
                    offline=options.offline,
                )
            done.append(_described(name, path))
            if not options.as_json:
                data(str(path))
    except KeyboardInterrupt:
        reporter.note("interrupted; run the same command again to continue")
        raise typer.Exit(INTERRUPTED) from None
    if options.as_json:
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
    table = [("NAME", "INSTALLED", "SIZE", "QUALITY AS PUBLISHED", "LICENSE")]
    for row in rows:
        size = row["bytes"] or row["published_bytes"]
        table.append(
            (
                row["name"],
                "yes" if row["path"] else "no",
                f"{size / 1e6:.1f} MB" if size else "unknown",
                row["quality"] or "-",
                row["license"] or "yours to know",
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
        "license": known.license if known else None,
        "training_data": known.training_data if known else None,
        "source": published.source if published else None,
        "seen": published.date if published else None,
        "published_bytes": published.size if published else known.size if known else None,
        "published_sha256": published.sha256 if published else known.sha256 if known else None,
    }


def _verify(names: list[str], folder: Path | None, as_json: bool) -> None:
    from jointvos.checkpoints.locate import cache_folder, installed, installed_backbones
    from jointvos.checkpoints.record import check_fully
    from jointvos.checkpoints.registry import KNOWN

    folder = folder or cache_folder()
    there = installed(folder) | installed_backbones(folder)
    if missing := [name for name in names if name not in there]:
        raise WeightsNotFound(
            f"{', '.join(missing)} not installed in {folder}; installed: {', '.join(there)}"
        )
    findings = [check_fully(name, there[name]) for name in names or there]
    if as_json:
        keys = ("name", "path", "state", "sha256", "expected")
        rows = [{key: getattr(each, key) for key in keys} for each in findings]
        data(json.dumps({"models": rows}, default=str))
    else:
        for finding in findings:
            data(f"{finding.name}\t{finding.state}\t{finding.sha256}\t{finding.path}")
    if changed := [finding.name for finding in findings if finding.state == "changed"]:
        commands = " and ".join(
            f"`jointvos download-weights {name}{'' if name in KNOWN else ' --from FILE'} --force`"
            for name in changed
        )
        raise IncompatibleWeights(
            f"changed since they were installed: {', '.join(changed)}",
            hint=f"install them again with {commands}",
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

    def __init__(self, reporter: Reporter, clock: Callable[[], float] = time.monotonic) -> None:
        self._reporter, self._clock = reporter, clock
        self._said = self._began = clock()
        self._first: int | None = None

    def note(self, text: str) -> None:
        self._reporter.note(text)

    def progress(self, done: int, total: int | None) -> None:
        if self._first is None:
            self._first, self._began = done, self._clock()
        now = self._clock()
        if now - self._said < PLAIN_INTERVAL_S:
            return
        self._said = now
        rate = (done - self._first) / max(now - self._began, 1e-3)
        of_total = f" of {total / 1e6:.1f}" if total else ""
        left = f", about {(total - done) / rate:.0f} s left" if total and rate else ""
        self._reporter.note(f"{done / 1e6:.1f}{of_total} MB, {rate / 1e6:.1f} MB/s{left}")
