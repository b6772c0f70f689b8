"""From a row of a list to a job: what is given for all of them, and where outputs go."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jointvos.batch.rows import LISTS, OUTPUTS, PLAIN, Row
from jointvos.errors import ConfigError, JointVOSError
from jointvos.files.whole_file import shortened
from jointvos.masks import IdChange, mask_in
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

    @property
    def first_mask(self) -> tuple[Path, ...]:
        """Where the mask that boxes and points become is saved, if there are some."""
        job = self.job
        wanted = job.first_mask is not None and (job.boxes or job.points)
        return (job.first_mask,) if job.first_mask is not None and wanted else ()

    @property
    def files(self) -> list[Path]:
        """The files and folders that it writes, as they are named before objects are known."""
        return [*self.job.outputs.files(), *self.first_mask]

    def written(self, ids: Sequence[int]) -> list[Path]:
        """The files and folders that it writes for these objects."""
        return [*self.job.outputs.written(ids), *self.first_mask]

    def forget(self) -> None:
        """Take away what an interrupted run has left, as far as possible."""
        with suppress(JointVOSError, OSError):
            if self.interrupted.exists:
                self.interrupted.discard()
            else:  # or what was being taken away
                self.interrupted.remove()


def check_template(template: SegmentJob) -> None:
    """Refuse outputs of all videos that have one place for all.

    Raises:
        ConfigError: There is one.
    """
    for name, path in template.outputs.paths().items():
        if NAME not in str(path):
            better = path.with_name(f"{NAME}{path.suffix}") if path.suffix else path / NAME
            raise ConfigError(
                f"`{name}` is {path} for all videos, expected a place for each",
                hint=f"such as `{name}={str(better)!r}`",
            )


def make_task(row: Row, template: SegmentJob, folder: Path) -> Task:
    """The job of a row.

    Args:
        row: The row.
        template: What holds for every row that does not say otherwise. Paths of its outputs hold
            `{name}`; where neither it nor the row names an output, there are an overlay and a
            folder of masks.
        folder: What paths of outputs are relative to.

    Raises:
        ConfigError: The row cannot be understood.
    """
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
        first_mask=folder / _filled(f"{NAME}_first_mask.png", name),
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
