"""Files in the making: a unique name each, and what their server said, so that they can go on.

Nothing but a complete file leaves the folder. What an ended process has left behind is copied
rather than continued in place, so that even where locks do not work two processes never write
one file.
"""

import json
import os
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from jointvos.errors import WeightsError


@dataclass
class Partial:
    """A file in the making.

    Attributes:
        folder: Where it lies.
        address: What is being fetched.
        tag: The server's ETag or date of change, by which it says whether the file is still the
            same one.
        total: Bytes of the whole file, as far as the server told.
        path: The file.
    """

    folder: Path
    address: str
    tag: str | None = None
    total: int | None = None
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.path = self.folder / f"{uuid.uuid4().hex}.part"

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def is_complete(self) -> bool:
        return self.total is not None and self.size == self.total

    def restart(self, tag: str | None, total: int | None) -> None:
        """Forget what is there."""
        self.tag, self.total = tag, total
        self.path.write_bytes(b"")
        notes = {"address": self.address, "tag": tag, "total": total}
        self._notes.write_text(json.dumps(notes), encoding="utf-8")

    def drop(self) -> None:
        """Take it away."""
        discard(self.path)

    def sync(self) -> None:
        """See to it that it is on the disk."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())

    @property
    def _notes(self) -> Path:
        return self.path.with_suffix(".json")


def begin(folder: Path, address: str) -> Partial:
    """A new file in the making, with what an earlier attempt at the same address left.

    Raises:
        OSError: The folder cannot be written.
    """
    partial = Partial(folder, address)
    for notes in folder.glob("*.json"):
        found = _read(notes)
        content = notes.with_suffix(".part")
        if found.get("address") != address or not content.is_file():
            continue
        if content.stat().st_size > partial.size:
            tag, total = found.get("tag"), found.get("total")
            partial.restart(
                tag if isinstance(tag, str) else None, total if isinstance(total, int) else None
            )
            shutil.copyfile(content, partial.path)
        discard(content)
    return partial


def discard(path: Path) -> None:
    """Take a file away that has served, with what its server said."""
    path.unlink(missing_ok=True)
    path.with_suffix(".json").unlink(missing_ok=True)


def _read(notes: Path) -> dict[str, object]:
    try:
        values = json.loads(notes.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # cut off, or taken by another process: start over
    return values if isinstance(values, dict) else {}


def storage_error(path: Path, error: OSError) -> WeightsError:
    """One line about a folder that cannot be written."""
    return WeightsError(
        f"{path} cannot be written: {error.strerror or error}",
        hint="free some space, or choose another folder with `folder` or JOINTVOS_CACHE",
    )
