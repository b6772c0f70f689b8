"""Small videos, made where they are needed: every frame tells its index by its image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np

from jointvos.media.writing.scheduling import scheduling_kept


def scene(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Red left half, blue right half; on top six bars, the bits of the index in black and white."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[:, : width // 2] = (200, 40, 40)
    image[:, width // 2 :] = (40, 40, 200)
    for bit in range(6):
        bar = slice(bit * width // 6, (bit + 1) * width // 6)
        image[: height // 3, bar] = 255 * (index >> bit & 1)
    return image


def index_of(image: np.ndarray) -> int:
    """The index that `scene` has drawn."""
    height, width = image.shape[:2]
    row = image[: height // 4].mean(axis=(0, 2))
    return sum(int(row[(2 * bit + 1) * width // 12] > 127) << bit for bit in range(6))


def encode(
    path: Path,
    images: Iterable[np.ndarray],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    turn: int = 0,
    **options: str,
) -> Path:
    """These images, RGB, as a video with 25 frames a second."""
    first, *rest = images
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *first.shape[:2], pixels
        if turn:
            stream.set_display_rotation(turn)
        for image in (first, *rest):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def decoded(video: Path | BytesIO, pixels: str = "rgb24") -> list[np.ndarray]:
    """All images of a video."""
    with av.open(video if isinstance(video, BytesIO) else str(video)) as container:
        return [image.to_ndarray(format=pixels) for image in container.decode(video=0)]


TAGS = {"601": (6, 6, 6), "709": (1, 1, 1), "2020": (9, 9, 14), "hdr": (9, 9, 16)}
TAGS["hlg"] = (9, 9, 18)
_LUMA = {"601": (0.299, 0.114), "709": (0.2126, 0.0722)}  # of red and blue
_LUMA["2020"] = _LUMA["hdr"] = _LUMA["hlg"] = (0.2627, 0.0593)


def coded(image: np.ndarray, pixels: str, matrix: str, full_range: bool) -> av.VideoFrame:
    """A frame in YUV by the definition, not by the codec library; 8 or 10 bit, 4:4:4 or 4:2:0."""
    red, blue = _LUMA[matrix]
    rgb = image / 255.0
    luma = rgb @ [red, 1 - red - blue, blue]
    chroma = [(rgb[..., 2] - luma) / (2 - 2 * blue), (rgb[..., 0] - luma) / (2 - 2 * red)]
    if "420" in pixels:
        halves = [c.reshape(c.shape[0] // 2, 2, c.shape[1] // 2, 2) for c in chroma]
        chroma = [half.mean(axis=(1, 3)) for half in halves]
    top, unit = (1023, 4) if "10" in pixels else (255, 1)
    if full_range:
        planes = [luma * top, *(c * top + 128 * unit for c in chroma)]
    else:
        planes = [(16 + 219 * luma) * unit, *((128 + 224 * c) * unit for c in chroma)]
    frame = av.VideoFrame(image.shape[1], image.shape[0], pixels)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.rint(values).clip(0, top).astype(np.uint16 if unit > 1 else np.uint8)
        rows = np.ascontiguousarray(rows).view(np.uint8)
        padded = np.zeros((plane.height, plane.line_size), dtype=np.uint8)
        padded[:, : rows.shape[1]] = rows
        plane.update(padded.tobytes())
    frame.colorspace, frame.color_range = TAGS[matrix][0], 2 if full_range else 1
    return frame


@dataclass
class Clip:
    """How to make a video; the defaults are an ordinary one."""

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
    options: dict[str, str] | None = None
    first: int = 0
    matrix: str | None = None
    full_range: bool = False
    format: str | None = None
    muxing: dict[str, str] | None = None
    pipe: bool = False
    alpha: bool = False
    texts: bool = False


class Pipe:
    """A file that cannot be gone back in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(b"")

    def write(self, data: bytes) -> int:
        with self.path.open("ab") as file:
            return file.write(data)


@scheduling_kept()  # SVT-AV1 would have the tests run as a real-time process
def make(folder: Path, clip: Clip) -> Path:
    path = folder / clip.name
    width, height = clip.size
    options = clip.options
    if options is None:
        options = {"crf": "5", "preset": "ultrafast"} if clip.codec == "libx264" else {}
    target = Pipe(path) if clip.pipe else str(path)
    with av.open(target, "w", format=clip.format, options=clip.muxing or {}) as output:
        video = output.add_stream(clip.codec, rate=clip.rate, options=options)
        video.width, video.height = (height, width) if clip.turn % 180 else (width, height)
        video.pix_fmt = clip.pixels
        video.codec_context.thread_count = 1
        video.codec_context.time_base = clip.time_base or 1 / clip.rate
        if clip.tags is not None:
            context = video.codec_context
            context.colorspace, context.color_primaries, context.color_trc = clip.tags
        if clip.matrix is not None:
            context = video.codec_context
            context.colorspace, context.color_primaries, context.color_trc = TAGS[clip.matrix]
            context.color_range = 2 if clip.full_range else 1
        if clip.aspect is not None:
            video.codec_context.sample_aspect_ratio = clip.aspect
        if clip.turn or clip.mirror:
            video.set_display_rotation(clip.turn, hflip=clip.mirror)
        if clip.cover:
            cover = output.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 128, 128, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
        sound = (
            output.add_stream(clip.sound_codec, rate=48000, layout="mono") if clip.sound_s else None
        )
        if clip.texts:
            text = output.add_mux_stream("subrip")
        for index in range(clip.frames):
            image = scene(clip.first + index, width, height)
            if clip.mirror:
                image = image[:, ::-1]
            image = np.ascontiguousarray(np.rot90(image, -clip.turn // 90))
            if clip.alpha:
                image = np.dstack([image, np.full(image.shape[:2], 255, dtype=np.uint8)])
                frame = av.VideoFrame.from_ndarray(image, format="rgba")
            elif clip.matrix is not None:
                frame = coded(image, clip.pixels, clip.matrix, clip.full_range)
            else:
                frame = av.VideoFrame.from_ndarray(image)
            frame.pts = index if clip.pts is None else clip.pts[index]
            frame.time_base = clip.time_base or 1 / clip.rate
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if clip.cover:
            frame = av.VideoFrame.from_ndarray(np.full((128, 128, 3), 255, dtype=np.uint8))
            output.mux(cover.encode(frame.reformat(format="yuvj420p")))
            output.mux(cover.encode(None))
        if clip.texts:
            packet = av.Packet(b"a line of text")
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts = packet.dts = 0
            packet.duration = 300
            output.mux(packet)
        if sound is not None:
            for start in range(0, int(48000 * clip.sound_s), 1024):
                wave = np.sin(np.arange(start, start + 1024) * 0.05).astype(np.float32)[None]
                tone = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
                tone.sample_rate, tone.pts, tone.time_base = 48000, start, Fraction(1, 48000)
                output.mux(sound.encode(tone))
            output.mux(sound.encode(None))
    return path
