"""From a row of a list to a job: what is given for all of them, and where outputs go."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jointvos.batch.rows import LISTS, OUTPUTS, PLAIN, Row
from jointvos.batch.urls import check_url, path_of, shown, split_mask, url_of
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
        job: What is to be done; URLs among its paths are as `urls.url_of` understands them.
        scratch: A folder for files behind URLs while the video is done; None if there are none.
    """

    name: str
    place: str
    job: SegmentJob
    scratch: Path | None = None

    @property
    def inputs(self) -> list[Path]:
        """The video and the files or folders of masks."""
        return [Path(self.job.source), *(mask_path(str(each)) for each in self.job.masks)]

    @property
    def fetches(self) -> bool:
        """Whether inputs are behind URLs."""
        return self.scratch is not None and any(map(url_of, self.inputs))

    @property
    def stores(self) -> bool:
        """Whether outputs go to URLs."""
        return self.scratch is not None and any(map(url_of, self.files))

    @property
    def here(self) -> "Task":
        """It with files of the scratch folder in place of those behind URLs.

        If one output goes to a URL, all are made there, so that they appear together.
        """
        if self.scratch is None:
            return self
        job = self.job
        source = _here(Path(job.source), self.scratch / "video")
        masks = [
            _mask_here(str(each), self.scratch / f"mask{number}")
            for number, each in enumerate(job.masks)
        ]
        job = replace(job, source=source, masks=masks)
        if self.stores:
            folder = self.scratch / "outputs"
            paths: dict[str, Any] = {
                # All of its parts are kept, for any of them may be named after objects.
                name: folder.joinpath(name, *_absolute(path).parts[1:])
                for name, path in job.outputs.paths().items()
            }
            first = folder / "first_mask.png"
            job = replace(job, outputs=replace(job.outputs, **paths), first_mask=first)
        return replace(self, job=job, scratch=None)

    @property
    def interrupted(self) -> ResumeFolder:
        """Where it goes on from."""
        job = self.here.job
        return ResumeFolder(job.outputs.files(), Path(job.source))

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
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)


def check_template(template: SegmentJob) -> None:
    """Refuse outputs of all videos that have one place for all.

    Raises:
        ConfigError: There is one.
    """
    for name, path in template.outputs.paths().items():
        if NAME not in str(path):
            better = path.with_name(f"{NAME}{path.suffix}") if path.suffix else path / NAME
            raise ConfigError(
                f"`{name}` is {shown(path)} for all videos, expected a place for each",
                hint=f"such as `{name}={shown(better)!r}`",
            )


def make_task(row: Row, template: SegmentJob, folder: Path, scratch: Path) -> Task:
    """The job of a row.

    Args:
        row: The row.
        template: What holds for every row that does not say otherwise. Paths of its outputs hold
            `{name}`; where neither it nor the row names an output, there are an overlay and a
            folder of masks.
        folder: What paths of outputs are relative to, a path or a URL as a path.
        scratch: Where tasks have folders for files behind URLs.

    Raises:
        ConfigError: The row cannot be understood, or a URL cannot be used.
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
            changes["masks"] = tuple(_mask_in(row, text) for text in masks)
            changes["boxes"] = row.values.get("box", ())
            changes["points"] = row.values.get("point", ())
            changes["no_points"] = row.values.get("no_point", ())
        outputs = _outputs(row, name, template.outputs, folder)
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
        outputs=outputs,
        first_mask=_in(folder, _filled(f"{NAME}_first_mask.png", name)),
        resume=True,
        **changes,
    )
    task = Task(name, row.place, job)
    urls = [url for path in (*task.inputs, *task.files) if (url := url_of(path))]
    if not urls:
        return task
    try:
        for url in urls:
            check_url(url, job.allow_network)
    except ConfigError as error:
        raise ConfigError(f"{row.place}: {error.message}", hint=error.hint) from error
    return replace(task, scratch=scratch / hashlib.sha256(os.fsencode(name)).hexdigest()[:16])


def _mask_in(row: Row, text: str) -> str:
    if (found := split_mask(text)) is None:
        return mask_in(row.folder, text)
    before, url = found
    return f"{before}{path_of(url)}"


def _mask_here(text: str, folder: Path) -> str:
    if (found := split_mask(text)) is None:
        return text
    before, url = found
    return f"{before}{_here(Path(url), folder)}"


def _here(path: Path, folder: Path) -> Path:
    """A path, or what is fetched from a URL."""
    return path if url_of(path) is None else folder / shortened(path.name, "")


def _outputs(row: Row, name: str, outputs: Outputs, folder: Path) -> Outputs:
    patterns = {key: str(path) for key, path in outputs.paths().items()}
    for key in OUTPUTS:
        if (text := row.text(key)) is not None:
            patterns[key] = text if url_of(text) is None else str(path_of(text))
    if not patterns:
        patterns = {"overlay": f"{NAME}_overlay.mp4"}
        if outputs.background is None:
            patterns["png"] = f"{NAME}_masks"
    paths: dict[str, Any] = {
        key: _in(folder, _filled(pattern, name)) for key, pattern in patterns.items()
    }
    return replace(outputs, **paths)


def _absolute(path: Path) -> Path:
    return path.absolute() if url_of(path) is None else path


def _in(folder: Path, path: Path) -> Path:
    return path if url_of(path) is not None else folder / path


def _filled(pattern: str, name: str) -> Path:
    """A path with a name in it, its last part no longer than disks take."""
    path = Path(pattern.replace(NAME, name))
    _, there, after = Path(pattern).name.rpartition(NAME)
    return path.with_name(shortened(path.name.removesuffix(after), after)) if there else path
