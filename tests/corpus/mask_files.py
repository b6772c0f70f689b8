"""Masks of every kind that people bring, and files that are none."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from clips import Clip, make
from PIL import Image

from jointvos.masks import DAVIS_PALETTE

WIDTH, HEIGHT = 64, 48
IDS = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
IDS[8:20, 8:24], IDS[24:40, 8:24], IDS[10:30, 40:60] = 1, 2, 3
ONE = (IDS == 1).astype(np.uint8)
PURE = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], dtype=np.uint8)
ODD = np.array([(255, 255, 255), (200, 0, 0), (99, 99, 99), (200, 0, 0)], dtype=np.uint8)
BLACK_LAST = np.array([(0, 255, 0), (255, 0, 0), (0, 0, 255), (0, 0, 0)], dtype=np.uint8)

Writer = Callable[[Path], None]


@dataclass(frozen=True)
class Mask:
    """An image and the IDs that it stands for; so many pixels may differ."""

    save: Writer
    ids: np.ndarray
    name: str = "mask.png"
    wrong: int = 0


def picture(values: np.ndarray, mode: str | None = None, **options: object) -> Writer:
    def save(path: Path) -> None:
        image = Image.fromarray(values)
        (image.convert(mode) if mode else image).save(path, **options)

    return save


def palette(ids: np.ndarray, colors: np.ndarray = DAVIS_PALETTE, **options: object) -> Writer:
    def save(path: Path) -> None:
        image = Image.fromarray(ids.astype(np.uint8))
        image.putpalette(colors.tobytes())
        image.save(path, **options)

    return save


def gray_alpha(path: Path) -> None:
    Image.merge("LA", [Image.fromarray(ONE * 255)] * 2).save(path)


WIDE = np.array([0, 1, 300, 40000], dtype=np.uint16)[IDS]
FAR_APART = np.array([0, 7, 42, 200], dtype=np.uint8)[IDS]
MANY = (np.arange(HEIGHT)[:, None] // 4 * 16 + np.arange(WIDTH)[None] // 4 + 1).astype(np.uint8)
VOID = np.where(np.arange(HEIGHT)[:, None] < 5, 255, IDS).astype(np.uint8)
PIXEL = np.zeros_like(IDS)
PIXEL[24, 32] = 1
FALLING = np.array([0, 1, 2, 3], dtype=np.uint8)[IDS]  # red, green, blue: falling 0xRRGGBB
UNDER, OBJECTS = DAVIS_PALETTE[np.where(IDS, IDS, 5)], (IDS > 0).astype(np.uint8) * 255
CUT_OUT = np.dstack([np.full((*IDS.shape, 3), 77, dtype=np.uint8), ONE * 255])

MASKS: dict[str, Mask] = {
    "palette": Mask(palette(IDS), IDS),
    "palette_odd": Mask(palette(IDS, ODD), IDS),
    "palette_trns": Mask(palette(IDS, transparency=0), IDS),
    "palette_4bit": Mask(palette(IDS, DAVIS_PALETTE[:16], bits=4), IDS),
    "gray_255": Mask(picture(ONE * 255), ONE),
    "gray_1": Mask(picture(ONE), ONE),
    "gray_ids": Mask(picture(IDS), IDS),
    "rgb": Mask(picture(PURE[IDS]), FALLING),
    "rgb_gray": Mask(picture(np.dstack([ONE * 255] * 3)), ONE),
    "rgba": Mask(picture(CUT_OUT), ONE),
    "rgba_solid": Mask(picture(np.dstack([PURE[IDS], ONE * 0 + 255])), FALLING),
    "u16": Mask(picture(WIDE), WIDE),
    "bit1": Mask(picture(ONE * 255, "1"), ONE),
    "jpeg": Mask(picture(ONE * 255, quality=60), ONE, "mask.jpg", wrong=20),
    "full": Mask(palette(IDS * 0 + 1), IDS * 0 + 1),
    "many192": Mask(palette(MANY), MANY),
    "gaps": Mask(palette(FAR_APART), FAR_APART),
    "void": Mask(palette(VOID), VOID),
    "one_pixel": Mask(palette(PIXEL), PIXEL),
    "bmp": Mask(picture(ONE * 255), ONE, "mask.bmp"),
    "webp": Mask(picture(PURE[IDS], lossless=True), FALLING, "mask.webp"),
    "la": Mask(gray_alpha, ONE),
    "palette_void": Mask(palette(ONE * 255), ONE * 255),  # which is no object
    "white": Mask(picture(ONE * 0 + 255), ONE * 0 + 1),
    "gray_void": Mask(picture(VOID), VOID),
    "u16_narrow": Mask(picture(IDS.astype(np.uint16) * 50), IDS * 50),
    "u16_binary": Mask(picture(ONE.astype(np.uint16) * 65535), ONE),
    "davis": Mask(picture(DAVIS_PALETTE[IDS]), IDS),
    "rgb_ids": Mask(picture(np.dstack([IDS] * 3)), IDS),
    "rgba_davis": Mask(picture(np.dstack([DAVIS_PALETTE[IDS], ONE * 0 + 255])), IDS),
    "rgba_davis_on_nothing": Mask(picture(np.dstack([UNDER, OBJECTS])), IDS),
    "rgba_black": Mask(picture(np.dstack([IDS * 0] * 3 + [ONE * 200])), ONE),
    "wrong_ext": Mask(picture(ONE * 255, format="PNG"), ONE, "mask.jpg"),
}


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, depth: int, color: int, rows: bytes, more: bytes = b"") -> bytes:
    """A PNG file by hand, so that it may be wrong."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = [_chunk(b"IHDR", header), more, _chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + _chunk(b"IEND", b"")


ROWS = b"".join(b"\0" + row.tobytes() for row in IDS)
BLANK = bytes((WIDTH + 1) * HEIGHT)


def _bytes(content: bytes) -> Writer:
    return lambda path: path.write_bytes(content) and None


def _changed(change: Callable[[bytearray], bytes | bytearray]) -> Writer:
    """A good mask with something done to its bytes."""

    def save(path: Path) -> None:
        palette(IDS)(path)
        path.write_bytes(change(bytearray(path.read_bytes())))

    return save


def _flip(data: bytearray) -> bytearray:
    data[data.index(b"IDAT") + 20] ^= 255
    return data


def _text_bomb(path: Path) -> None:
    text = zlib.compress(bytes(80_000_000))
    path.write_bytes(png(WIDTH, HEIGHT, 8, 0, BLANK, _chunk(b"zTXt", b"c\0\0" + text)))


def _video(path: Path) -> None:
    path.write_bytes(make(path.parent, Clip(name="video.mp4")).read_bytes()[:5000])


BROKEN_MASKS: dict[str, tuple[Writer, str]] = {
    "jpeg_rgb": (picture(PURE[IDS], format="JPEG", quality=75), "smoothed edges or JPEG"),
    "half": (palette(IDS[::2, ::3].copy()), "is 22x24 but"),
    "aspect": (palette(IDS[:, :48].copy()), "is 48x48 but"),
    "transposed": (palette(IDS.T.copy()), "turn the mask"),
    "empty": (palette(IDS * 0), "selects nothing"),
    "palette_order": (palette(3 - IDS, BLACK_LAST), "index 3 of its palette is black"),
    "palette_clear_last": (
        palette(3 - IDS, PURE[[1, 2, 3, 0]], transparency=3),
        "index 3 of its palette is transparent",
    ),
    "palette_soft": (
        lambda path: picture(
            np.array(
                Image.fromarray(ONE * 255)
                .resize((128, 96))
                .resize((64, 48), Image.Resampling.BICUBIC)
                .rotate(9, Image.Resampling.BICUBIC)
                .quantize(32, 2)
            )
        )(path),
        "smoothed",
    ),
    "png_bomb_header": (_bytes(png(60000, 60000, 8, 0, bytes(1000))), "more than 89 million"),
    "png_bomb_real": (
        _bytes(png(20000, 20000, 1, 0, bytes(2501 * 20000))),
        "is 20000x20000 but|more than 89 million",
    ),
    "png_bomb_text": (_text_bomb, "too large|selects nothing"),
    "png_truncated": (_changed(lambda data: data[: data.index(b"IDAT") + 30]), "truncated"),
    "png_crc": (_changed(_flip), "broken"),
    "png_zero": (_bytes(b""), "not an image"),
    "png_is_mp4": (_video, "not an image"),
    "png_is_text": (_bytes(b"text" * 99), "not an image"),
}

# The IDs are intact, so they are read.
ODD_PALETTES: dict[str, bytes] = {
    "png_no_palette": png(WIDTH, HEIGHT, 8, 3, ROWS),
    "png_short_palette": png(WIDTH, HEIGHT, 8, 3, ROWS, _chunk(b"PLTE", bytes(6))),
}
