"""What came of a batch, for people and for programs: `report.html` and `report.json`."""

import base64
import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jointvos
from jointvos.batch.record import Entry, ObjectSummary, Record
from jointvos.errors import OutputError, os_errors_as
from jointvos.files.whole_file import remove_partials, whole_file
from jointvos.html_page import templates
from jointvos.masks.palette import display_colors

PAGE, DATA = "report.html", "report.json"
THUMBNAILS = ".thumbnails"
"""A folder with a small image of every video that is done, for the next report."""

_SHOWN = 2000
"""Videos that the page shows; with a thumbnail each, it has some 15 MB then."""
_CURVE = 120, 24
"""Width and height of an area curve, in units of its drawing."""


@dataclass(frozen=True)
class _Video:
    """A video as the page shows it; those that come first need a look the most."""

    name: str
    video: str
    entry: Entry | None

    @property
    def status(self) -> str:
        """What became of it: done, failed or left."""
        ended = self.entry is not None and self.entry.status != "begun"
        return self.entry.status if self.entry is not None and ended else "left"

    @property
    def badness(self) -> float:
        """How much it needs a look: more where it failed, else the part that an object was lost."""
        if self.entry is None or self.status == "left":
            return 2
        if self.status == "failed":
            return 3
        most = max((each.lost for each in self.entry.objects), default=0)
        return most / max(1, self.entry.frames)


@dataclass
class _Totals:
    """What the head of the page says."""

    videos: int = 0
    done: int = 0
    failed: int = 0
    left: int = 0
    frames: int = 0
    seconds: float = 0.0

    def add(self, video: _Video) -> None:
        self.videos += 1
        self.done += video.status == "done"
        self.failed += video.status == "failed"
        self.left += video.status == "left"
        if video.entry is not None and video.status == "done":
            self.frames += video.entry.frames
            self.seconds = round(self.seconds + video.entry.seconds, 3)


def save_thumbnail(folder: Path, name: str, image: bytes | None) -> None:
    """Keep the small image of a video for the report.

    Args:
        folder: The folder of the batch.
        name: What the video is called.
        image: A JPEG; None if there is none.

    Raises:
        OutputError: It cannot be written.
    """
    if image is None:
        return
    path = _thumbnail(folder, name)
    with os_errors_as(OutputError):
        path.parent.mkdir(exist_ok=True)
    with whole_file(path) as partial:
        partial.write_bytes(image)


def remove_partial_reports(folder: Path) -> None:
    """Remove what killed batches left of the files of this module.

    Raises:
        OutputError: One cannot be removed.
    """
    for name in (PAGE, DATA):
        remove_partials(folder, name)
    remove_partials(folder / THUMBNAILS)


def write_report(folder: Path, videos: Iterable[tuple[str, str]], record: Record) -> Path:
    """Write both reports.

    Args:
        folder: Where they go, that of the batch.
        videos: Name and input of every video in the list.
        record: What became of them.

    Returns:
        The page.

    Raises:
        OutputError: They cannot be written.
    """
    totals = _Totals()
    shown = _write_data(folder / DATA, _videos(videos, record), totals)
    page = folder / PAGE
    environment = templates("batch")
    environment.globals |= {"curve": _curve, "color": _color, "size": _CURVE}
    environment.globals["thumbnail"] = lambda name: _embedded(_thumbnail(folder, name))
    parts = environment.get_template(PAGE).stream(
        folder=folder.absolute().name,
        totals=totals,
        videos=shown,
        data=DATA,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=jointvos.__version__,
    )
    parts.enable_buffering(50)
    with whole_file(page) as partial, partial.open("wb") as file:
        parts.dump(file, encoding="utf-8", errors="replace")
    return page


def _videos(videos: Iterable[tuple[str, str]], record: Record) -> Iterator[_Video]:
    for name, video in videos:
        yield _Video(name, video, record.get(name))


def _write_data(path: Path, videos: Iterable[_Video], totals: _Totals) -> list[_Video]:
    """Write all videos down one by one, and add them up.

    Returns:
        Those that need a look the most, and these first.
    """
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:

        def written() -> Iterator[_Video]:
            for video in videos:
                file.write(",\n" if totals.videos else "")
                file.write(json.dumps(_plain(video)))
                totals.add(video)
                yield video

        file.write('{"videos": [\n')
        shown = heapq.nlargest(_SHOWN, written(), key=lambda video: video.badness)
        summary = {**vars(totals), "jointvos": jointvos.__version__}
        file.write(f'\n], "summary": {json.dumps(summary)}}}\n')
    return shown


def _plain(video: _Video) -> dict[str, object]:
    values = {"name": video.name, "video": video.video}
    if video.entry is not None and video.status != "left":
        values |= json.loads(video.entry.line())
    return {**values, "status": video.status}


def _thumbnail(folder: Path, name: str) -> Path:
    known = name.encode(errors="surrogateescape")
    return folder / THUMBNAILS / f"{hashlib.sha256(known).hexdigest()[:24]}.jpg"


def _embedded(path: Path) -> str | None:
    """A JPEG as an address that a page can hold; None if it is not there."""
    with suppress(OSError):
        return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"
    return None


def _color(object_id: int) -> str:
    return f"#{bytes(display_colors()[1 + (object_id - 1) % 254]).hex()}"


def _curve(summary: ObjectSummary) -> list[str]:
    """The area over the frames as lines of an SVG; one begins anew where the object appears."""
    width, height = _CURVE
    most = max((area for area in summary.areas if area is not None), default=0) or 1
    step = width / max(1, len(summary.areas) - 1)
    lines: list[list[str]] = [[]]
    for number, area in enumerate(summary.areas):
        if area is None:
            lines.append([])
        else:
            y = height - 1 - (height - 2) * area / most
            lines[-1].append(f"{number * step:.1f},{y:.1f}")
    return [" ".join(line) for line in lines if line]
