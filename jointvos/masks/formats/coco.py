"""COCO JSON and its relatives; polygons and run lengths, compressed or not.

Instances, results, COCO-VID, YouTube-VIS of one video, SA-1B, and lists of what Segment Anything's
generator of masks returns.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jointvos.errors import MaskReadError
from jointvos.masks.formats.entry import Entry, Shape
from jointvos.masks.formats.polygon import fill_polygon
from jointvos.masks.id_change import LARGEST_ID
from jointvos.masks.rle import decoded_rle


def is_coco(content: object) -> bool:
    if isinstance(content, dict):
        return "annotations" in content or _is_rle(content)
    return isinstance(content, list) and all(
        isinstance(each, dict) and ("segmentation" in each or _is_rle(each)) for each in content
    )


def read_coco(content: Any, path: Path) -> list[Entry]:
    """An entry per image that has objects.

    Raises:
        BROKEN: The file is damaged.
        MaskReadError: Annotations are for an image that is not listed.
    """
    if isinstance(content, list) or _is_rle(content):
        content = _of_results(content if isinstance(content, list) else [content])
    elif "videos" in content and "images" not in content:
        content = _of_video(content, path)
    elif "image" in content and "images" not in content:
        content = _of_one(content)
    images = {each["id"]: each for each in content["images"]}
    names = {each["id"]: str(each["name"]) for each in content.get("categories") or ()}
    of_image = defaultdict(list)
    for each in content["annotations"]:
        if each["image_id"] not in images:
            raise MaskReadError(
                f"{path}: annotation {each.get('id')} is for the image {each['image_id']}, which "
                "is not in its list of images"
            )
        of_image[each["image_id"]].append(each)
    numbered = all(
        isinstance(track, int) and 0 < track <= LARGEST_ID
        for track in map(_track, content["annotations"])
    )
    return [
        _entry(images[image], annotations, names, numbered)
        for image, annotations in of_image.items()
    ]


def _entry(image: Any, annotations: Any, names: dict[int, str], numbered: bool) -> Entry:
    size = (int(image["width"]), int(image["height"]))

    def read() -> list[Shape]:
        return [
            _shape(each, i, size, names, numbered) for i, each in enumerate(annotations, start=1)
        ]

    name = str(image.get("file_name") or "")
    frame = image.get("frame_id")
    return Entry(size, read, name, image["id"], frame if isinstance(frame, int) else None)


def _shape(
    annotation: Any, place: int, size: tuple[int, int], names: dict[int, str], numbered: bool
) -> Shape:
    """One annotation, the `place`-th of its image."""
    category, track = annotation.get("category_id"), _track(annotation)
    name = names.get(category, "" if category is None else f"category {category}")
    mask = _mask(annotation, size)
    if numbered:
        return Shape(mask, name, id=track)
    if track is not None:
        return Shape(mask, name, key=f"track {track}")
    return Shape(mask, name, id=None if name else place)


def _track(annotation: Any) -> int | None:
    """The number that an object has in all images."""
    for holder in (annotation, annotation.get("attributes") or {}):
        for key in ("track_id", "instance_id"):
            if holder.get(key) is not None:
                return int(holder[key])
    return None


def _mask(annotation: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    segmentation = annotation.get("segmentation")
    if not segmentation:
        where = f"annotation {annotation.get('id', '')} has no segmentation"
        if box := annotation.get("bbox"):
            x, y, width, height = (round(float(side)) for side in box)
            where += f", only a box; give it as `boxes=['{x},{y},{width},{height}']`"
        raise ValueError(where)
    if isinstance(segmentation, dict):
        height, width = segmentation["size"]
        if (width, height) != size:
            raise ValueError(
                f"run lengths are for {width}x{height}, the image is {size[0]}x{size[1]}"
            )
        return decoded_rle(segmentation)
    mask = np.zeros(size[::-1], dtype=np.bool_)
    for part in segmentation:
        if not isinstance(part, list) or len(part) % 2:
            raise ValueError("a segmentation is neither run lengths nor lists of x, y, x, y, ...")
        mask |= fill_polygon(np.reshape(part, (-1, 2)), size)
    return mask


def _is_rle(content: object) -> bool:
    return isinstance(content, dict) and "counts" in content and "size" in content


def _of_results(results: list[Any]) -> dict[str, Any]:
    """A list of annotations, or of run lengths, as a file with a list of images."""
    annotations, images = [], {}
    for each in results:
        each = {"segmentation": each} if _is_rle(each) else each
        image = each.get("image_id", 0)
        segmentation = each["segmentation"]
        if not isinstance(segmentation, dict):
            raise ValueError("it has no list of images, and polygons do not give the image size")
        height, width = segmentation["size"]
        images[image] = {"id": image, "width": width, "height": height}
        annotations.append({**each, "image_id": image})
    return {"images": list(images.values()), "annotations": annotations}


def _of_one(content: Any) -> dict[str, Any]:
    """SA-1B: one image with its annotations, as a file with a list of images."""
    image = {**content["image"], "id": content["image"]["image_id"]}
    annotations = [{**each, "image_id": image["id"]} for each in content["annotations"]]
    return {"images": [image], "annotations": annotations}


def _of_video(content: Any, path: Path) -> dict[str, Any]:
    """YouTube-VIS: annotations with a list of masks over all frames, as one per image."""
    if len(content["videos"]) != 1:
        raise MaskReadError(f"{path} is of {len(content['videos'])} videos, expected one")
    (video,) = content["videos"]
    names = video["file_names"]
    images = [
        {"id": i, "file_name": name, "width": video["width"], "height": video["height"]}
        for i, name in enumerate(names)
    ]
    for image, frame in zip(images, video.get("frame_ids", ()), strict=False):
        image["frame_id"] = frame
    annotations = []
    for number, each in enumerate(content["annotations"], start=1):
        if len(each["segmentations"]) != len(names):
            raise ValueError(
                f"annotation {each.get('id')} has {len(each['segmentations'])} masks, "
                f"expected {len(names)}"
            )
        about = {"category_id": each.get("category_id"), "track_id": each.get("track_id", number)}
        annotations += [
            {**about, "id": each.get("id"), "image_id": i, "segmentation": mask}
            for i, mask in enumerate(each["segmentations"])
            if mask
        ]
    return {**content, "images": images, "annotations": annotations}
