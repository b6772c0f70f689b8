"""Reading the masks that a user names, and checking what can be checked before decoding."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from jointvos.errors import ConfigError, MaskError, MaskReadError, os_errors_as
from jointvos.files.images import images_in
from jointvos.frame_range import Bound, FrameRange
from jointvos.masks.boxes import Box
from jointvos.masks.check import examine_mask
from jointvos.masks.id_change import IdChange, parse_id
from jointvos.masks.mask_file import check_mask, read_mask
from jointvos.masks.prompts import MaskPrompts, Prompt, refuse_shared
from jointvos.types import LabelMap, VideoInfo

_log = logging.getLogger("jointvos.masks")

_LIKE_A_PLACE = re.compile(r"[0-9][0-9.:s]*")
_WITH_ID = re.compile(r"([0-9]+):(.+)", re.DOTALL)


def read_prompts(
    masks: Sequence[str],
    info: VideoInfo,
    *,
    start: str | None = None,
    end: str | None = None,
    boxes: Sequence[Box] = (),
    change: IdChange | None = None,
) -> MaskPrompts:
    """Read all masks and check all that can be checked without decoding the video.

    Args:
        masks: Each "FILE", for the first frame of the range, "FRAME=FILE" with a place as in
            `media.open_source`, or a folder of `<frame>.png`: the number of the frame or, if the
            source is a folder, the name of its picture. "ID:FILE", "FRAME=ID:FILE" and "ID:FOLDER"
            give the only object of each mask that id.
        info: The source.
        start: First frame of the range, as it was given to `media.open_source`.
        end: The frame after the last.
        boxes: Objects to be cut out of the first frame; those without id get the next free one.
        change: What is done to the ids of the masks; nothing by default.

    Raises:
        ConfigError: A place has a wrong form or lies outside of the range, or an id is unknown.
        MaskError: A mask cannot be used, or an id is given twice for one frame.
    """
    frames = FrameRange.parse(start, end)
    change = change or IdChange()
    read: list[Prompt] = []
    for text in masks:
        place, object_id, path = _split(text)
        of_one = len(read)
        with os_errors_as(MaskReadError):
            is_folder = path.is_dir()
        if is_folder:
            if place is not None:
                raise MaskReadError(f"{text}: {path} is a folder; expected a picture")
            files = _in_folder(path, info, frames)
            read += [Prompt.of(_read(file, info), file, where) for file, where in files]
        else:
            read.append(Prompt.of(_read(path, info), path, place))
        if object_id is not None:
            read[of_one:] = [_named(prompt, object_id) for prompt in read[of_one:]]
    for prompt in read:
        _check_place(prompt, info, frames)
    change.check({i for prompt in read for i in prompt.ids})
    if change.does_something:
        read = [Prompt.of(change(p.labels), p.path, p.place) for p in read]
    prompts = [prompt for prompt in read if prompt.ids]
    for box in boxes:
        box.check(info)
    prompted = MaskPrompts(
        prompts, info, frames, _with_ids(boxes, {i for p in prompts for i in p.ids})
    )
    _refuse_double(prompted)
    return prompted


def mask_path(text: str) -> Path:
    """The file or folder in "FILE", "FRAME=FILE", "ID:FILE" or "FRAME=ID:FILE".

    Raises:
        ConfigError: The place or the id has a wrong form.
    """
    return _split(text)[2]


def _split(text: str) -> tuple[Bound | None, int | None, Path]:
    """A place, an id and a file; a file whose name looks like more than one is a file."""
    place, equals, file = text.partition("=")
    bound = None
    if equals and _LIKE_A_PLACE.fullmatch(place) and not _is_there(text):
        bound = Bound.parse(place, f"`mask` {text}: the place")
    else:
        file = text
    match = _WITH_ID.fullmatch(file)
    if match is None or _is_there(file):
        return bound, None, Path(file)
    return bound, parse_id(match[1], f"`mask` {text}"), Path(match[2])


def _is_there(name: str) -> bool:
    with os_errors_as(MaskReadError):
        return Path(name).exists()


def _named(prompt: Prompt, object_id: int) -> Prompt:
    """The mask of one object with another id."""
    if len(prompt.ids) != 1:
        raise ConfigError(
            f"`mask` {object_id}:{prompt.path}: it holds the ids "
            f"{', '.join(map(str, prompt.ids))}, expected one object",
            hint=f"leave out {object_id}: and change ids with `remap`",
        )
    change = IdChange(rename={prompt.ids[0]: object_id})
    return Prompt.of(change(prompt.labels), prompt.path, prompt.place)


def _in_folder(folder: Path, info: VideoInfo, frames: FrameRange) -> list[tuple[Path, Bound]]:
    """The masks of a folder and their frames; those that are certainly outside are left out."""
    names = {}
    if not info.is_video:
        names = {path.stem: index for index, path in enumerate(images_in(info.path))}
    found, outside = [], 0
    for path in images_in(folder):
        if info.is_video:
            if not (path.stem.isascii() and path.stem.isdecimal()):
                raise MaskError(
                    f"{path}: its name is no number of a frame, as 00012.png would be",
                    hint="rename it, or pass it as `masks=['FRAME=FILE']`",
                )
            number = int(path.stem)
        elif path.stem not in names:
            raise MaskError(f"{path}: {info.path} holds no picture called {path.stem}")
        else:
            number = names[path.stem]
        if _in_range(number, frames):
            found.append((path, Bound(path.stem, frame=number)))
        else:
            outside += 1
    if outside:
        _log.warning("%s: %d of its masks are outside of the range", folder, outside)
    return found


def _read(path: Path, info: VideoInfo) -> LabelMap:
    try:
        labels = read_mask(path, info)
        check_mask(labels, path, info)
    except MaskError as error:
        check = examine_mask(path, info)
        if check.mended is not None:
            error.mending, error.path = check.mending, path
            error.hint = f"`examine_mask` has it {check.mending}"
        raise
    return labels


def _check_place(prompt: Prompt, info: VideoInfo, frames: FrameRange) -> None:
    """Refuse a frame that is certainly not in the range."""
    number = prompt.place.frame if prompt.place is not None else None
    if number is None:
        return
    if not _in_range(number, frames):
        start = "the start" if frames.start is None else frames.start.text
        end = "the end" if frames.end is None else frames.end.text
        raise ConfigError(f"`mask` {prompt}: there is no frame {number} from {start} to {end}")
    if info.frame_count is None:
        return
    last = (frames.start.as_frame(info.frame_rate) if frames.start else 0) + info.frame_count
    if number >= last and not info.is_video:
        raise MaskError(f"`mask` {prompt}: {info.path} has no frame {number}")
    if number >= last:
        _log.warning("`mask` %s: %s seems to end at frame %d", prompt, info.path, last - 1)


def _in_range(number: int, frames: FrameRange) -> bool:
    """Whether a frame is not certainly outside."""
    start, end = frames.start, frames.end
    early = start is not None and start.frame is not None and number < start.frame
    return not early and not (end is not None and end.frame is not None and number >= end.frame)


def _with_ids(boxes: Sequence[Box], taken: set[int]) -> list[Box]:
    taken = taken | {box.id for box in boxes if box.id is not None}
    complete = []
    for box in boxes:
        if box.id is None:
            free = max(taken, default=0) + 1
            taken.add(free)
            box = Box(box.x, box.y, box.width, box.height, free)
        complete.append(box)
    return complete


def _refuse_double(prompts: MaskPrompts) -> None:
    """Refuse ids that are given twice for one frame, as far as that can be seen already."""
    places: dict[object, list[Prompt]] = {}
    first = prompts.in_first
    for prompt in prompts.all:
        place = None if prompt in first else prompt.place
        places.setdefault(place and (place.frame, place.seconds), []).append(prompt)
    for together in places.values():
        refuse_shared(together)
    in_first = {i for prompt in first for i in prompt.ids}
    for box in prompts.boxes:
        assert box.id is not None
        if box.id in in_first:
            raise MaskError(f"`box` {box}={box.id}: a mask has the id {box.id}, too; use another")
        in_first.add(box.id)
