"""Reading the masks that a user names, and checking what can be checked before decoding."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jointvos.errors import ConfigError, EmptyMaskError, MaskError, MaskReadError, os_errors_as
from jointvos.files.orientation import Orientation
from jointvos.frame_range import Bound, FrameRange, far_beyond
from jointvos.masks.check import MaskCheck, examine_labels, examine_mask
from jointvos.masks.formats import is_annotation
from jointvos.masks.id_change import IdChange, parse_id
from jointvos.masks.mask_file import check_mask, read_mask
from jointvos.masks.mask_size import scaled
from jointvos.masks.mask_source import Found, MaskSource, require_mask
from jointvos.masks.numbering import Numbering
from jointvos.masks.prompts import Cut, MaskPrompts, Prompt, refuse_shared
from jointvos.types import LabelMap, VideoInfo, object_ids

_log = logging.getLogger("jointvos.masks")

_LIKE_A_PLACE = re.compile(r"[0-9][0-9.:s]*")
_USUAL = 20
"""A larger ID that is given to a mask may have been meant as a frame."""
_WITH_ID = re.compile(r"([0-9]+):(.+)", re.DOTALL)


def read_prompts(
    masks: Sequence[str],
    info: VideoInfo,
    *,
    start: str | None = None,
    end: str | None = None,
    cuts: Sequence[Cut] = (),
    change: IdChange | None = None,
) -> MaskPrompts:
    """Read all masks and check all that can be checked without decoding the video.

    Args:
        masks: Each "FILE", for the first frame of the range, "FRAME=FILE" with a place as in
            `media.open_source`, or a folder of `<frame>.png`: the number of the frame or, if the
            source is a folder, the name of its image. "ID:FILE", "FRAME=ID:FILE" and "ID:FOLDER"
            give the only object of each mask that ID. A folder may also hold a file or a folder
            per object. FILE is an image, or of a kind that `masks.formats` reads; "FILE#IMAGE"
            takes one of the images that it describes.
        info: The source.
        start: First frame of the range, as it was given to `media.open_source`.
        end: The frame after the last.
        cuts: Objects to be cut out of the first frame; those without ID get the next free one.
        change: What is done to the IDs of the masks; nothing by default.

    Raises:
        ConfigError: A place has a wrong form or lies outside of the range, or an ID is unknown.
        MaskError: A mask cannot be used, or an ID is given twice for one frame.
    """
    frames = FrameRange.parse(start, end)
    change = change or IdChange()
    source, numbering = MaskSource(info, _read), Numbering()
    read: list[Prompt] = []
    for text in masks:
        place, object_id, path, image = _split(text)
        found = source.find(path, image, place)
        wanted = [one for one in found if one.place is None or not frames.leaves_out(one.place)]
        if place is None and len(wanted) < len(found):
            _log.warning(
                "%s: %d of its masks are outside of the range", path, len(found) - len(wanted)
            )
            found = wanted
        read += [_prompt(each, info, numbering, object_id) for each in found]
        if place is None and object_id is not None and object_id > _USUAL:
            _log.warning(
                "`mask` %s gives its object the ID %d; for frame %d write %d=%s",
                *(text, object_id, object_id, object_id, path),
            )
    for prompt in read:
        _check_place(prompt, info, frames)
    change = change.of_ids(numbering.names)
    change.check({i for prompt in read for i in prompt.ids})
    names = numbering.names
    if change.does_something:
        read = [prompt.changed(change) for prompt in read]
        names = change.names(names)
    prompts = [prompt for prompt in read if prompt.ids]
    for cut in cuts:
        cut.check(info)
    prompted = MaskPrompts(
        prompts, info, frames, _with_ids(cuts, {i for p in prompts for i in p.ids}), names
    )
    _refuse_double(prompted)
    return prompted


def examine_file(path: Path, info: VideoInfo, stored: Orientation | None = None) -> MaskCheck:
    """What is in a file of masks of any kind, and what may be wrong with it; see `examine_mask`."""
    file, _ = split_image(str(path))
    try:
        require_mask(file)
        with os_errors_as(MaskReadError):
            if not (is_annotation(file) or file.is_dir()):
                return examine_mask(path, info, stored)
        prompts = read_prompts([str(path)], info)
        if prompts.first is None or len(prompts.in_first) < len(prompts.all):
            names = ", ".join(str(each.path) for each in prompts.all[:4])
            raise MaskError(f"{path} holds masks of {len(prompts.all)} frames; check one: {names}")
    except MaskError as error:
        return MaskCheck(path, refused=error)
    return examine_labels(prompts.first, path, prompts.names, is_image=False)


def mask_path(text: str) -> Path:
    """The file or folder in "FILE", "FRAME=FILE", "ID:FILE", "FRAME=ID:FILE" or "...#IMAGE".

    Raises:
        ConfigError: The place or the ID has a wrong form.
    """
    return _split(text)[2]


def mask_in(folder: Path, text: str) -> str:
    """The same mask, its path being relative to a folder.

    Raises:
        ConfigError: The place or the ID has a wrong form.
    """
    if text and _is_there(str(folder / text)):
        return str(folder / text)
    place, object_id, path, image = _split(text)
    before = "" if place is None else f"{place.text}="
    before += "" if object_id is None else f"{object_id}:"
    return f"{before}{folder / path}{'' if image is None else f'#{image}'}"


def _split(text: str) -> tuple[Bound | None, int | None, Path, str | None]:
    """A place, an ID, a file and an image in it; what is the name of a file is not split."""
    place, equals, file = text.partition("=")
    bound = None
    if equals and _LIKE_A_PLACE.fullmatch(place) and not _is_there(text):
        bound = Bound.parse(place, f"`mask` {text}: the place")
    else:
        file = text
    if not file.strip():
        raise ConfigError(f"`mask` is {text!r}, expected a file or a folder")
    match = _WITH_ID.fullmatch(file)
    if match is None or _is_there(file):
        return bound, None, *split_image(file)
    return bound, parse_id(match[1], f"`mask` {text}"), *split_image(match[2])


def split_image(file: str) -> tuple[Path, str | None]:
    """The file in "FILE" or "FILE#IMAGE", and the image."""
    path, separator, image = file.rpartition("#")
    if not separator or _is_there(file) or not _is_there(path):
        return Path(file), None
    return Path(path), image


def _is_there(name: str) -> bool:
    with os_errors_as(MaskReadError):
        return Path(name).exists()


def _prompt(found: Found, info: VideoInfo, numbering: Numbering, object_id: int | None) -> Prompt:
    """Read one mask; its only object gets the ID, if there is one."""
    objects = found.read()
    if isinstance(objects, list):
        if not objects:
            raise EmptyMaskError(f"{found.path} selects nothing: it holds no objects")
        labels = numbering.paint(objects, found.path, object_id)
    else:
        labels = objects if object_id is None else _renamed(objects, found, object_id)
        numbering.take(object_ids(labels))
    labels = scaled(labels, found.path, info)
    check_mask(labels, found.path, info)
    return Prompt.of(labels, found.path, found.place, is_image=found.is_image)


def _renamed(labels: LabelMap, found: Found, object_id: int) -> LabelMap:
    """The mask of one object with another ID."""
    ids = object_ids(labels)
    if len(ids) != 1:
        place = "" if found.place is None else f"{found.place.text}="
        hint = f"leave out {object_id}: and change IDs with `remap`"
        if found.place is None:
            hint += f"; for frame {object_id} write {object_id}={found.path}"
        raise ConfigError(
            f"`mask` {place}{object_id}:{found.path}: it holds the IDs "
            f"{', '.join(map(str, ids))}, expected one object",
            hint=hint,
        )
    return IdChange(rename={ids[0]: object_id})(labels)


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
    place = prompt.place
    if place is None:
        return
    if frames.leaves_out(place):
        start = "the start" if frames.start is None else frames.start.text
        end = "the end" if frames.end is None else frames.end.text
        frame = f"frame {place.frame}" if place.frame is not None else f"frame at {place.text}"
        raise ConfigError(f"`mask` {prompt}: no {frame} from {start} to {end}")
    if place.frame is None or info.frame_count is None:
        return
    last = (frames.start.as_frame(info.frame_rate) if frames.start else 0) + info.frame_count
    if place.frame >= last and (not info.is_video or far_beyond(place.frame, last)):
        raise MaskError(f"`mask` {prompt}: {info.path} has no frame {place.frame}")
    if place.frame >= last:
        _log.warning("`mask` %s: %s seems to end at frame %d", prompt, info.path, last - 1)


def _with_ids(cuts: Sequence[Cut], taken: set[int]) -> list[Cut]:
    taken = taken | {cut.id for cut in cuts if cut.id is not None}
    complete: list[Cut] = []
    for cut in cuts:
        if cut.id is None:
            free = max(taken, default=0) + 1
            taken.add(free)
            cut = replace(cut, id=free)
        complete.append(cut)
    return complete


def _refuse_double(prompts: MaskPrompts) -> None:
    """Refuse IDs that are given twice for one frame, as far as that can be seen already."""
    places: dict[object, list[Prompt]] = {}
    first = prompts.in_first
    for prompt in prompts.all:
        place = None if prompt in first else prompt.place
        places.setdefault(place and (place.frame, place.seconds), []).append(prompt)
    for together in places.values():
        refuse_shared(together)
    in_first = {i for prompt in first for i in prompt.ids}
    for cut in prompts.cuts:
        assert cut.id is not None
        if cut.id in in_first:
            raise MaskError(
                f"{cut.option} {cut}={cut.id}: another object has the ID {cut.id}, too; use another"
            )
        in_first.add(cut.id)
