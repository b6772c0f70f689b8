"""Small films, made where they are needed: every frame tells its index by its picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def scene(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Red left half, blue right half; on top six bars, the bits of the index in black and white."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[:, : width // 2] = (200, 40, 40)
    picture[:, width // 2 :] = (40, 40, 200)
    for bit in range(6):
        bar = slice(bit * width // 6, (bit + 1) * width // 6)
        picture[: height // 3, bar] = 255 * (index >> bit & 1)
    return picture


def index_of(picture: np.ndarray) -> int:
    """The index that `scene` has drawn."""
    height, width = picture.shape[:2]
    row = picture[: height // 4].mean(axis=(0, 2))
    return sum(int(row[(2 * bit + 1) * width // 12] > 127) << bit for bit in range(6))


@dataclass
class Clip:
    """How to make a film; the defaults are an ordinary one."""

    name: str = "clip.mp4"
    frames: int = 12
    size: tuple[int, int] = (64, 48)
    rate: Fraction = Fraction(24)
    pixels: str = "yuv420p"
    codec: str = "libx264"
    pts: Sequence[int] | None = None
    time_base: Fraction | None = None
    aspect: Fraction | None = None
    turn: int = 0
    mirror: bool = False
    sound_s: float = 0.0
    sound_codec: str = "aac"
    cover: bool = False
    tags: tuple[int, int, int] | None = None
    options: dict[str, str] = field(default_factory=lambda: {"crf": "5", "preset": "ultrafast"})


def make(folder: Path, clip: Clip) -> Path:
    path = folder / clip.name
    width, height = clip.size
    options = clip.options if clip.codec == "libx264" else {}
    with av.open(str(path), "w") as output:
        film = output.add_stream(clip.codec, rate=clip.rate, options=options)
        film.width, film.height = (height, width) if clip.turn % 180 else (width, height)
        film.pix_fmt = clip.pixels
        film.codec_context.thread_count = 1
        film.codec_context.time_base = clip.time_base or 1 / clip.rate
        if clip.tags is not None:
            context = film.codec_context
            context.colorspace, context.color_primaries, context.color_trc = clip.tags
        if clip.aspect is not None:
            film.codec_context.sample_aspect_ratio = clip.aspect
        if clip.turn or clip.mirror:
            film.set_display_rotation(clip.turn, hflip=clip.mirror)
        if clip.cover:
            cover = output.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 128, 128, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
        sound = (
            output.add_stream(clip.sound_codec, rate=48000, layout="mono") if clip.sound_s else None
        )
        for index in range(clip.frames):
            picture = scene(index, width, height)
            if clip.mirror:
                picture = picture[:, ::-1]
            picture = np.ascontiguousarray(np.rot90(picture, -clip.turn // 90))
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = index if clip.pts is None else clip.pts[index]
            frame.time_base = clip.time_base or 1 / clip.rate
            output.mux(film.encode(frame))
        output.mux(film.encode(None))
        if clip.cover:
            frame = av.VideoFrame.from_ndarray(np.full((128, 128, 3), 255, dtype=np.uint8))
            output.mux(cover.encode(frame.reformat(format="yuvj420p")))
            output.mux(cover.encode(None))
        if sound is not None:
            for start in range(0, int(48000 * clip.sound_s), 1024):
                wave = np.sin(np.arange(start, start + 1024) * 0.05).astype(np.float32)[None]
                tone = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
                tone.sample_rate, tone.pts, tone.time_base = 48000, start, Fraction(1, 48000)
                output.mux(sound.encode(tone))
            output.mux(sound.encode(None))
    return path
