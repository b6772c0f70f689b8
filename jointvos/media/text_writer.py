"""Outputs that are text: statistics, and masks as COCO run lengths."""

import csv
import io
import json
import shutil
from abc import abstractmethod
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from jointvos.errors import ConfigError, EncodeError
from jointvos.media.records import Record, records
from jointvos.media.rle import compressed_rle
from jointvos.media.sinks import StagedFile
from jointvos.types import Frame, FrameResult, VideoInfo


class _TextSink(StagedFile):
    """A text file that grows frame by frame."""

    def __init__(self, path: Path, info: VideoInfo, *, overwrite: bool = False) -> None:
        super().__init__(path, overwrite=overwrite, source=info.path)
        self._info = info
        self._file: IO[str] | None = None

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add one frame.

        Raises:
            EncodeError: The disk refuses.
        """
        try:
            if self._file is None:
                self._file = self._staging.open("x", encoding="utf-8", newline="")
                self._wrote = True
                self._file.write(self._head())
            self._file.write(self._lines(frame, result))
        except OSError as error:
            raise self._failure(error) from error

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""
        self._drop()
        self._staging.unlink(missing_ok=True)

    def _complete(self) -> None:
        assert self._file is not None
        try:
            self._finish(self._file)
            self._file.close()
        except OSError as error:
            raise self._failure(error) from error

    def _drop(self) -> None:
        """Let go of the file; closing writes what is buffered, which a full disk refuses."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError:
                self._file = None

    def _failure(self, error: OSError) -> EncodeError:
        return EncodeError(f"{self.path} cannot be written: {error.strerror or error}")

    def _finish(self, file: IO[str]) -> None:
        """Write what comes behind the last frame."""

    def _head(self) -> str:
        return ""

    @abstractmethod
    def _lines(self, frame: Frame, result: FrameResult) -> str: ...


class StatsSink(_TextSink):
    """A line per frame and object: area, box, centre, mean probability, and whether it is lost.

    A table in .csv, where nothing stands in the fields of a lost object, or JSON Lines in .jsonl.
    """

    def __init__(self, path: Path, info: VideoInfo, *, overwrite: bool = False) -> None:
        """Check that the file can be written; see `StagedSink`.

        Raises:
            ConfigError: The suffix is neither .csv nor .jsonl.
            OutputError: It cannot be written there.
        """
        suffix = path.suffix.lower()
        if suffix not in (".csv", ".jsonl"):
            raise ConfigError(f"{path}: statistics go to files ending in .csv or .jsonl")
        super().__init__(path, info, overwrite=overwrite)
        self._as_table = suffix == ".csv"

    def _head(self) -> str:
        return ",".join(_COLUMNS) + "\n" if self._as_table else ""

    def _lines(self, frame: Frame, result: FrameResult) -> str:
        rows = records(frame, result)
        if not self._as_table:
            return "".join(json.dumps(row) + "\n" for row in rows)
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(_row(row) for row in rows)
        return table.getvalue()


_COLUMNS = (
    *("frame", "time", "object", "area", "x", "y", "width", "height"),
    *("centre_x", "centre_y", "mean_probability", "lost"),
)


def _row(record: Record) -> list[object]:
    box, centre = record["box"] or [None] * 4, record["centre"] or [None] * 2
    assert isinstance(box, list)
    assert isinstance(centre, list)
    numbers = [record[key] for key in ("frame", "time", "object", "area")]
    return [*numbers, *box, *centre, record["mean_probability"], int(bool(record["lost"]))]


class CocoSink(_TextSink):
    """Masks as compressed run lengths in COCO's layout, with the video as in COCO-VID.

    Every frame is an image and every object seen in it an annotation, whose `track_id` is the id
    of the object. One video, one category.
    """

    def __init__(self, path: Path, info: VideoInfo, *, overwrite: bool = False) -> None:
        """Check that the file can be written; see `StagedSink`.

        Raises:
            ConfigError: The suffix is not .json.
            OutputError: It cannot be written there.
        """
        if path.suffix.lower() != ".json":
            raise ConfigError(f"{path}: COCO annotations go to files ending in .json")
        super().__init__(path, info, overwrite=overwrite)
        # Images stand in a list of their own, so they wait outside the memory.
        self._images: IO[str] | None = None
        self._frames = self._annotations = 0

    def _head(self) -> str:
        video = {
            "id": 1,
            "name": self._info.path.name,
            "width": self._info.width,
            "height": self._info.height,
        }
        category = {"id": 1, "name": "object", "supercategory": "object"}
        head = {
            "info": {"description": "jointvos"},
            "licenses": [],
            "videos": [video],
            "categories": [category],
        }
        return json.dumps(head)[:-1] + ',\n"annotations": ['

    def _lines(self, frame: Frame, result: FrameResult) -> str:
        if self._images is None:
            self._images = TemporaryFile(  # noqa: SIM115
                "w+", encoding="utf-8", dir=self.path.parent
            )
        self._frames += 1
        image = {
            "id": self._frames,
            "video_id": 1,
            "frame_id": frame.index,
            "file_name": frame.name,
            "time": round(frame.time_s, 6),
            "width": self._info.width,
            "height": self._info.height,
        }
        self._images.write((",\n" if self._frames > 1 else "\n") + json.dumps(image))
        text = ""
        for state in result.objects:
            if state.box is None:
                continue
            self._annotations += 1
            annotation = {
                "id": self._annotations,
                "image_id": self._frames,
                "video_id": 1,
                "track_id": state.id,
                "category_id": 1,
                "iscrowd": 0,
                "area": state.area,
                "bbox": list(state.box),
                "segmentation": compressed_rle(np.equal(result.labels, state.id)),
                "score": state.mean_probability and round(state.mean_probability, 4),
            }
            text += (",\n" if self._annotations > 1 else "\n") + json.dumps(annotation)
        return text

    def _finish(self, file: IO[str]) -> None:
        assert self._images is not None
        file.write('\n],\n"images": [')
        self._images.seek(0)
        shutil.copyfileobj(self._images, file)
        file.write("\n]}\n")
        self._images.close()

    def _drop(self) -> None:
        if self._images is not None:
            try:
                self._images.close()
            except OSError:
                self._images = None
        super()._drop()
