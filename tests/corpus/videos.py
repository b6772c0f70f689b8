"""Videos of every kind that people bring, sound and broken; each is made when it is asked for.

Every frame tells its number by its image (`clips.scene`), so that a test sees which frames come
out, in which order and which way up.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from clips import Clip, make, scene
from PIL import Image

from jointvos.errors import MediaDecodeError, MediaError, MediaOpenError, UnsupportedMediaError

Maker = Callable[[Path], Path]


@dataclass(frozen=True)
class Video:
    """A video and what must be read from it.

    `error` is how far a color may be off, None where nothing is promised.
    """

    make: Maker
    numbers: Sequence[int] = range(6)
    size: tuple[int, int] = (64, 48)
    error: float | None = 8
    times: Sequence[float] | None = None
    facts: tuple[tuple[str, object], ...] = ()
    warning: str | None = None


def film(
    *,
    numbers: Sequence[int] | None = None,
    error: float | None = 8,
    times: Sequence[float] | None = None,
    facts: dict[str, object] | None = None,
    warning: str | None = None,
    **changes: Any,
) -> Video:
    """A video that `clips.make` can make."""
    changes.setdefault("frames", 6)
    clip = Clip(**changes)
    if numbers is None:
        numbers = range(clip.first, clip.first + clip.frames)
    about = tuple((facts or {}).items())
    return Video(
        lambda folder: make(folder, clip), numbers, clip.size, error, times, about, warning
    )


# ---- videos that take more than one step


def elementary(folder: Path, frames: int = 6, size: tuple[int, int] = (64, 48), first: int = 0):
    """H.264 without a container, without times."""
    name = f"{first}.h264"
    return make(folder, Clip(name=name, format="h264", frames=frames, size=size, first=first))


def change_of_size(folder: Path) -> Path:
    """A transport stream whose images become smaller."""
    parts = [elementary(folder, 4), elementary(folder, 4, (32, 24), first=4)]
    whole = folder / "whole.h264"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    return copied(whole, folder / "smaller.ts", step=3750)


def edit_list(folder: Path, rate: int = 24) -> Path:
    """An MP4 file that hides its first two frames."""
    path = make(folder, Clip(frames=6, rate=Fraction(rate)))
    with av.open(str(path)) as source:
        shift = round(2 / rate / source.streams.video[0].time_base)
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    return copied(path, folder / "edited.mp4", shift=shift, options=options)


def copied(
    source: Path,
    target: Path,
    *,
    shift: int = 0,
    step: int | None = None,
    times: Sequence[int] | None = None,
    tag: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """The packets of a video in another container, earlier by `shift` or `step` ticks apart.

    Or at these `times`, in milliseconds, or under another `tag` of the codec.
    """
    with av.open(str(source)) as read, av.open(str(target), "w", options=options or {}) as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        if tag is not None:
            stream.codec_context.codec_tag = tag
        count = 0
        for packet in read.demux(video=0):
            if not packet.size:
                continue
            if step is not None:
                packet.pts = packet.dts = count * step
                packet.time_base = Fraction(1, 90000)
            elif times is not None:
                packet.pts = packet.dts = times[count]
                packet.time_base, packet.duration = Fraction(1, 1000), 33
            else:
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = stream
            write.mux(packet)
            count += 1
    return target


def two_films(folder: Path, cover: bool = False) -> Path:
    """A smaller video, or an image larger than the video, before the one that is the default."""
    path = folder / "two.mkv"
    with av.open(str(path), "w") as output:
        sizes = [(96, 96), (64, 48)] if cover else [(32, 24), (64, 48)]
        films = []
        for size in sizes:
            codec = "mjpeg" if cover and not films else "libx264"
            stream = output.add_stream(codec, rate=24)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            films.append(stream)
        films[0].disposition = av.stream.Disposition(0)
        films[1].disposition = av.stream.Disposition.default
        for index in range(6):
            for number, stream in enumerate(films):
                if cover and number == 0 and index:
                    continue
                image = scene(index + 32 * (1 - number), stream.width, stream.height)
                frame = av.VideoFrame.from_ndarray(image).reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = index, Fraction(1, 24)
                output.mux(stream.encode(frame))
        for stream in films:
            output.mux(stream.encode(None))
    return path


def unknown_beside(folder: Path) -> Path:
    """A video beside one of a kind that nothing decodes."""
    path = two_films(folder, cover=True)
    path.write_bytes(path.read_bytes().replace(b"V_MJPEG", b"V_NEVER"))
    return path


SAME_TIMES = (0, 33, 33, 66, 66, 66, 400)


def same_times(folder: Path) -> Path:
    """A recording of a screen, where frames that came together have one time."""
    path = make(folder, Clip(frames=7, options={**FAST, "bf": "0"}))
    return copied(path, folder / "screen.mkv", times=SAME_TIMES)


def with_depth(folder: Path) -> Path:
    """A video of a phone with a track of how far away things are; all tracks are enabled."""
    path = folder / "cinematic.mov"
    with av.open(str(path), "w") as output:
        depth, film = (output.add_stream("libx265", rate=30, options=X265) for _ in range(2))
        depth.width, depth.height, depth.pix_fmt = 32, 24, "gray"
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        depth.disposition = film.disposition = av.stream.Disposition.default
        for index in range(6):
            for stream, number in ((depth, 63 - index), (film, index)):
                frame = av.VideoFrame.from_ndarray(scene(number, stream.width, stream.height))
                frame = frame.reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = index, Fraction(1, 30)
                output.mux(stream.encode(frame))
        for stream in (depth, film):
            output.mux(stream.encode(None))
    return path


def own_colors(folder: Path) -> Path:
    """Dolby Vision of profile 5, by its name; what it holds is ordinary."""
    clip = Clip(frames=6, codec="libx265", pixels="yuv420p10le", options=X265)
    return copied(make(folder, clip), folder / "dolby.mp4", tag="dvh1")


def camera_that_died(folder: Path) -> Path:
    """An AVI file whose header was never filled in, and without index."""
    path = make(folder, Clip(name="clip.avi", frames=6, codec="mjpeg", pixels="yuvj420p"))
    content = bytearray(path.read_bytes()[: path.read_bytes().rindex(b"idx1")])
    frames, length = content.index(b"avih") + 8 + 16, content.index(b"strh") + 8 + 32
    content[frames : frames + 4] = content[length : length + 4] = bytes(4)
    path.write_bytes(content)
    return path


def without_duration(folder: Path) -> Path:
    """An MP4 file in which all durations are 0 or unknown."""
    path = make(folder, Clip(frames=6))
    content = bytearray(path.read_bytes())
    for box, at, value in (
        (b"mvhd", 20, b"\xff" * 4),
        (b"tkhd", 24, bytes(4)),
        (b"mdhd", 20, bytes(4)),
    ):
        place = content.index(box) + at
        content[place : place + 4] = value
    path.write_bytes(content)
    return path


def animation(folder: Path, name: str, count: int) -> Path:
    """GIF or APNG."""
    images = [Image.fromarray(scene(i)) for i in range(count)]
    if name.endswith("gif"):
        images = [p.quantize(64, dither=Image.Dither.NONE) for p in images]
        more: dict[str, Any] = {"duration": [100, 50, 0, 30, 100, 200], "loop": 0}
    else:
        images = [p.convert("RGBA") for p in images]
        more = {"duration": 100}
    images[0].save(folder / name, save_all=True, append_images=images[1:], **more)
    return folder / name


def named(name: str | bytes) -> Video:
    """A video with a difficult name."""

    def renamed(folder: Path) -> Path:
        path = folder / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        return make(folder, Clip(frames=2)).rename(path)

    return Video(renamed, range(2))


def linked(folder: Path) -> Path:
    make(folder, Clip(frames=2))
    (folder / "link.mp4").symlink_to("clip.mp4")
    return folder / "link.mp4"


def read_only(folder: Path) -> Path:
    inner = folder / "inner"
    inner.mkdir()
    path = make(inner, Clip(frames=2))
    inner.chmod(0o555)
    return path


def interlaced(folder: Path) -> Path:
    options = {"flags": "+ildct+ilme", "top": "1", "b": "5M"}
    clip = Clip(name="i.ts", codec="mpeg2video", rate=Fraction(25), frames=6, options=options)
    return make(folder, clip)


IRREGULAR = [0, 100, 3003, 3103, 9000, 90000]
FAST = {"preset": "ultrafast", "crf": "8"}
# With B frames, x265 gives videos of one or two frames random decoding times.
X265 = {"preset": "ultrafast", "crf": "4", "x265-params": "log-level=none:bframes=0"}
VP9 = {"cpu-used": "8", "deadline": "realtime", "b": "2M"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
FULL_444 = {"crf": "4", "preset": "ultrafast"}


def color(matrix: str, full: bool, pixels: str = "yuv444p", **more: Any) -> Video:
    codec = "libx265" if "10" in pixels else "libx264"
    options = X265 if "10" in pixels else FULL_444
    given: dict[str, Any] = {"error": 3, **more}
    return film(
        frames=2,
        matrix=matrix,
        full_range=full,
        pixels=pixels,
        codec=codec,
        options=options,
        **given,
    )


VIDEOS: dict[str, Video] = {
    # containers and codecs
    "h264_mp4": film(),
    "h264_faststart": film(muxing={"movflags": "faststart"}),
    "h264_fragmented": film(muxing=FRAGMENTED, options={**FAST, "g": "3"}),
    "h264_mov": film(name="clip.mov"),
    "h264_mkv": film(name="clip.mkv"),
    "live_mkv": film(name="clip.mkv", format="matroska", pipe=True),
    "h264_ts": film(name="clip.ts"),
    "nut": film(name="clip.nut"),
    "mpeg2_ps": film(name="clip.mpg", codec="mpeg2video", rate=Fraction(25), options={"b": "4M"}),
    "flv1_flv": film(name="clip.flv", codec="flv", options={"b": "3M"}, error=12),
    "mpeg4_avi": film(name="clip.avi", codec="mpeg4", options={"b": "4M"}, error=12),
    "mjpeg_avi": film(name="clip.avi", codec="mjpeg", pixels="yuvj420p", error=12),
    "vp8_webm": film(name="clip.webm", codec="libvpx", options=VP9),
    "vp9_webm": film(
        name="clip.webm",
        codec="libvpx-vp9",
        options={"b": "2M", "cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "16"},
        frames=20,
    ),
    "av1_mp4": film(codec="libsvtav1", size=(96, 64), options={"preset": "12", "crf": "10"}),
    "hevc_mp4": film(codec="libx265", options=X265),
    "ffv1_mkv": film(name="clip.mkv", codec="ffv1", pixels="yuv444p", error=3),
    "y4m": film(name="clip.y4m", codec="wrapped_avframe"),
    "raw_h264": Video(elementary),
    # sizes and lengths
    "odd_vp9": film(name="clip.webm", codec="libvpx-vp9", size=(53, 39), options=VP9, error=12),
    "odd_h264_444": film(size=(53, 39), pixels="yuv444p"),
    "odd_mjpeg": film(name="clip.avi", codec="mjpeg", size=(53, 39), pixels="yuvj420p", error=12),
    "one_frame": film(frames=1),
    "two_frames": film(frames=2),
    "long_300": film(
        frames=300, numbers=[i % 64 for i in range(300)], options={**FAST, "bf": "2", "g": "100"}
    ),
    "tiny_16": film(
        name="clip.mkv", codec="ffv1", size=(16, 16), pixels="bgra", alpha=True, frames=4, error=3
    ),
    "wide_1024x32": film(size=(1024, 32)),
    "uhd_one": film(size=(3840, 2160), frames=1, options={"preset": "ultrafast", "crf": "24"}),
    # time
    "vfr_mp4": film(
        pts=IRREGULAR, time_base=Fraction(1, 90000), times=[t / 90000 for t in IRREGULAR]
    ),
    "vfr_mkv": film(
        name="clip.mkv",
        pts=[3 * t for t in IRREGULAR],
        time_base=Fraction(1, 90000),
        times=[round(t / 30) / 1000 for t in IRREGULAR],
    ),
    "start_10s_mkv": film(
        name="clip.mkv", pts=range(240, 246), times=[10 + round(i / 0.024) / 1000 for i in range(6)]
    ),
    "pts_wrap_ts": film(
        name="clip.ts",
        pts=[(1 << 33) - 90000 * 2 + i * 3750 for i in range(20)],
        time_base=Fraction(1, 90000),
        frames=20,
        options={**FAST, "g": "6"},
    ),
    "fps_ntsc": film(rate=Fraction(30000, 1001), facts={"frame_rate": Fraction(30000, 1001)}),
    "fps_1": film(rate=Fraction(1), times=range(6), facts={"frame_rate": Fraction(1)}),
    "fps_1000": film(rate=Fraction(1000), facts={"frame_rate": Fraction(1000)}),
    "bframes": film(
        frames=30,
        options={
            "preset": "fast",
            "crf": "8",
            "x264-params": "bframes=5:b-pyramid=normal:b-adapt=0:keyint=30",
        },
    ),
    "open_gop": film(
        frames=32,
        options={
            "preset": "fast",
            "crf": "8",
            "x264-params": "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0",
        },
    ),
    "edit_list": Video(edit_list, range(2, 6)),
    "edit_list_240": Video(lambda folder: edit_list(folder, 240), range(2, 6)),
    "same_times": Video(same_times, range(7), times=[0, 0.033, 0.034, 0.066, 0.067, 0.068, 0.4]),
    "no_duration_webm": film(
        name="clip.webm", codec="libvpx", options=VP9, pipe=True, format="webm", error=12
    ),
    "no_duration_mp4": Video(without_duration),
    "no_duration_avi": Video(camera_that_died, error=12),
    "fragments": film(muxing={"movflags": "empty_moov+frag_keyframe+default_base_moof"}),
    # geometry
    "rot90": film(turn=90),
    "rot180": film(turn=180),
    "rot270": film(turn=270),
    "rot90_mov": film(turn=90, name="clip.mov", size=(48, 64)),
    "hflip": film(mirror=True),
    "sar_4_3": film(aspect=Fraction(4, 3), facts={"sample_aspect_ratio": Fraction(4, 3)}),
    # depth, chroma, color
    "hevc10": film(codec="libx265", pixels="yuv420p10le", matrix="709", options=X265),
    "h264_high10": film(pixels="yuv420p10le", matrix="709"),
    "h264_422": film(pixels="yuv422p"),
    "h264_444": film(pixels="yuv444p"),
    "h264_gray": film(pixels="gray", error=None),
    "h264_gbrp": film(codec="libx264rgb", pixels="rgb24", options=FAST, error=4),
    "col_bt601_limited": color("601", False),
    "col_bt601_full": color("601", True),
    "col_bt709_limited": color("709", False),
    "col_bt709_full": color("709", True),
    "col_bt709_420": color("709", False, "yuv420p"),
    "col_full10": color("709", True, "yuv444p10le"),
    "col_bt2020": color("2020", False, "yuv444p10le"),
    "col_pq": color("hdr", False, "yuv420p10le", error=None, warning="HDR (PQ)"),
    "col_hlg_rot90": film(
        codec="libx265",
        pixels="yuv420p10le",
        matrix="hlg",
        turn=90,
        size=(96, 64),  # x265 ends the process at 48 x 64
        options=X265,
        error=None,
        warning="HDR (HLG)",
    ),
    "col_dolby": Video(own_colors, warning="Dolby Vision without a base layer"),
    "col_untagged_hd": film(size=(1280, 720), frames=1, error=None),
    "interlaced": Video(interlaced, error=12, warning="is interlaced"),
    # alpha
    "alpha_vp9": film(
        name="clip.webm",
        codec="libvpx-vp9",
        pixels="yuva420p",
        alpha=True,
        options={**VP9, "auto-alt-ref": "0"},
    ),
    "alpha_prores": film(
        name="clip.mov",
        codec="prores_ks",
        pixels="yuva444p10le",
        alpha=True,
        options={"profile": "4444"},
    ),
    "alpha_qtrle": film(name="clip.mov", codec="qtrle", pixels="argb", alpha=True, error=2),
    "alpha_png_mov": film(name="clip.mov", codec="png", pixels="rgba", alpha=True, error=2),
    "apng": Video(lambda folder: animation(folder, "clip.png", 6), error=2),
    "gif": Video(lambda folder: animation(folder, "clip.gif", 6), error=16),
    # streams
    "audio_subs": film(name="clip.mkv", sound_s=1.25, texts=True, facts={"has_audio": True}),
    "cover_first": Video(
        lambda folder: two_films(folder, cover=True), warning="reading the one of 64x48, not 96x96"
    ),
    "cover_attached": film(cover=True),
    "two_video": Video(two_films, warning="reading the one of 64x48, not 32x24"),
    "unknown_beside": Video(unknown_beside),
    "depth_track": Video(with_depth, error=12, warning="reading the one of 64x48, not 32x24"),
    # names
    "name_unicode": named("sp ace 漢字 é 🎬.mp4"),
    "name_dash": named("-dash.mp4"),
    "name_colon": named("a:b.mp4"),
    "name_percent": named("100%03d.mp4"),
    "name_glob": named("x[1]*?.mp4"),
    "name_quote": named('it\'s "q".mp4'),
    "name_newline": named("new\nline.mp4"),
    "name_upper": named("CLIP.MP4"),
    "name_noext": named("clip_without_suffix"),
    "name_wrongext": named("mp4_inside.avi"),
    "name_http": named("http:x.mp4"),
    "name_bytes": named(b"byte_\xff.mp4"),
    "symlink": Video(linked, range(2)),
    "readonly_dir": Video(read_only, range(2)),
    "res_change": Video(change_of_size, range(8), warning="scaled to 64x48"),
}


# ---- broken videos


def _bytes(content: bytes, name: str = "broken.mp4") -> Maker:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _cut(share: float, **changes: Any) -> Maker:
    """A video of which only the first part is there."""

    def cut(folder: Path) -> Path:
        path = make(folder, Clip(frames=24, **changes))
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        return path

    return cut


def _cut_gif(folder: Path) -> Path:
    path = animation(folder, "clip.gif", 6)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    return path


def _flipped(start: bytes, end: bytes | None, count: int) -> Maker:
    """A video with wrong bits behind one mark and before another."""

    def flip(folder: Path) -> Path:
        path = make(folder, Clip(frames=24, muxing={"movflags": "faststart"}))
        data = bytearray(path.read_bytes())
        first = data.index(start) + 8
        last = len(data) if end is None else data.index(end) - 8
        rng = np.random.default_rng(7)
        for place in rng.integers(first, last, count):
            data[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        return path

    return flip


def _no_content(folder: Path) -> Path:
    path = make(folder, Clip(muxing={"movflags": "faststart"}))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4])
    return path


def _blank(folder: Path) -> Path:
    """Headers around zeros."""
    path = make(folder, Clip())
    data = path.read_bytes()
    start, end = data.index(b"mdat") + 4, data.rindex(b"moov") - 4
    path.write_bytes(data[:start] + bytes(end - start) + data[end:])
    return path


def _sound_only(folder: Path) -> Path:
    path = make(folder, Clip(sound_s=0.5))
    target = folder / "sound.mp4"
    with av.open(str(path)) as read, av.open(str(target), "w") as write:
        stream = write.add_stream_from_template(read.streams.audio[0])
        for packet in read.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                write.mux(packet)
    return target


def _huge_gif(folder: Path) -> Path:
    path = animation(folder, "huge.gif", 2)
    data = bytearray(path.read_bytes())
    data[6:10] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    return path


def _script(text: str, name: str = "broken.mp4") -> Maker:
    """A playlist or script that names a video beside it."""

    def write(folder: Path) -> Path:
        clip = make(folder, Clip(name="clip.ts"))
        (folder / name).write_text(text.format(path=clip))
        return folder / name

    return write


def _directory(folder: Path) -> Path:
    (folder / "dir.mp4").mkdir()
    (folder / "dir.mp4" / "x").write_text("x")
    return folder / "dir.mp4"


def _image(folder: Path) -> Path:
    Image.fromarray(np.zeros((48, 64, 3), dtype=np.uint8)).save(folder / "frame_0001.png")
    return folder / "frame_0001.png"


def _link_to(target: str) -> Maker:
    def link(folder: Path) -> Path:
        (folder / "link.mp4").symlink_to(target)
        return folder / "link.mp4"

    return link


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\n{}\n#EXT-X-ENDLIST\n"
DEAD = HLS.format("http://127.0.0.1:9/canary.ts")
HTML = b"<!DOCTYPE html><html><body>Too many users have viewed this file recently.</body></html>"
HUGE = b"YUV4MPEG2 W65000 H65000 F24:1 Ip A1:1 C420\nFRAME\n" + bytes(4096)
ENDS_EARLY = r"read \d+ of .* frames, then"

BROKEN: dict[str, tuple[Maker, type[MediaError], str]] = {
    "trunc_no_moov": (_cut(0.6), MediaOpenError, "not a video"),
    "trunc_mid_mp4": (_cut(0.6, muxing={"movflags": "faststart"}), MediaDecodeError, "of about 24"),
    "trunc_mid_mkv": (_cut(0.6, name="clip.mkv"), MediaDecodeError, "of about 24"),
    "trunc_live_mkv": (
        _cut(0.6, name="clip.mkv", format="matroska", pipe=True),
        MediaDecodeError,
        "an unknown number",
    ),
    "trunc_ts": (_cut(0.6004, name="clip.ts"), MediaDecodeError, ENDS_EARLY),
    "trunc_y4m": (
        _cut(0.6, name="clip.y4m", codec="wrapped_avframe"),
        MediaDecodeError,
        "read 14 of",
    ),
    "trunc_fragmented": (
        _cut(0.6, muxing=FRAGMENTED, options={**FAST, "g": "3"}),
        MediaDecodeError,
        ENDS_EARLY,
    ),
    "trunc_gif": (_cut_gif, MediaDecodeError, ENDS_EARLY),
    "trunc_avi": (
        _cut(0.95, name="clip.avi", codec="mpeg4", options={"b": "4M"}),
        MediaDecodeError,
        ENDS_EARLY,
    ),
    "bitflip_data": (_flipped(b"mdat", None, 40), MediaDecodeError, ENDS_EARLY),
    "bitflip_index": (_flipped(b"moov", b"mdat", 60), MediaError, "clip.mp4"),
    "zero_byte": (_bytes(b""), MediaOpenError, "not a video"),
    "text_mp4": (_bytes(b"This is not a video.\n" * 50), MediaOpenError, "not a video"),
    "html_mp4": (_bytes(HTML), MediaOpenError, "not a video"),
    "random_bytes": (_bytes(np.random.default_rng(3).bytes(65536)), MediaOpenError, "a video"),
    "header_only": (_no_content, MediaDecodeError, "read 0 of"),
    "blank": (_blank, MediaDecodeError, "clip.mp4"),
    "audio_only": (_sound_only, UnsupportedMediaError, "no video stream"),
    "bomb_y4m": (_bytes(HUGE, "huge.y4m"), MediaError, "huge.y4m"),
    "bomb_gif": (_huge_gif, MediaError, "huge.gif"),
    "hls_ssrf": (_bytes(DEAD.encode()), MediaOpenError, "not a video"),
    "hls_ssrf_m3u8": (_bytes(DEAD.encode(), "list.m3u8"), MediaOpenError, "playlists"),
    "hls_local": (_script(HLS.format("file://{path}"), "l.m3u8"), MediaOpenError, "playlists"),
    "concat_lfi": (_script("ffconcat version 1.0\nfile {path}\n"), MediaOpenError, "playlists"),
    "concat_sibling": (
        _script("ffconcat version 1.0\nfile clip.ts\n"),
        MediaOpenError,
        "playlists",
    ),
    "image": (_image, UnsupportedMediaError, "for a sequence give its folder"),
    "sound_wav": (
        _bytes(b"RIFF" + (36).to_bytes(4, "little") + b"WAVEfmt " + bytes(28), "a.wav"),
        UnsupportedMediaError,
        "has no video stream; it holds audio",
    ),
    "sound_flac": (_bytes(b"fLaC" + bytes(60), "a.flac"), MediaError, "it holds audio"),
    "missing": (lambda folder: folder / "missing.mp4", MediaOpenError, "No such file"),
    "directory": (_directory, MediaOpenError, "no images"),
    "dangling": (_link_to("nowhere.mp4"), MediaOpenError, "No such file"),
    "symlink_loop": (_link_to("link.mp4"), MediaOpenError, "symbolic links"),
}

# ---- videos on stdin: which of the videos above, and how many bytes of it arrive

STREAMS = ("live_mkv", "h264_ts", "nut", "y4m", "h264_fragmented", "h264_faststart", "gif")
CUT_STREAMS = ("live_mkv", "h264_mkv", "h264_ts", "nut", "y4m", "h264_fragmented", "gif")


def pieces(data: bytes, size: int = 5000) -> Iterator[bytes]:
    """As a pipe may bring them."""
    return (data[start : start + size] for start in range(0, len(data), size))
