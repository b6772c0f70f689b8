"""What was seen when a file was installed, kept beside it, and whether it still holds.

`NAME.installed.json` beside `NAME.safetensors` names the published file with its size and SHA-256,
where it came from and when, and size, hash and time of the installed file. Loading compares size
and time only, which costs nothing; the whole file is hashed where the time differs (it was copied,
say) or where the registry pins the hash, and always by `check_fully`.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from jointvos.checkpoints.locate import SUFFIX, bundled
from jointvos.checkpoints.registry import BUNDLED, KNOWN
from jointvos.errors import IncompatibleWeights, OutputError, WeightsError, os_errors_as
from jointvos.files.whole_file import whole_file


@dataclass(frozen=True)
class Published:
    """A file as it was published.

    Attributes:
        file: Its name.
        source: The address, or the local file's name, it came from.
        size: Bytes.
        sha256: Of the file.
        date: Day on which that was seen.
    """

    file: str
    source: str
    size: int
    sha256: str
    date: str


@dataclass(frozen=True)
class Installed:
    """The file that is used: bytes, SHA-256, and time of its last change in nanoseconds."""

    size: int
    sha256: str
    mtime_ns: int


@dataclass(frozen=True)
class Record:
    """Both; `installed` is missing while a file is being replaced."""

    published: Published
    installed: Installed | None = None


@dataclass(frozen=True)
class Finding:
    """What a full check found: `expected` is None where nothing is known of the file."""

    name: str
    path: Path
    sha256: str
    expected: str | None

    @property
    def state(self) -> str:
        if self.expected is None:
            return "unrecorded"
        return "ok" if self.sha256 == self.expected else "changed"


def sha256_of(path: Path) -> str:
    """Hash of a whole file.

    Raises:
        WeightsError: It cannot be read.
    """
    with os_errors_as(WeightsError, f"{path} cannot be read"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_published(path: Path, file: str, source: str) -> Published:
    """A published file that lies at `path` now."""
    today = datetime.now(UTC).date().isoformat()
    return Published(file, source, path.stat().st_size, sha256_of(path), today)


def with_installed(record: Record, path: Path) -> Record:
    """The record of a file that is in its place."""
    status = path.stat()
    return replace(record, installed=Installed(status.st_size, sha256_of(path), status.st_mtime_ns))


def record_path(path: Path) -> Path:
    """Where the record of an installed file lies."""
    return path.with_name(f"{path.name.removesuffix(SUFFIX)}.installed.json")


def read_record(path: Path) -> Record | None:
    """The record of an installed file; None if it has none.

    Raises:
        WeightsError: The record is damaged.
    """
    beside = record_path(path)
    try:
        values = json.loads(beside.read_text(encoding="utf-8"))
        there = values["installed"]
        return Record(Published(**values["published"]), there and Installed(**there))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{beside} is damaged", hint="delete it and install the model again with `force=True`"
        ) from error


def write_record(path: Path, record: Record) -> None:
    """Keep the record of an installed file.

    Raises:
        OutputError: It cannot be written.
    """
    with whole_file(record_path(path)) as partial:
        partial.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def check_quickly(path: Path) -> None:
    """Refuse an installed file that is not what was installed, as far as that is cheap to tell.

    Raises:
        IncompatibleWeights: It has changed.
        WeightsError: Its record is damaged.
    """
    if pinned := _pinned(path):
        if sha256_of(path) != pinned:
            raise _changed(path)
        return
    record = read_record(path)
    if record is None or record.installed is None:
        return
    status, known = path.stat(), record.installed
    if status.st_size != known.size:
        raise _changed(path)
    if status.st_mtime_ns != known.mtime_ns and sha256_of(path) != known.sha256:
        raise _changed(path)


def check_fully(name: str, path: Path) -> Finding:
    """Hash an installed file and compare; the record of one that was only copied is renewed.

    Raises:
        WeightsError: The file cannot be read, or its record is damaged.
    """
    digest, pinned = sha256_of(path), _pinned(path)
    record = None if pinned else read_record(path)
    known = record.installed if record else None
    if record and known and known.sha256 == digest and path.stat().st_mtime_ns != known.mtime_ns:
        with suppress(OutputError):  # a cache that cannot be written is as good to read from
            write_record(path, with_installed(record, path))
    return Finding(name, path, digest, pinned or (known.sha256 if known else None))


def _pinned(path: Path) -> str | None:
    """The hash that the registry knows of a file, which is that of the bundled model alone."""
    return KNOWN[BUNDLED].installed_sha256 if path == bundled() else None


def _changed(path: Path) -> IncompatibleWeights:
    name = path.name.removesuffix(SUFFIX)
    source = "" if name in KNOWN else "source=FILE, "
    again = f"install it again with `jointvos.checkpoints.install({name!r}, {source}force=True)`"
    return IncompatibleWeights(
        f"{path} is not the file that was installed, its size or SHA-256 differs",
        hint="install jointvos again" if _pinned(path) else again,
    )
