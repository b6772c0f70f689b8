"""Lists of videos: CSV, JSON Lines, or a folder where masks stand beside videos."""

import csv
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TextIO, TypeAlias

from jointvos.batch.urls import path_of, url_of
from jointvos.errors import ConfigError, os_reason
from jointvos.files.close_names import did_you_mean
from jointvos.wording import plural

Value: TypeAlias = str | tuple[str, ...]

LISTS = ("mask", "box", "point", "no_point")
"""Columns that may hold several values: a list in JSON, separated by ; in CSV."""
JOINED = ("objects", "remap")
"""Columns that hold several values, separated by commas; they may be a list in JSON."""
PLAIN = (*JOINED, "direction", "start", "end", "raw", "preset")
OUTPUTS = ("png", "overlay", "mask_video", "matte", "alpha", "soft", "crop", "stats", "coco")
COLUMNS = ("video", *LISTS, "out", *PLAIN, *OUTPUTS)

_STDIN = 0
_JSON_LINES = (".jsonl", ".ndjson")
_VIDEO = re.compile(
    r"[^.].*\.(3gp|asf|avi|flv|gif|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|nut|ogv|ts|webm|wmv|y4m)",
    re.IGNORECASE,
)
"""Names of videos in a folder."""


@dataclass(frozen=True, slots=True)
class Row:
    """A video of a list, as it stands there.

    Attributes:
        place: Where it stands, for messages: "clips.csv, line 3".
        folder: What its paths are relative to.
        values: What is given, by the name of the column; `video` always is.
    """

    place: str
    folder: Path
    values: Mapping[str, Value]

    @property
    def name(self) -> str:
        """What its outputs are called: `out`, or the name of the video without its suffix."""
        if out := self.text("out"):
            return out
        video = self.path(self.values["video"])
        if url := url_of(video):
            return PurePosixPath(url.partition("?")[0]).stem
        return video.resolve().name if video.is_dir() else video.stem

    @property
    def in_folder(self) -> bool:
        """Whether the list is a folder, and this a video in it."""
        return self.place == str(self.folder / str(self.values["video"]))

    def text(self, column: str) -> str | None:
        """A value, None if it is not given."""
        value = self.values.get(column)
        assert not isinstance(value, tuple)
        return value

    def path(self, value: Value) -> Path:
        """A value as a path, as which it may be a URL.

        Raises:
            ConfigError: It is a URL that cannot be a path.
        """
        assert isinstance(value, str)
        if url_of(value) is None:
            return self.folder / value
        try:
            return path_of(value)
        except ConfigError as error:
            raise ConfigError(f"{self.place}: {error}") from error


def read_rows(source: Path) -> Iterator[Row]:
    """The videos of a list, read as they are asked for.

    Args:
        source: A .csv file with a head line, whose cells are separated by commas, semicolons or
            tabs, a .jsonl file, a folder, or "-" for JSON Lines on stdin. Paths in a file are
            relative to its folder, on stdin to the current one. In a folder every video is a row;
            its mask is NAME.png, NAME_mask.png or NAME/00000.png.

    Raises:
        ConfigError: The list cannot be read, has an unknown column, or a row without a video.
    """
    row = None
    try:
        for row in _rows(source):
            yield row
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source} is not UTF-8: {error.reason}") from error
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        hint = did_you_mean(source, _may_be_list) if missing else ""
        raise ConfigError(os_reason(error), hint=hint) from error
    if row is None:
        raise ConfigError(f"{source} holds no video")


def _rows(source: Path) -> Iterator[Row]:
    if str(source) == "-":
        if os.isatty(_STDIN):
            raise ConfigError("- reads a list from a pipe, but stdin is a terminal")
        with open(_STDIN, encoding="utf-8-sig", closefd=False) as lines:
            yield from _from_json(lines, "stdin", Path())
    elif source.is_dir():
        yield from _from_folder(source)
    elif source.suffix.lower() == ".csv":
        with source.open(encoding="utf-8-sig", newline="") as file:
            yield from _from_table(file, source)
    elif source.suffix.lower() in _JSON_LINES:
        with source.open(encoding="utf-8-sig") as file:
            yield from _from_json(file, str(source), source.parent)
    else:
        source.stat()  # a name that is mistyped may lack its ending as well
        raise ConfigError(f"{source}: a list is a .csv or .jsonl file, or a folder")


def _may_be_list(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in (".csv", *_JSON_LINES)


def _from_table(file: TextIO, source: Path) -> Iterator[Row]:
    first = file.readline()
    lines, separator = chain([first], file), _separator(first)
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    try:
        columns = [name.strip().replace("-", "_") for name in next(reader, [])]
        named = [name for name in columns if name]
        _check_columns(named, f"{source}, line 1")
        if len(set(named)) != len(named):
            raise ConfigError(f"{source}, line 1: a column occurs twice: {', '.join(named)}")
        for fields in reader:
            cells = [field.strip() for field in fields]
            if not any(cells):
                continue
            place = f"{source}, line {reader.line_num}"
            if len(cells) != len(columns):
                raise ConfigError(
                    f"{place} has {plural(len(cells), 'field')}, expected {len(columns)} like the "
                    "first line",
                    hint=f"put cells that contain {separator!r} in quotes"
                    if len(cells) > len(columns)
                    else "",
                )
            for name, cell in zip(columns, cells, strict=True):
                if cell and not name:
                    raise ConfigError(f"{place}: {cell!r} stands in a column without a name")
            given = {
                name: _parts(cell) if name in LISTS else cell
                for name, cell in zip(columns, cells, strict=True)
                if cell
            }
            yield _row(given, place, source.parent)
    except csv.Error as error:
        raise ConfigError(f"{source}, line {reader.line_num}: {error}") from error


def _separator(first: str) -> str:
    """What stands between names in the first line; some spreadsheets write semicolons or tabs."""
    for sign in ",;\t":
        if "video" in (name.strip('" \r\n') for name in first.split(sign)):
            return sign
    return ","


def _parts(cell: str) -> list[str]:
    return [part for each in cell.split(";") if (part := each.strip())]


def _from_json(lines: Iterable[str], source: str, folder: Path) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{source}, line {number}"
        try:
            given = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{place} is not JSON: {error}") from error
        if not isinstance(given, dict):
            raise ConfigError(f'{place}: expected an object such as {{"video": "a.mp4"}}')
        given = {name.replace("-", "_"): value for name, value in given.items()}
        _check_columns(given, place)
        yield _row(given, place, folder)


def _from_folder(folder: Path) -> Iterator[Row]:
    for video in sorted(folder.iterdir()):
        if not _VIDEO.fullmatch(video.name):
            continue
        beside = (f"{video.stem}.png", f"{video.stem}_mask.png", f"{video.stem}/00000.png")
        given: dict[str, object] = {"video": video.name}
        if mask := next((name for name in beside if (folder / name).is_file()), None):
            given["mask"] = mask
        yield _row(given, str(video), folder)


def _check_columns(names: Iterable[str], place: str) -> None:
    for name in names:
        if name not in COLUMNS:
            raise ConfigError(f"{place}: no column {name!r}; expected {', '.join(COLUMNS)}")


def _row(given: Mapping[str, object], place: str, folder: Path) -> Row:
    values = {
        name: _value(name, value, place)
        for name, value in given.items()
        if value is not None and value != "" and value != []
    }
    if "video" not in values:
        raise ConfigError(f"{place} names no video")
    return Row(place, folder, values)


def _value(name: str, value: object, place: str) -> Value:
    if name in LISTS:
        several = value if isinstance(value, list) and not _are_numbers(value) else [value]
        return tuple(_text(name, each, place) for each in several)
    return _text(name, value, place)


def _text(name: str, value: object, place: str) -> str:
    """A value of JSON as it would be typed: 12, or [1, "fish"] as 1,fish."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and (name in JOINED or _are_numbers(value)):
        return ",".join(_text(name, each, place) for each in value)
    if _are_numbers([value]):
        return str(value)
    raise ConfigError(f"{place}: {name} is {json.dumps(value)}, expected text")


def _are_numbers(values: list[object]) -> bool:
    return all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
