"""What a batch has to do, kept on disk: its memory does not grow with the length of the list."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from jointvos.batch.rows import Row
from jointvos.batch.tasks import Task, check_template, make_task
from jointvos.batch.urls import shown, url_of
from jointvos.errors import ConfigError, OutputError
from jointvos.runs import SegmentJob

_TABLES = """
CREATE TABLE tasks (
    number INTEGER PRIMARY KEY, name BLOB UNIQUE, row TEXT,
    overwrite INTEGER, inputs TEXT, settings TEXT, frames INTEGER, objects INTEGER, work REAL
);
CREATE TABLE outputs (path BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID;
CREATE TABLE inputs (path BLOB, number INTEGER);
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A task that is to be done.

    Attributes:
        task: The task; its outputs may replace what is there if it may.
        inputs: Hash of the input and its masks, None if they cannot be read.
        settings: Hash of the model and all options.
        frames: How many there are, as far as the video tells.
        objects: How many are given.
    """

    task: Task
    inputs: str | None
    settings: str
    frames: int | None
    objects: int

    @property
    def work(self) -> float:
        """What it costs beside others; those that do not tell come first."""
        return float("inf") if self.frames is None else self.frames * max(1, self.objects)


class Plan:
    """The tasks of a list, and which of them are due, in a temporary database."""

    def __init__(
        self, rows: Iterable[Row], template: SegmentJob, folder: Path, scratch: Path
    ) -> None:
        """Read the list and see that no two rows are in each other's way.

        Args:
            rows: The list.
            template: What holds for every row that does not say otherwise, see `make_task`.
            folder: What paths of outputs are relative to.
            scratch: Where tasks have folders for files behind URLs.

        Raises:
            ConfigError: A row cannot be understood, two have one name, or outputs would replace
                each other or an input of the batch.
            OutputError: There is no room for temporary files.
        """
        check_template(template)
        self._template, self._folder, self._scratch = template, folder, scratch
        # An empty name is a file that nobody else sees and that is gone with the process. Whoever
        # carries a batch out may do so in another thread than the one that began it.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        with _room():
            self._db.executescript(_TABLES)
            self._db.execute("BEGIN")
            for number, row in enumerate(rows):
                self._add(number, row)
            self._leave_out_outputs()
            self._refuse_collisions()
            self._db.execute("COMMIT")
        self._length: int
        (self._length,) = self._db.execute("SELECT count(*) FROM tasks").fetchone()

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Task]:
        """All tasks, in the order of the list."""
        for (row,) in self._db.execute("SELECT row FROM tasks ORDER BY number"):
            yield self._task(row)

    def note(self, due: Due) -> None:
        """Remember that a task is to be done.

        Raises:
            OutputError: There is no room for temporary files.
        """
        with _room():
            self._db.execute(
                "UPDATE tasks SET overwrite = ?, inputs = ?, settings = ?, frames = ?, "
                "objects = ?, work = ? WHERE name = ?",
                (
                    *(due.task.job.outputs.overwrite, due.inputs, due.settings),
                    *(due.frames, due.objects, due.work, os.fsencode(due.task.name)),
                ),
            )

    def due(self, name: str | None = None) -> Iterator[Due]:
        """What is to be done, the longest first; or only the task of that name."""
        only = "work IS NOT NULL" if name is None else "name = ?"
        found = self._db.execute(
            "SELECT row, overwrite, inputs, settings, frames, objects FROM tasks "
            f"WHERE {only} ORDER BY work DESC, number",
            () if name is None else (os.fsencode(name),),
        )
        for row, overwrite, inputs, settings, frames, objects in found:
            task = self._task(row)
            outputs = replace(task.job.outputs, overwrite=bool(overwrite))
            task = replace(task, job=replace(task.job, outputs=outputs))
            yield Due(task, inputs, settings, frames, objects)

    def lengths(self) -> Iterator[tuple[int, int]]:
        """Frames and objects of all that is to be done, as far as the videos tell their length."""
        yield from self._db.execute(
            "SELECT frames, objects FROM tasks WHERE work IS NOT NULL AND frames > 0"
        )

    def total(self) -> tuple[int, int]:
        """How many tasks are to be done, and their frames as far as they tell."""
        videos, frames = self._db.execute(
            "SELECT count(*), total(frames) FROM tasks WHERE work IS NOT NULL"
        ).fetchone()
        return videos, int(frames)

    def videos(self) -> Iterator[tuple[str, str]]:
        """Name and video of all tasks, in the order of the list."""
        for name, row in self._db.execute("SELECT name, row FROM tasks ORDER BY number"):
            video = _read(row)
            yield os.fsdecode(name), shown(video.path(video.values["video"]))

    def _task(self, row: str) -> Task:
        return make_task(_read(row), self._template, self._folder, self._scratch)

    def _add(self, number: int, row: Row) -> None:
        task = make_task(row, self._template, self._folder, self._scratch)
        try:
            self._db.execute(
                "INSERT INTO tasks (number, name, row) VALUES (?, ?, ?)",
                (number, os.fsencode(task.name), _written(row)),
            )
        except sqlite3.IntegrityError:
            (other,) = self._db.execute(
                "SELECT row FROM tasks WHERE name = ?", (os.fsencode(task.name),)
            ).fetchone()
            raise ConfigError(
                f"{_read(other).place} and {row.place} are both called {task.name}",
                hint="rename one, or use a list (CSV) with a column out"
                if row.in_folder
                else "give one of them another name in a column out",
            ) from None
        for path in map(_absolute, task.files):
            taken = self._db.execute(
                "INSERT INTO outputs VALUES (?, ?) ON CONFLICT DO UPDATE SET path = path "
                "RETURNING number",
                (path, number),
            ).fetchall()
            if taken != [(number,)]:
                raise ConfigError(
                    f"{self._place(taken[0][0])} and {row.place} would both write {_shown(path)}"
                )
        for path in map(_absolute, task.inputs):
            self._db.execute("INSERT INTO inputs VALUES (?, ?)", (path, number))

    def _leave_out_outputs(self) -> None:
        """Take what a row writes into the folder of the list for no video of it, if it has no mask.

        A batch that was killed may have written it and not have recorded it.
        """
        found = self._db.execute(
            "SELECT i.path, i.number, row FROM inputs i "
            "JOIN outputs o ON o.path = i.path AND o.number != i.number "
            "JOIN tasks t ON t.number = i.number"
        ).fetchall()
        for path, number, text in found:
            row = _read(text)
            is_video = path == _absolute(row.path(row.values["video"]))
            if is_video and row.in_folder and "mask" not in row.values:
                for table in ("tasks", "outputs", "inputs"):
                    self._db.execute(f"DELETE FROM {table} WHERE number = ?", (number,))

    def _refuse_collisions(self) -> None:
        owners_above = self._find_owners_above()
        for path, number in self._db.execute("SELECT path, number FROM outputs ORDER BY number"):
            for above, other in owners_above(_folder(path)):
                if other != number:
                    raise ConfigError(
                        f"{self._place(number)} would write {_shown(path)}, which lies in "
                        f"{_shown(above)}, an output of {self._place(other)}"
                    )
        for path, number in self._db.execute("SELECT path, number FROM inputs ORDER BY number"):
            for above, other in (*self._owner(path), *owners_above(_folder(path))):
                raise ConfigError(
                    f"{self._place(other)} would write {_shown(above)}, and {self._place(number)} "
                    f"reads {_shown(path)}; choose another place for the outputs"
                )

    def _owner(self, path: bytes) -> list[tuple[bytes, int]]:
        """Whose output that is."""
        return self._db.execute(
            "SELECT path, number FROM outputs WHERE path = ?", (path,)
        ).fetchall()

    def _find_owners_above(self) -> "Callable[[bytes], tuple[tuple[bytes, int], ...]]":
        """Finds outputs that a folder is or lies in."""

        @lru_cache(maxsize=1024)
        def owners_above(folder: bytes) -> tuple[tuple[bytes, int], ...]:
            above = _folder(folder)
            return (*self._owner(folder), *(owners_above(above) if above != folder else ()))

        return owners_above

    def _place(self, number: int) -> str:
        (row,) = self._db.execute("SELECT row FROM tasks WHERE number = ?", (number,)).fetchone()
        return _read(row).place


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:  # a full disk, a quota, a limit of the shell
        raise OutputError(
            f"no room for temporary files: {error}", hint="set TMPDIR to a folder that has room"
        ) from error


def _written(row: Row) -> str:
    return json.dumps([row.place, os.fspath(row.folder), dict(row.values)])


def _read(text: str) -> Row:
    place, folder, values = json.loads(text)
    lists = {key: tuple(each) for key, each in values.items() if isinstance(each, list)}
    return Row(place, Path(folder), values | lists)


def _absolute(path: Path) -> bytes:
    if url := url_of(path):
        return os.fsencode(url.removeprefix("file://"))
    return os.fsencode(os.path.normpath(path.absolute()))


def _folder(path: bytes) -> bytes:
    return os.path.split(path)[0]


def _shown(path: bytes) -> str:
    return os.fsdecode(path)
