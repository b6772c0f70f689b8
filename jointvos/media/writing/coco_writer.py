"""Masks as COCO annotations: run lengths per image, or per object as YouTube-VIS has them."""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, TypeAlias

import numpy as np

from jointvos.errors import ConfigError
from jointvos.masks.rle import compressed_rle
from jointvos.media.writing.text_writer import TextSink
from jointvos.types import Frame, FrameResult, VideoInfo

LAYOUTS = ("coco", "ytvis")

_HEAD = {"info": {"description": "jointvos"}, "licenses": []}
_NOWHERE = -1
_Record: TypeAlias = dict[str, Any]


def coco_sink_type(layout: str) -> "type[CocoSink | YtvisSink]":
    """The sink for a layout, "coco" or "ytvis".

    Raises:
        ConfigError: The layout is unknown.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"unknown COCO layout {layout!r}; expected {' or '.join(LAYOUTS)}")
    return CocoSink if layout == "coco" else YtvisSink


def _distinct(categories: Mapping[int, str] | None) -> list[str]:
    return list(dict.fromkeys((categories or {}).values())) or ["object"]


class _JsonSink(TextSink):
    """A .json file of annotations, with a list beside it that waits outside the memory."""

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        *,
        overwrite: bool = False,
        categories: Mapping[int, str] | None = None,
    ) -> None:
        """Check that the file can be written; see `StagedSink`.

        Args:
            path: The file.
            info: The source.
            overwrite: Whether a file that exists may be replaced.
            categories: The category of each object, by ID; None if all are of "object".

        Raises:
            ConfigError: The suffix is not .json.
            OutputError: It cannot be written there.
        """
        super().__init__(path, info, overwrite=overwrite)
        self._categories = categories
        self._numbers = {name: i for i, name in enumerate(_distinct(categories), start=1)}
        self._aside: IO[bytes] | None = None
        self._frames = 0
        self._begin()

    def _begin(self) -> None:
        """Before the first frame."""

    @classmethod
    def _refuse_kind(cls, path: Path) -> None:
        if path.suffix.lower() != ".json":
            raise ConfigError(f"{path}: COCO annotations go to files ending in .json")

    def _head_record(self) -> _Record:
        """What stands before videos, images and annotations."""
        categories = [
            {"id": i, "name": name, "supercategory": "object"} for name, i in self._numbers.items()
        ]
        return {**_HEAD, "categories": categories}

    def _category(self, object_id: int) -> int:
        """The number of the category of an object."""
        return 1 if self._categories is None else self._numbers[self._categories[object_id]]

    def _put_aside(self, content: object) -> int:
        """Keep a line of JSON; returns where it begins."""
        if self._aside is None:
            self._aside = TemporaryFile("w+b", dir=self.path.parent)  # noqa: SIM115
        self._aside.seek(0, 2)
        begin = self._aside.tell()
        self._aside.write(json.dumps(content).encode() + b"\n")
        return begin

    def _all_aside(self) -> Iterator[str]:
        """The lines that were put aside."""
        assert self._aside is not None
        self._aside.seek(0)
        for line in self._aside:
            yield line.decode().rstrip("\n")

    @staticmethod
    def _write_list(file: IO[str], items: Iterable[str]) -> None:
        """The inside of a JSON array."""
        for i, item in enumerate(items):
            file.write((",\n" if i else "\n") + item)

    def _complete(self) -> None:
        super()._complete()
        assert self._aside is not None
        self._aside.close()

    def _let_go(self) -> None:
        if self._aside is not None:
            with suppress(OSError):
                self._aside.close()
        super()._let_go()

    def _video(self) -> _Record:
        width, height = self._info.width, self._info.height
        return {"id": 1, "name": self._info.path.name, "width": width, "height": height}


class CocoSink(_JsonSink):
    """Every frame is an image and every object seen in it an annotation; one video.

    Keys beyond those of COCO are those of COCO-VID (`videos`, `video_id`, `frame_id`), `track_id`,
    which is the ID of the object, `time` in seconds, and `score`, the mean probability.
    """

    _annotations = 0

    def _head(self) -> str:
        head = {**self._head_record(), "videos": [self._video()]}
        return json.dumps(head)[:-1] + ',\n"annotations": ['

    def _lines(self, frame: Frame, result: FrameResult) -> str:
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
        self._put_aside(image)
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
                "category_id": self._category(state.id),
                "iscrowd": 0,
                "area": state.area,
                "bbox": list(state.box),
                "segmentation": compressed_rle(np.equal(result.labels, state.id)),
                "score": state.mean_probability and round(state.mean_probability, 4),
            }
            text += (",\n" if self._annotations > 1 else "\n") + json.dumps(annotation)
        return text

    def _finish(self, file: IO[str]) -> None:
        file.write('\n],\n"images": [')
        self._write_list(file, self._all_aside())
        file.write("]}\n")


class YtvisSink(_JsonSink):
    """An annotation per object, with a list of masks over all frames, as in YouTube-VIS.

    `segmentations`, `bboxes` and `areas` have an entry per frame, null where the object is not
    seen. Keys beyond those of YouTube-VIS are `track_id`, which is the ID of the object, and in
    the video `frame_ids` and `times` in seconds.
    """

    def _begin(self) -> None:
        # Where the lines of frames, and of every object in them, begin in the file aside.
        self._begins: array[int] = array("q")
        self._seen: dict[int, array[int]] = {}

    def _lines(self, frame: Frame, result: FrameResult) -> str:
        about = {"name": frame.name, "index": frame.index, "time": round(frame.time_s, 6)}
        self._begins.append(self._put_aside(about))
        for state in result.objects:
            begins = self._seen.setdefault(state.id, array("q", [_NOWHERE] * self._frames))
            if state.box is None:
                begins.append(_NOWHERE)
                continue
            rle = compressed_rle(np.equal(result.labels, state.id))
            begins.append(self._put_aside({"rle": rle, "box": state.box, "area": state.area}))
        self._frames += 1
        return ""

    def _finish(self, file: IO[str]) -> None:
        head = self._head_record()
        video = {**self._video(), "length": self._frames}
        file.write(json.dumps(head)[:-1] + ',\n"videos": [' + json.dumps(video)[:-1])
        for key, field in (("file_names", "name"), ("frame_ids", "index"), ("times", "time")):
            file.write(f',\n"{key}": [')
            self._write_list(file, self._fields(self._begins, field))
            file.write("]")
        file.write('}],\n"annotations": [')
        for number, (object_id, begins) in enumerate(self._seen.items(), start=1):
            annotation = {
                "id": number,
                "video_id": 1,
                "track_id": object_id,
                "category_id": self._category(object_id),
                "iscrowd": 0,
                "width": self._info.width,
                "height": self._info.height,
                "length": self._frames,
            }
            file.write((",\n" if number > 1 else "\n") + json.dumps(annotation)[:-1])
            for key, field in (("segmentations", "rle"), ("bboxes", "box"), ("areas", "area")):
                file.write(f',\n"{key}": [')
                self._write_list(file, self._fields(begins, field))
                file.write("]")
            file.write("}")
        file.write("\n]}\n")

    def _fields(self, begins: "array[int]", field: str) -> Iterator[str]:
        """One field of lines aside, as JSON."""
        assert self._aside is not None
        for begin in begins:
            if begin == _NOWHERE:
                yield "null"
                continue
            self._aside.seek(begin)
            yield json.dumps(json.loads(self._aside.readline())[field])
