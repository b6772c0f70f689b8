"""Folders of images as people have them, sound and broken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from clips import scene
from PIL import Image


@dataclass(frozen=True)
class Folder:
    """A folder, the numbers that its images tell, and whether they have the colors too."""

    fill: Callable[[Path], None]
    numbers: Sequence[int]
    colored: bool = True


def _save(path: Path, index: int, **options: object) -> None:
    Image.fromarray(scene(index)).save(path, **options)


def images(*names: str) -> Folder:
    def fill(folder: Path) -> None:
        for index, name in enumerate(names):
            lossy = name.lower().endswith(("jpg", "jpeg"))
            _save(folder / name, index, **({"quality": 95, "subsampling": 0} if lossy else {}))

    return Folder(fill, range(len(names)))


def _with_junk(folder: Path) -> None:
    images("0000.jpg", "0001.jpg", "0002.jpg").fill(folder)
    for name in (".DS_Store", "Thumbs.db", "._0000.jpg", "notes.txt"):
        (folder / name).write_bytes(b"\0junk")


def _turned(orientation: int) -> Folder:
    def fill(folder: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        for index in range(2):
            stored = np.rot90(scene(index), {3: 2, 6: 1, 8: 3}[orientation])
            image = Image.fromarray(np.ascontiguousarray(stored))
            name = f"{index}.{'jpg' if index else 'png'}"
            image.save(folder / name, quality=95, subsampling=0, exif=exif)

    return Folder(fill, range(2))


def _modes(folder: Path) -> None:
    gray = Image.fromarray(scene(0)).convert("L")
    gray.save(folder / "0.jpg", quality=95)
    Image.fromarray(scene(1)).convert("CMYK").save(folder / "1.jpg", quality=95)
    Image.fromarray(scene(2)).quantize(64).save(folder / "2.png")
    wide = np.asarray(Image.fromarray(scene(3)).convert("L")).astype(np.uint16) * 257
    Image.fromarray(wide).save(folder / "3.png")
    Image.fromarray(scene(4)).convert("RGBA").save(folder / "4.png")


FOLDERS: dict[str, Folder] = {
    "jpg": images(*(f"{i:05d}.jpg" for i in range(6))),
    "png_gaps": images("00000.png", "00001.png", "00005.png", "00009.png"),
    "start_100": images(*(f"f_{100 + i}.png" for i in range(4))),
    "mixed_ext": images("0000.jpg", "0001.png", "0002.JPEG", "0003.PNG"),
    "unpadded": images(*(f"{i + 1}.jpg" for i in range(12))),
    "junk": Folder(_with_junk, range(3)),
    "exif3": _turned(3),
    "exif6": _turned(6),
    "exif8": _turned(8),
    "modes": Folder(_modes, range(5), colored=False),
    "one": images("0.png"),
}


def _half_a_jpeg(folder: Path) -> None:
    images("0000.jpg", "0001.jpg", "0002.jpg").fill(folder)
    path = folder / "0001.jpg"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _other_size(folder: Path) -> None:
    images("0.png", "1.png").fill(folder)
    Image.fromarray(scene(2, 100, 50)).save(folder / "2.png")


BROKEN_FOLDERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty_dir": (lambda folder: None, "holds no images"),
    "seq_truncated_jpeg": (_half_a_jpeg, r"0001\.jpg cannot be decoded"),
    "seq_size_differs": (_other_size, r"2\.png is 100x50, expected 64x48"),
}
