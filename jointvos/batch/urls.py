"""Files behind URLs such as s3://bucket/a.mp4, by fsspec: how they are named, and how they travel.

A URL may be made a path, as all inputs and outputs of a job are paths: `Path("s3://bucket/a.mp4")`
has one slash less, and `url_of` puts it back.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from jointvos.errors import ConfigError, JointVOSError, TransferError
from jointvos.files.whole_file import hidden_beside, remove
from jointvos.web import require_network

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(?=[^/])")
_MASK = re.compile(rf"((?:[0-9][0-9.:s]*=)?(?:[0-9]+:)?)({_URL.pattern}.*)", re.DOTALL)
_LOCAL = ("file", "local")
_HERE = (*_LOCAL, "memory")
"""Protocols that do not leave the machine."""
_VERSIONS = (
    *("ETag", "etag", "md5Hash", "Content-MD5", "LastModified", "last_modified", "Last-Modified"),
    *("updated", "mtime", "modified", "created"),
)
"""What file systems say of a file's content, under one name or another; the most exact first."""


def url_of(place: Path | str) -> str | None:
    """The URL, also if a path was made of it; None for paths."""
    if ":" not in os.fspath(place):  # as nearly always
        return None
    text = place if isinstance(place, str) else place.as_posix()
    if (match := _URL.match(text)) is None:
        return None
    protocol = match[1].lower()
    root = "/" if protocol in _LOCAL else ""
    return f"{protocol}://{root}{text[match.end() :]}"


def split_mask(text: str) -> tuple[str, str] | None:
    """What stands before the URL of a mask, such as "120=2:", and the URL; None for paths."""
    match = _MASK.fullmatch(text)
    return None if match is None else (match[1], match[2])


def shown(place: Path) -> str:
    """A path or a URL as people write it."""
    return url_of(place) or str(place)


def path_of(url: str) -> Path:
    """A URL as a path, which it can be made of again.

    Raises:
        ConfigError: It has a form that paths do not keep.
    """
    path = Path(url)
    rest = url.partition("://")[2].rstrip("/")
    if str(PurePosixPath(rest)) != rest:
        raise ConfigError(f"{url} contains // or /./; write the URL without it")
    return path


def check_url(url: str, allow_network: bool) -> None:
    """Refuse what cannot be used, before anything is fetched.

    Raises:
        ConfigError: It leads into the network, which is not allowed, holds a password, or its
            protocol is unknown or needs a package that is not installed.
    """
    protocol, _, rest = url.partition("://")
    user, _, host = rest.partition("/")[0].rpartition("@")
    if ":" in user:
        raise ConfigError(
            f"the URL for {host} holds a password, which the record would show",
            hint="leave it out; fsspec takes passwords from its configuration files",
        )
    require_network(url, allow_network or protocol in _HERE)
    _file_system_type(protocol)


def _file_system_type(protocol: str) -> Any:
    from fsspec.registry import get_filesystem_class, known_implementations

    try:
        return get_filesystem_class(protocol)
    except ValueError:
        raise ConfigError(f"{protocol}:// is no protocol that fsspec knows") from None
    except ImportError as error:
        package = known_implementations[protocol]["class"].partition(".")[0]
        if package == "fsspec":  # its own class needs something, and says what
            raise ConfigError(f"{protocol}:// cannot be used: {error}") from error
        raise ConfigError(
            f"{protocol}:// needs the package {package}",
            hint=f"install it with: pip install {package}",
        ) from error


def version(url: str) -> str:
    """What tells the content of a file or folder from an earlier one, without reading it.

    Raises:
        FileNotFoundError: It is not there.
        TransferError: It cannot be asked for.
    """
    with _asking(url) as (system, name):
        files = _files(system, name)
    if list(files) == [""]:
        return _version(files[""])
    listing = [f"{each}, {_version(info)}" for each, info in sorted(files.items())]
    return f"{len(files)} files, {_digest(repr(listing))}"


def exists(url: str) -> bool:
    """Whether there is a file or folder.

    Raises:
        TransferError: It cannot be asked for.
    """
    with _asking(url) as (system, name):
        return bool(system.exists(name))


def fetch(url: str, path: Path) -> None:
    """Copy a file or folder to this machine, unless the copy that is there is as new.

    The time of change of the copy stands for its version, so that whoever goes by size and time
    sees whether it is the same.

    Raises:
        FileNotFoundError: It is not there.
        TransferError: It cannot be fetched.
        OSError: The copy cannot be stored.
    """
    partial = hidden_beside(path, ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _asking(url) as (system, name):
        files = _files(system, name)
        if _is_copied(files, path):
            return
        remove(partial)
        remove(path)
        copies = {within: partial / within for within in files}
        for copy in copies.values():
            copy.parent.mkdir(parents=True, exist_ok=True)
        names = [info["name"] for info in files.values()]
        system.get(names, [str(copy) for copy in copies.values()])
    for within, info in files.items():
        copy = copies[within]
        if (size := copy.stat().st_size) != info.get("size", size):
            raise TransferError(f"{url} cannot be fetched: {size} of {info['size']} bytes came")
        os.utime(copy, ns=(_stamp(info), _stamp(info)))
    partial.replace(path)


def store(made: Iterable[tuple[Path, Path]]) -> None:
    """Copy files and folders to their places, all of them or none.

    Where a file system can rename, all are copied under temporary names first. Others (S3 and the
    like) show a file when it is complete, but the files of a folder one by one.

    Args:
        made: What there is on this machine, and where it goes: a path, or a URL as a path. What is
            there is replaced.

    Raises:
        TransferError: That cannot be done.
    """
    with ExitStack() as undo:
        renamed = []
        for local, place in made:
            url = url_of(place) or f"file://{place.absolute().as_posix()}"
            with _storing(url) as (system, name):
                if not _renames(system):
                    _replace(system, name)
                    undo.callback(_forget, system, name)
                    _put(system, local, name)
                    continue
                temporary = hidden_beside(Path(name), ".partial").as_posix()
                undo.callback(_forget, system, temporary)
                system.makedirs(temporary.rpartition("/")[0], exist_ok=True)
                _replace(system, temporary)
                _put(system, local, temporary)
                renamed.append((url, temporary))
        for url, temporary in renamed:
            with _storing(url) as (system, name):
                _replace(system, name)
                undo.callback(_forget, system, name)
                system.mv(temporary, name, recursive=True)
        undo.pop_all()


@contextmanager
def _asking(url: str) -> Iterator[tuple[Any, str]]:
    """The file system behind a URL and the name of the file in it; its errors become ours.

    Raises:
        FileNotFoundError: As raised in the block.
        TransferError: Anything else went wrong.
    """
    import fsspec

    try:
        yield fsspec.url_to_fs(url)
    except (JointVOSError, FileNotFoundError):
        raise
    except Exception as error:  # each file system has errors of its own
        said = " ".join(str(error).split())
        raise TransferError(f"{url}: {type(error).__name__}{said and ': '}{said}") from error


@contextmanager
def _storing(url: str) -> Iterator[tuple[Any, str]]:
    """The same where a file that is not there, such as a bucket, is an error like any other."""
    try:
        with _asking(url) as found:
            yield found
    except FileNotFoundError as error:
        raise TransferError(f"{url}: {error}") from error


def _files(system: Any, name: str) -> dict[str, Mapping[str, Any]]:
    """What is known of a file, under the name "", or of all files in a folder."""
    info = system.info(name)
    if info["type"] != "directory":
        return {"": info}
    found = {}
    for path, each in system.find(name, detail=True).items():
        within = path.removeprefix(name.rstrip("/")).lstrip("/")
        if not within or ".." in PurePosixPath(within).parts:
            raise ValueError(f"it holds a file called {path}")
        found[within] = each
    if not found:
        raise FileNotFoundError(f"{name} is empty")
    return found


def _version(info: Mapping[str, Any]) -> str:
    known = next((f"{key} {info[key]}" for key in _VERSIONS if info.get(key)), "no version")
    return f"{info.get('size')} bytes, {known}"


def _stamp(info: Mapping[str, Any]) -> int:
    """A version as a time of change, in nanoseconds."""
    return int(_digest(_version(info))[:12], 16) * 1000


def _is_copied(files: Mapping[str, Mapping[str, Any]], path: Path) -> bool:
    """Whether these are the files at a path, of the same versions."""
    for each, info in files.items():
        try:
            if (path / each).stat().st_mtime_ns != _stamp(info):
                return False
        except OSError:
            return False
    there = [each for each in path.rglob("*") if each.is_file()]
    return len(there) == len(files) or list(files) == [""]


def _renames(system: Any) -> bool:
    """Whether it has a way of its own to rename, instead of copying and deleting."""
    import fsspec

    return type(system).mv is not fsspec.AbstractFileSystem.mv


def _put(system: Any, local: Path, name: str) -> None:
    files = [local]
    if local.is_dir():
        files = sorted(each for each in local.rglob("*") if each.is_file())
    names = [
        f"{name}/{each.relative_to(local).as_posix()}" if each != local else name for each in files
    ]
    if _renames(system):
        for folder in {each.rpartition("/")[0] for each in names}:
            system.makedirs(folder, exist_ok=True)
    system.put([str(each) for each in files], names)


def _replace(system: Any, name: str) -> None:
    """Take away what is there."""
    if system.exists(name):
        system.rm(name, recursive=True)


def _forget(system: Any, name: str) -> None:
    """Take it away as far as possible, for something has failed already."""
    with suppress(Exception):
        _replace(system, name)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
