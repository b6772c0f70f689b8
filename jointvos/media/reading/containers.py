"""Opening videos safely; the one place that knows what the codec library raises."""

import os
import re
import stat
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error
from av import VideoFrame
from av.codec.hwaccel import HWAccel
from av.stream import Disposition
from av.video.stream import VideoStream

from jointvos.errors import MediaError, MediaOpenError, UnsupportedMediaError, reason
from jointvos.files.close_names import did_you_mean
from jointvos.files.images import IMAGE_ERRORS, open_image, page_count
from jointvos.files.sequences import SUFFIXES, pattern_of
from jointvos.media.reading.streams import ByteStream

# Codec threads and Python logging can wait for each other for ever on damaged input, so nothing
# in jointvos may call av.logging.set_level with a number.

AV_ERRORS = (av.FFmpegError, OSError, ValueError, IndexError, EOFError, MemoryError)
"""Whatever PyAV raises for input that is damaged or strange."""

MAX_PIXELS = 100_000_000
"""Larger images are taken for a decompression bomb."""

# Playlists and scripts (HLS, DASH, ffconcat, SDP) can name other files and hosts; they are left
# out, whatever the suffix of the file that holds them.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,gif,apng,"
    "yuv4mpegpipe,nut,h264,hevc,obu,ivf,ogg,asf,mxf"
)
_SOUND = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1")  # MP3, FLAC, AAC
_ADVICE = dict.fromkeys(
    (".zip", ".rar", ".7z", ".tar"), "unpack it and give the folder of images"
) | dict.fromkeys((".braw", ".r3d", ".ari", ".arx", ".crm", ".dng"), "export it as ProRes or EXR")
"""What to do about kinds of files that are not read, by suffix."""
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file,pipe"}


def open_input(path: Path, hwaccel: HWAccel | None = None) -> av.container.InputContainer:
    """Open a file and nothing but that file.

    Args:
        path: The file.
        hwaccel: What decodes it, if that can.

    Raises:
        MediaOpenError: It is missing, a folder, unreadable, or no video.
        UnsupportedMediaError: No decoder for it is built in.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise MediaOpenError(f"{path}: {reason(error)}", hint=_meant(path, error)) from None
    if stat.S_ISDIR(mode):
        raise MediaOpenError(f"{path} is a folder, expected a video file")
    if _is_still(path):
        raise UnsupportedMediaError(f"{path} {_said_of_image(path)}")
    try:
        # With "file:" before it, a name such as "a:b.mp4" is no protocol.
        return _open("file:" + os.fspath(path), hwaccel)
    except AV_ERRORS as error:
        if kind := _kind_of(path):
            raise UnsupportedMediaError(f"{path} {kind}") from error
        raise open_error(path, error) from error


def _meant(path: Path, error: OSError) -> str:
    """The video or folder that a name was probably meant to be."""
    if not isinstance(error, FileNotFoundError):
        return ""
    return did_you_mean(path, lambda other: other.suffix.lower() not in SUFFIXES)


def _kind_of(path: Path) -> str | None:
    """What a file is that is no video, if it is something that people take for one."""
    image = path.suffix.lower() in SUFFIXES
    with suppress(*IMAGE_ERRORS), open_image(path) as picture:
        image = picture.format != "GIF"  # that would be a video, so it is damaged
        if image and (count := page_count(picture)) > 1:
            return f"holds {count} images; save them as files of a folder and give that"
    if image:
        return _said_of_image(path)
    if advice := _ADVICE.get(path.suffix.lower()):
        return f"is not read; {advice}"
    with suppress(OSError), path.open("rb") as file:
        head = file.read(12)
        if head.startswith(_SOUND) or (head[:4], head[8:]) == (b"RIFF", b"WAVE"):
            return "has no video stream; it holds audio"
    return None


def _is_still(path: Path) -> bool:
    """Whether a file is HEIC or AVIF; of those the library would show a tile as a short video."""
    with suppress(OSError), path.open("rb") as file:
        return (
            re.fullmatch(rb"....ftyp(heic|heix|heim|heis|mif1|avif)", file.read(12), re.S)
            is not None
        )
    return False


def _said_of_image(path: Path) -> str:
    folder, pattern = path.parent, pattern_of(path)
    like = f" or a pattern, '{pattern}'" if pattern is not None else ""
    return f"is an image, no video; for a sequence give its folder, {folder}{like}"


def open_stream(stream: ByteStream, hwaccel: HWAccel | None = None) -> av.container.InputContainer:
    """Open a video that arrives byte by byte, and nothing else.

    Args:
        stream: The bytes.
        hwaccel: What decodes it, if that can.

    Raises:
        MediaError: The stream failed.
        MediaOpenError: It is no video, or one that can only be read from a file.
        UnsupportedMediaError: No decoder for it is built in.
    """
    try:
        return _open(stream, hwaccel)
    except AV_ERRORS as error:
        stream.check()
        refusal = open_error(stream.name, error)
        raise type(refusal)(f"{refusal}{stream.hint()}") from error


def _open(place: str | ByteStream, hwaccel: HWAccel | None) -> av.container.InputContainer:
    return av.open(place, "r", options=_OPTIONS, metadata_errors="replace", hwaccel=hwaccel)


def open_error(path: Path | str, error: BaseException) -> MediaError:
    """The error for a video that could not be opened."""
    if isinstance(error, av.error.DecoderNotFoundError | av.error.PatchWelcomeError):
        return UnsupportedMediaError(f"{path}: no built-in decoder for this kind of video")
    if isinstance(error, av.error.InvalidDataError):
        return MediaOpenError(f"{path}: not a video, or too damaged to read")
    if isinstance(error, av.error.ArgumentError):  # what is not among _FORMATS
        return MediaOpenError(f"{path}: not a supported kind of video (playlists are not read)")
    return MediaOpenError(f"{path}: cannot be opened as a video ({reason(error)})")


def choose_stream(container: av.container.InputContainer, path: Path) -> VideoStream:
    """The video stream to read: no cover image; the default one, then the largest.

    Raises:
        UnsupportedMediaError: There is none, or its images are too large.
    """
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not videos:
        kinds = sorted({stream.type for stream in container.streams})
        raise UnsupportedMediaError(
            f"{path} has no video stream; it holds {', '.join(kinds) or 'no stream at all'}"
        )
    # The codec context is None when the library knows no decoder or the index is damaged.
    videos = [stream for stream in videos if stream.codec_context is not None]
    if not videos:
        raise UnsupportedMediaError(f"{path}: no built-in decoder for this kind of video")
    video = max(
        videos, key=lambda s: (bool(s.disposition & Disposition.default), s.width * s.height)
    )
    if video.width * video.height > MAX_PIXELS:
        raise UnsupportedMediaError(
            f"{path} claims to be {video.width}x{video.height}, "
            f"expected at most {MAX_PIXELS} pixels"
        )
    return video


def doubts_about(
    container: av.container.InputContainer, video: VideoStream, first: VideoFrame
) -> list[str]:
    """What may not be meant so in the stream that was chosen, in words for the name of the file."""
    doubts = []
    others = [
        f"{other.width}x{other.height}"
        for other in container.streams.video
        if other.index != video.index
        and other.codec_context is not None  # it cannot be read, so nobody means it
        and not other.disposition & Disposition.attached_pic
    ]
    if others:
        doubts.append(
            f"has more than one video stream; reading the one of {video.width}x{video.height}, "
            f"not {', '.join(others)}"
        )
    # In MP4 these names say that there is no base layer in usual colors (profile 5, AV1: 10.0).
    if video.codec_context.codec_tag in ("dvh1", "dvhe", "dva1", "dvav", "dav1"):
        doubts.append(
            "is Dolby Vision without a base layer in usual colors, so its colors look wrong; "
            "convert it to HDR10 or SDR first"
        )
    if first.interlaced_frame:
        doubts.append(
            "is interlaced, and both fields of a frame are taken as one image; if moving edges "
            "look like combs, deinterlace it first: ffmpeg -i INPUT -vf bwdif=send_frame OUTPUT"
        )
    return doubts


def stream_duration(
    container: av.container.InputContainer, video: VideoStream, first_s: float
) -> float | None:
    """Seconds that the video should last by its container's index, None when that says nothing.

    The container's own duration is no help when there is sound, which may be longer.
    """
    alone = container.duration / av.time_base if container.duration else None
    if len(container.streams) > 1:
        alone = None
    if container.format.name in ("mpegts", "mpeg"):  # guessed from the end of the file
        return None
    if "matroska" in container.format.name:  # says when streams end, not how long they are
        end = _seconds(video.metadata.get("DURATION", "")) or alone
        return None if end is None else end - first_s
    if video.duration and video.time_base:
        return float(video.duration * video.time_base)
    return alone


def _seconds(text: str) -> float | None:
    """Seconds of "00:00:02.500000000"."""
    try:
        hours, minutes, seconds = (float(part) for part in text.split(":"))
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds


def frame_rate(video: VideoStream) -> Fraction:
    """Nominal frames per second: the container's guess unless the mean contradicts it."""
    mean, guess = video.average_rate, video.guessed_rate
    rates = [rate for rate in (guess, mean) if rate is not None and 0 < rate <= 1000]
    if len(rates) == 2 and abs(rates[0] - rates[1]) > rates[1] / 10:
        return Fraction(rates[1])
    return Fraction(rates[0]) if rates else Fraction(25)
