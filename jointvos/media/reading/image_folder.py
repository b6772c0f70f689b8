"""A folder of pictures as a stream of upright RGB frames."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from jointvos.errors import MediaDecodeError
from jointvos.files.images import IMAGE_ERRORS, image_reason, images_in, open_image, upright
from jointvos.frame_range import FrameRange
from jointvos.types import Frame, Image, VideoInfo

DEFAULT_RATE = Fraction(24)


class ImageFolderReader:
    """The pictures of a folder in natural order of their names (2.jpg before 10.jpg).

    Attributes:
        info: What is known before the pictures are decoded; the first one gives the size.
    """

    def __init__(
        self,
        folder: Path,
        frames: FrameRange | None = None,
        frame_rate: Fraction | None = None,
    ) -> None:
        """List the folder.

        Raises:
            MediaOpenError: The folder is missing or holds no pictures.
            UnsupportedMediaError: Two pictures differ only in their suffixes.
            MediaDecodeError: The first picture is damaged.
            ConfigError: No picture lies in the range.
        """
        self._range = frames or FrameRange()
        self._paths = images_in(folder)
        rate = frame_rate or DEFAULT_RATE
        count = self._range.count(len(self._paths), rate)
        if count == 0:
            raise self._range.nothing_in(folder, len(self._paths))
        height, width = _read(self._paths[0]).shape[:2]
        self.info = VideoInfo(
            path=folder,
            width=width,
            height=height,
            frame_rate=rate,
            time_base=1 / rate,
            frame_count=count,
            is_video=False,
        )

    def stop(self) -> None:
        """Pictures are never waited for."""

    @property
    def names(self) -> list[str]:
        """Stems of all pictures, those out of the range included."""
        return [path.stem for path in self._paths]

    def at(self, index: int) -> Frame:
        """Decode one picture, counted from the first one of the folder.

        Raises:
            MediaDecodeError: It is damaged, or of another size than the first.
        """
        path = self._paths[index]
        image = _read(path)
        height, width = image.shape[:2]
        if (width, height) != (self.info.width, self.info.height):
            raise MediaDecodeError(
                f"{path} is {width}x{height}, expected {self.info.width}x{self.info.height} "
                f"like {self._paths[0].name}; all pictures of a folder need one size"
            )
        elapsed = float(index * self.info.time_base)
        return Frame(index=index, pts=index, time_s=elapsed, image=image, name=path.stem)

    def __enter__(self) -> "ImageFolderReader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Nothing is kept open."""

    def __iter__(self) -> Iterator[Frame]:
        """Decode one picture after the other.

        Raises:
            MediaDecodeError: A picture is damaged, or of another size than the first.
        """
        for index in range(len(self._paths)):
            elapsed = index * self.info.time_base
            if self._range.ended(index, elapsed):
                break
            if not self._range.started(index, elapsed):
                continue
            yield self.at(index)


def _read(path: Path) -> Image:
    try:
        with open_image(path) as picture:
            return _to_rgb(upright(picture))
    except IMAGE_ERRORS as error:
        raise MediaDecodeError(f"{path} cannot be decoded: {image_reason(error)}") from error


def _to_rgb(picture: PillowImage.Image) -> Image:
    """RGB, uint8 [H,W,3]; alpha is dropped as in videos, 16 bits are scaled to 8."""
    if picture.mode.startswith("I"):
        grey = np.clip(np.rint(np.asarray(picture) / 257), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.mode == "F":
        raise ValueError("pictures of floating-point values have no agreed white; use 8 or 16 bit")
    return np.array(picture.convert("RGB"))
