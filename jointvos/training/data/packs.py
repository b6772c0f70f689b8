"""Training images, read once from tars or folders and kept in memory.

Layouts, each as a `.tar` or as the same folder unpacked:

* `ROOT/SET/NAME.webp` with `NAME.png` beside it. Roots called `stills*` or `photos*` hold sets of
  stills (but for the sets in `VIDEO_SETS`); under any other root every set is one sequence.
* DAVIS: `JPEGImages/480p/SEQUENCE/NAME.jpg` and `Annotations/480p/SEQUENCE/NAME.png`.
"""

import io
import os
import tarfile
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from jointvos.errors import DatasetError, DatasetNotFound, SequenceIncomplete
from jointvos.types import Image

Labels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
"""Ids per pixel, [H,W], exactly as stored; 0 is background or void."""

VIDEO_SETS = frozenset({"pumavos_chair"})
IMAGES = frozenset({".webp", ".jpg", ".jpeg"})
LABEL_MODES = frozenset({"1", "L", "P", "I;16"})


@dataclass(frozen=True)
class VideoClip:
    """One annotated sequence: RGB uint8 [H,W,3] and labels [H,W] per frame."""

    name: str
    images: tuple[Image, ...]
    labels: tuple[Labels, ...]


@dataclass(frozen=True)
class Still:
    """One photograph with its label map; `source` is the set it comes from."""

    name: str
    source: str
    image: Image
    labels: Labels


@dataclass(frozen=True)
class Pack:
    """What one or several files held, in the order of their names."""

    videos: tuple[VideoClip, ...]
    stills: tuple[Still, ...]


@dataclass(frozen=True)
class _Pair:
    """An image and its label map, still encoded; a path is read when it is decoded."""

    name: str
    picture: bytes | Path
    labels: bytes | Path


def load_packs(paths: Iterable[Path | str]) -> Pack:
    """Everything in several packs.

    Raises:
        DatasetNotFound: One of them is missing.
        DatasetError: One of them is damaged or of another layout.
    """
    packs = [load_pack(path) for path in paths]
    return Pack(
        videos=tuple(clip for pack in packs for clip in pack.videos),
        stills=tuple(still for pack in packs for still in pack.stills),
    )


def load_pack(path: Path | str) -> Pack:
    """Decode all images of a tar or a folder.

    Raises:
        DatasetNotFound: There is no such file or folder.
        DatasetError: It is no tar, holds no pairs or a damaged image.
        SequenceIncomplete: An image has no label map.
    """
    path = Path(path)
    if path.is_dir():
        files: dict[PurePosixPath, bytes | Path] = {
            PurePosixPath(path.resolve().name, *file.relative_to(path).parts): file
            for file in path.rglob("*")
            if file.is_file()
        }
    elif path.is_file():
        files = _read_tar(path)
    else:
        raise DatasetNotFound(f"{path}: no such training pack; expected a .tar file or a folder")
    groups = _pairs(path, files)
    videos, stills = [], []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (root, name), pairs in sorted(groups.items()):
            decoded = list(pool.map(_decode, pairs))
            if name not in VIDEO_SETS and root.startswith(("stills", "photos")):
                stills += [
                    Still(name=pair.name, source=name, image=image, labels=labels)
                    for pair, (image, labels) in zip(pairs, decoded, strict=True)
                ]
            else:
                images, maps = zip(*decoded, strict=True)
                videos.append(VideoClip(name=name, images=images, labels=maps))
    return Pack(videos=tuple(videos), stills=tuple(stills))


def _read_tar(path: Path) -> dict[PurePosixPath, bytes | Path]:
    files: dict[PurePosixPath, bytes | Path] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and (stream := archive.extractfile(member)) is not None:
                    files[PurePosixPath(member.name)] = stream.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DatasetError(f"{path}: not a readable tar ({error}); get the pack again") from error
    return files


def _pairs(
    path: Path, files: dict[PurePosixPath, bytes | Path]
) -> dict[tuple[str, str], list[_Pair]]:
    """The pairs of every set, by (root, set)."""
    groups: dict[tuple[str, str], list[_Pair]] = defaultdict(list)
    for member, picture in sorted(files.items()):
        if member.suffix.lower() not in IMAGES or len(member.parts) < 3:
            continue
        root, group = member.parts[-3:-1]
        mate = member.with_suffix(".png")
        if "JPEGImages" in member.parts:
            if root != "480p":
                continue
            mate = PurePosixPath(
                *("Annotations" if part == "JPEGImages" else part for part in mate.parts)
            )
        if mate not in files:
            raise SequenceIncomplete(
                f"{path}: {member} has no label map; expected {mate}, add it or remove the image"
            )
        groups[root, group].append(_Pair(str(member.with_suffix("")), picture, files[mate]))
    if not groups:
        raise DatasetError(
            f"{path}: no training images; expected SET/NAME.webp with SET/NAME.png,"
            " or JPEGImages/480p and Annotations/480p"
        )
    return groups


def _decode(pair: _Pair) -> tuple[Image, Labels]:
    picture, labels = (
        source.read_bytes() if isinstance(source, Path) else source
        for source in (pair.picture, pair.labels)
    )
    bgr = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) if picture else None
    if bgr is None:
        raise DatasetError(f"{pair.name}: the image is damaged; get the pack again")
    try:
        with PILImage.open(io.BytesIO(labels)) as opened:
            mode = opened.mode
            stored = np.asarray(opened)
    except OSError as error:
        raise DatasetError(f"{pair.name}: the label map is damaged ({error})") from error
    if mode not in LABEL_MODES:
        raise DatasetError(
            f"{pair.name}: the label map is of mode {mode}; expected IDs per pixel"
            f" ({', '.join(sorted(LABEL_MODES))})"
        )
    ids: Labels = stored.astype(np.uint16) if mode == "I;16" else stored.astype(np.uint8)
    image = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    if image.shape[:2] != ids.shape:
        raise DatasetError(
            f"{pair.name}: the image is {image.shape[1]}x{image.shape[0]}"
            f" but its label map {ids.shape[1]}x{ids.shape[0]}"
        )
    return image, ids
