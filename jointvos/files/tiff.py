"""Headers of TIFF files, and images of 16 bit, of which Pillow reads 8 and some kinds wrongly."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from PIL.ExifTags import Base as Tag
from PIL.TiffImagePlugin import ImageFileDirectory_v2

MAGIC = (b"II*\0", b"MM\0*", b"II+\0")  # the last one is BigTIFF
_UNSIGNED, _FLOAT = 1, 3
_PLANES = 2
_UNCOMPRESSED = 1
_COMPRESSIONS = (_UNCOMPRESSED, 5, 8, 32773, 32946)  # LZW, deflate, PackBits, older deflate
_COLORS = {(0, 1), (1, 1), (0, 2), (1, 2), (2, 3), (2, 4)}  # gray or RGB, with alpha or without
_ASSOCIATED = 1
# All that the codec library needs. Strict, as it should be with damage, it refuses what it does not
# know.
_NEEDED = (
    *(Tag.ImageWidth, Tag.ImageLength, Tag.BitsPerSample, Tag.Compression),
    *(Tag.PhotometricInterpretation, Tag.FillOrder, Tag.StripOffsets, Tag.SamplesPerPixel),
    *(Tag.RowsPerStrip, Tag.StripByteCounts, Tag.PlanarConfiguration, Tag.Predictor),
)


@dataclass(frozen=True)
class TiffHeader:
    """What a TIFF file says of its first image, by the numbers of tags."""

    tags: Mapping[int, Any]

    def all_of(self, tag: Tag) -> tuple[Any, ...]:
        """The values of a tag, () if it is not there."""
        value = self.tags.get(tag, ())
        return value if isinstance(value, tuple) else (value,)

    def first_of(self, tag: Tag, default: int) -> Any:
        """The first value of a tag."""
        return next(iter(self.all_of(tag)), default)

    @property
    def is_16_bit(self) -> bool:
        """Whether pixels are of 16 bit, unsigned."""
        kinds = {*self.all_of(Tag.SampleFormat)} or {_UNSIGNED}
        return {*self.all_of(Tag.BitsPerSample)} == {16} and kinds == {_UNSIGNED}

    @property
    def for_codec(self) -> bool:
        """Whether the codec library reads all 16 bits: gray or RGB in strips, without loss."""
        photometric = self.first_of(Tag.PhotometricInterpretation, -1)
        return (
            self.is_16_bit
            and (photometric, self.first_of(Tag.SamplesPerPixel, 1)) in _COLORS
            and self.first_of(Tag.Compression, _UNCOMPRESSED) in _COMPRESSIONS
            and len(self.all_of(Tag.StripOffsets)) == len(self.all_of(Tag.StripByteCounts)) > 0
        )

    @property
    def is_associated(self) -> bool:
        """Whether colors are multiplied with alpha."""
        return bool(self.first_of(Tag.ExtraSamples, 0) == _ASSOCIATED)

    def check(self) -> None:
        """Refuse what neither the codec library nor Pillow reads.

        Raises:
            ValueError: It is such an image.
        """
        if _FLOAT in self.all_of(Tag.SampleFormat):
            raise ValueError(
                "it is a floating-point TIFF, which has no agreed white; "
                "save it as OpenEXR or with 16 bit"
            )
        uncompressed = self.first_of(Tag.Compression, _UNCOMPRESSED) == _UNCOMPRESSED
        planes = self.first_of(Tag.PlanarConfiguration, 1) == _PLANES
        if self.is_16_bit and planes and uncompressed and not self.for_codec:
            raise ValueError(
                "it is an uncompressed planar TIFF of 16 bit, which is read only in strips "
                "of gray or RGB; save it interleaved"
            )


def read_tiff_header(file: IO[bytes]) -> TiffHeader:
    """Read the header of a file from its start.

    Raises:
        IMAGE_ERRORS: It is damaged.
    """
    begin = file.read(8)
    if begin[2:3] == b"+":
        begin += file.read(8)
    tags = ImageFileDirectory_v2(begin)
    file.seek(tags.next)
    tags.load(file)
    return TiffHeader(tags)


def plain_tiff(content: bytes, header: TiffHeader) -> bytes:
    """The first image of a file with nothing but what the codec library needs, and knows.

    Raises:
        ValueError: It is damaged or cut off.
    """
    try:
        return _plain(content, {tag: header.all_of(tag) for tag in _NEEDED if tag in header.tags})
    except (struct.error, TypeError) as error:
        raise ValueError("the header is damaged") from error


def _plain(content: bytes, tags: Mapping[Tag, tuple[int, ...]]) -> bytes:
    strips = zip(tags[Tag.StripOffsets], tags[Tag.StripByteCounts], strict=True)
    if max(map(sum, strips)) > len(content):
        raise ValueError("the file is not complete")
    order = "<" if content.startswith(b"II") else ">"
    entries, behind = struct.pack(f"{order}H", len(tags)), b""
    end = len(content) + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            packed, behind = struct.pack(f"{order}I", end + len(behind)), behind + packed
        entries += struct.pack(f"{order}2HI", tag, 4, len(values)) + packed
    begin = struct.pack(f"{order}2sHI", content[:2], 42, len(content))
    return begin + content[8:] + entries + bytes(4) + behind
