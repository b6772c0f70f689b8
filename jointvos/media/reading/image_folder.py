"""An image sequence, a folder or a pattern of names, as a stream of upright RGB frames."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from jointvos.errors import MediaDecodeError
from jointvos.files.sequences import folder_of, images_of
from jointvos.frame_range import FrameRange
from jointvos.media.reading.image_decoding import deep_reader, read_image
from jointvos.media.reading.image_facts import read_facts
from jointvos.types import Frame, VideoInfo

DEFAULT_RATE = Fraction(24)


class ImageFolderReader:
    """The images of a folder in natural order of their names (2.jpg before 10.jpg).

    OpenEXR and DPX may tell their rate, timecode and shape of pixels.

    Attributes:
        info: What is known before the images are decoded; the first one gives the size.
    """

    def __init__(
        self,
        folder: Path,
        frames: FrameRange | None = None,
        frame_rate: Fraction | None = None,
        start_number: int | None = None,
    ) -> None:
        """List the images; see `images_of`.

        Raises:
            MediaOpenError: The folder is missing, or there are no images.
            UnsupportedMediaError: Two images differ only in their suffixes.
            MediaDecodeError: The first image is damaged.
            ConfigError: No image lies in the range.
        """
        self._range = frames or FrameRange()
        self._paths = images_of(folder, start_number)
        height, width = read_image(self._paths[0]).image.shape[:2]
        facts = read_facts(self._paths[0])
        rate = frame_rate or facts.frame_rate or DEFAULT_RATE
        count = self._range.count(len(self._paths), rate)
        if count == 0:
            raise self._range.nothing_in(folder, len(self._paths))
        self.info = VideoInfo(
            path=folder_of(folder),
            width=width,
            height=height,
            frame_rate=rate,
            time_base=1 / rate,
            frame_count=count,
            sample_aspect_ratio=facts.pixel_aspect,
            is_video=False,
            timecode=facts.timecode,
            names=tuple(path.stem for path in self._paths),
        )

    def stop(self) -> None:
        """Images are never waited for."""

    def at(self, index: int) -> Frame:
        """Decode one image, counted from the first one of the folder.

        Raises:
            MediaDecodeError: It is damaged, or of another size than the first.
        """
        path = self._paths[index]
        decoded = read_image(path)
        height, width = decoded.image.shape[:2]
        if (width, height) != (self.info.width, self.info.height):
            raise MediaDecodeError(
                f"{path} is {width}x{height}, expected {self.info.width}x{self.info.height} "
                f"like {self._paths[0].name}; all images in a folder must be the same size"
            )
        return Frame(
            index=index,
            pts=index,
            time_s=float(index * self.info.time_base),
            image=decoded.image,
            name=path.stem,
            # Decoded once more where it is wanted, so that no queue holds many of them.
            deep=None if decoded.deep is None else deep_reader(path),
        )

    def __enter__(self) -> "ImageFolderReader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Nothing is kept open."""

    def __iter__(self) -> Iterator[Frame]:
        """Decode one image after the other.

        Raises:
            MediaDecodeError: An image is damaged, or of another size than the first.
        """
        for index in range(len(self._paths)):
            elapsed = index * self.info.time_base
            if self._range.ended(index, elapsed):
                break
            if not self._range.started(index, elapsed):
                continue
            yield self.at(index)
