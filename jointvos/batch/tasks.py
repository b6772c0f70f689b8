"""From the rows of a list to jobs: what is given for all of them, and where outputs go."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jointvos.batch.rows import LISTS, OUTPUTS, PLAIN, Row
from jointvos.errors import ConfigError, JointVOSError
from jointvos.files.whole_file import shortened
from jointvos.masks import IdChange, mask_in, mask_path
from jointvos.runs import Outputs, SegmentJob
from jointvos.runs.resume_folder import ResumeFolder

NAME = "{name}"
"""In a path of an output: what the video is called."""


@dataclass(frozen=True, slots=True)
class Task:
    """One video of a batch.

    Attributes:
        name: What it is called, unlike any other in the batch.
        place: Where it stands in the list.
        job: What is to be done.
    """

    name: str
    place: str
    job: SegmentJob

    @property
    def interrupted(self) -> ResumeFolder:
        """Where it goes on from."""
        return ResumeFolder(self.job.outputs.files(), Path(self.job.source))

    def forget(self) -> None:
        """Take away what an interrupted run has left, as far as possible."""
        with suppress(JointVOSError, OSError):
            if self.interrupted.exists:
                self.interrupted.discard()
            else:  # or what was being taken away
                self.interrupted.remove()


def make_tasks(rows: Sequence[Row], template: SegmentJob, folder: Path) -> list[Task]:
    """The jobs of a list.

    Args:
        rows: The list.
        template: What holds for every row that does not say otherwise. Paths of its outputs hold
            `{name}`; where neither it nor the row names an output, there are an overlay and a
            folder of masks.
        folder: What paths of outputs are relative to.

    Raises:
        ConfigError: A row cannot be understood, or two would write to one place.
    """
    for name, path in template.outputs.paths().items():
        if NAME not in str(path):
            better = path.with_name(f"{NAME}{path.suffix}") if path.suffix else path / NAME
            raise ConfigError(
                f"`{name}` is {path} for all videos, expected a place for each",
                hint=f"such as `{name}={str(better)!r}`",
            )
    tasks = [_task(row, template, folder) for row in rows]
    _refuse_equal_names(tasks)
    _refuse_collisions(tasks)
    return tasks


def _task(row: Row, template: SegmentJob, folder: Path) -> Task:
    name = row.name
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts:
        raise ConfigError(
            f"{row.place}: out is {name!r}, expected a name such as clip or part1/clip"
        )
    given = {key: row.text(key) for key in PLAIN if key in row.values}
    changes: dict[str, Any] = {
        key: given[key] for key in ("direction", "start", "end", "raw") if key in given
    }
    try:
        change = IdChange.parse(given.get("objects"), given.get("remap"))
        if any(column in row.values for column in LISTS):
            masks = row.values.get("mask", ())
            changes["masks"] = tuple(mask_in(row.folder, text) for text in masks)
            changes["boxes"] = row.values.get("box", ())
            changes["points"] = row.values.get("point", ())
            changes["no_points"] = row.values.get("no_point", ())
    except ConfigError as error:
        raise ConfigError(f"{row.place}: {error}") from error
    if "objects" in given:
        changes["objects"] = change.keep
    if "remap" in given:
        changes["remap"] = change.rename
    if "preset" in given:
        changes["session"] = replace(template.session, preset=given["preset"])
    job = replace(
        template,
        source=row.path(row.values["video"]),
        outputs=_outputs(row, name, template.outputs, folder),
        resume=True,
        **changes,
    )
    return Task(name, row.place, job)


def _outputs(row: Row, name: str, outputs: Outputs, folder: Path) -> Outputs:
    patterns = {key: str(path) for key, path in outputs.paths().items()}
    patterns |= {key: row.text(key) or "" for key in OUTPUTS if key in row.values}
    if not patterns:
        patterns = {"overlay": f"{NAME}_overlay.mp4"}
        if outputs.background is None:
            patterns["png"] = f"{NAME}_masks"
    paths: dict[str, Any] = {
        key: folder / _filled(pattern, name) for key, pattern in patterns.items()
    }
    return replace(outputs, **paths)


def _filled(pattern: str, name: str) -> Path:
    """A path with a name in it, its last part no longer than disks take."""
    path = Path(pattern.replace(NAME, name))
    _, there, after = Path(pattern).name.rpartition(NAME)
    return path.with_name(shortened(path.name.removesuffix(after), after)) if there else path


def _refuse_equal_names(tasks: Sequence[Task]) -> None:
    places: dict[str, str] = {}
    for task in tasks:
        if (other := places.setdefault(task.name, task.place)) != task.place:
            raise ConfigError(
                f"{other} and {task.place} are both called {task.name}; give one of them another "
                "name in a column out"
            )


def _refuse_collisions(tasks: Sequence[Task]) -> None:
    """Refuse outputs that would replace each other or an input of the batch.

    Raises:
        ConfigError: There are some.
    """
    owners: dict[str, Task] = {}
    for task in tasks:
        for path in map(_absolute, task.job.outputs.files()):
            if (owner := owners.setdefault(path, task)) is not task:
                raise ConfigError(f"{owner.place} and {task.place} would both write {path}")
    for task in tasks:
        for path in map(_absolute, task.job.outputs.files()):
            for above in _above(path):
                if (other := owners.get(above)) is not None and other is not task:
                    raise ConfigError(
                        f"{task.place} would write {path}, which lies in {above}, an output of "
                        f"{other.place}"
                    )
        masks = (mask_path(str(each)) for each in task.job.masks)
        for path in map(_absolute, [Path(task.job.source), *masks]):
            for above in (path, *_above(path)):
                if (other := owners.get(above)) is not None:
                    raise ConfigError(
                        f"{other.place} would write {above}, and {task.place} reads {path}; "
                        "choose another place for the outputs"
                    )


def _absolute(path: Path) -> str:
    return os.path.normpath(path.absolute())


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition(os.sep)[0]:
        yield path
