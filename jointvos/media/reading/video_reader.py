"""A video file as a stream of upright RGB frames; damage is never passed over."""

import logging
import threading
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

from av import VideoFrame
from av.codec.context import ThreadType
from av.packet import Packet
from av.video.stream import VideoStream

from jointvos.errors import MediaDecodeError, MediaOpenError, reason
from jointvos.files.orientation import Orientation
from jointvos.frame_range import FrameRange, far_beyond
from jointvos.media.reading.clock import Clock
from jointvos.media.reading.completeness import file_cut_short
from jointvos.media.reading.containers import (
    AV_ERRORS,
    choose_stream,
    doubts_about,
    frame_rate,
    open_input,
    open_stream,
    stream_duration,
)
from jointvos.media.reading.frame_pixels import FramePixels
from jointvos.media.reading.hwaccel import find_hwaccel
from jointvos.media.reading.streams import ByteStream
from jointvos.types import Frame, VideoInfo

_log = logging.getLogger("jointvos.media")

_BEGINS_ANYWHERE = ("mpegts", "mpeg")


class VideoReader:
    """Frames of a video file in display order, with the times of the file.

    Attributes:
        info: What is known before the frames are read; the first one is decoded for it.
    """

    def __init__(
        self,
        path: Path,
        frames: FrameRange | None = None,
        stream: ByteStream | None = None,
        *,
        deep: bool = False,
        threads: bool = True,
        hwaccel: str | None = None,
    ) -> None:
        """Open the file and decode its first frame.

        Args:
            path: The file, or what to call the stream.
            frames: The part that is wanted.
            stream: What to read instead of a file; it can be read only once, and is closed at last.
            deep: Whether frames carry `Frame.deep` where there are more than 8 bits, which takes
                memory; HDR stays HDR only with it.
            threads: Whether the decoder has threads of its own, which the first frame alone is not
                worth.
            hwaccel: What decodes instead of the CPU, if it can, see `find_hwaccel`.

        Raises:
            MediaOpenError: The file is missing, unreadable or no video.
            UnsupportedMediaError: It holds no video stream, or one without a decoder.
            MediaDecodeError: Not even the first frame can be decoded.
            ConfigError: The range begins far behind the last frame, or `hwaccel` is unknown.
            DeviceUnavailable: There is no such device as `hwaccel` says.
        """
        self._path = path
        self._stream = stream
        self._name = str(path) if stream is None else stream.name
        self._range = frames or FrameRange()
        self._used, self._deep, self._threads = False, deep, threads
        self._decoding = threading.Lock()
        try:
            self._hwaccel = None if hwaccel is None else find_hwaccel(hwaccel)
            self._open()
        except BaseException:
            if stream is not None:
                stream.close()
            raise
        self.info = self._describe()
        self._refuse_late_start()
        for doubt in doubts_about(self._container, self._video, self._first):
            _log.warning("%s %s", self._name, doubt)
        if self._hwaccel is not None and not self._video.codec_context.is_hwaccel:
            codec = self._video.codec_context.name
            _log.warning("%s: %s is not decoded by %s but by the CPU", self._name, codec, hwaccel)
        if self._pixels.hdr is not None and not deep:
            _log.warning(
                "%s is HDR (%s) and is shown as SDR; overlays with `encoder='h265'` or "
                "`encoder='prores'` (without `background`) and `alpha='FILE.mov'` keep it",
                *(self._name, self._pixels.hdr.upper()),
            )

    @property
    def first(self) -> VideoFrame:
        """The first image as it is stored, which tells how all are shown."""
        return self._first

    @property
    def orientation(self) -> Orientation:
        """How the images of the file are turned to stand upright."""
        return self._pixels.orientation

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, unless another thread is still waiting for its next frame."""
        if self._decoding.acquire(timeout=5):
            try:
                self._container.close()
                if self._stream is not None:
                    self._stream.close()
            finally:
                self._decoding.release()

    def stop(self) -> None:
        """Let a thread that waits for the next frame of a stream wait no longer."""
        if self._stream is not None:
            self._stream.stop()

    def __iter__(self) -> Iterator[Frame]:
        """Decode; the file is opened anew from the second time on.

        Raises:
            MediaOpenError: A stream is read a second time.
            MediaDecodeError: After the good frames, if the file is damaged or ends early.
            ConfigError: No frame lies in the range.
        """
        if self._used:
            if self._stream is not None:
                raise MediaOpenError(f"{self._name} is a stream, which can be read only once")
            self.close()
            self._open()
        self._used = True
        width, height = self._first.width, self._first.height
        pixels = self._pixels
        clock = Clock(self.info.time_base, self.info.frame_rate)
        rescaled, nothing = False, True
        for index, picture in enumerate(chain([self._first], self._pictures)):
            pts = clock.tick(picture.pts)
            if self._range.ended(index, clock.elapsed):
                break
            if not self._range.started(index, clock.elapsed):
                continue
            if not rescaled and (picture.width, picture.height) != (width, height):
                rescaled = True
                _log.warning(
                    "%s: frame %d is %dx%d; it and later ones are scaled to %dx%d like the first",
                    *(self._name, index, picture.width, picture.height, width, height),
                )
            try:
                image = pixels.image(picture)
            except AV_ERRORS as error:
                raise self._damaged(index, reason(error)) from error
            nothing = False
            yield Frame(
                index=index,
                pts=pts,
                time_s=float(pts * self.info.time_base),
                image=image,
                name=f"{index:05d}",
                deep=pixels.deep(picture) if self._deep else None,
            )
        if nothing:
            ended = self._range.ended(index, clock.elapsed)
            raise self._range.nothing_in(self._path, None if ended else index + 1)

    def _open(self) -> None:
        if self._stream is None:
            self._container = open_input(self._path, self._hwaccel)
        else:
            self._container = open_stream(self._stream, self._hwaccel)
        self._video = choose_stream(self._container, self._path)
        # With threads per slice, PyAV's default, is_corrupt would never be set. NVDEC has images
        # for few threads, and needs none.
        many = self._threads and not self._video.codec_context.is_hwaccel
        self._video.thread_type = ThreadType.AUTO if many else ThreadType.NONE
        self._rate = frame_rate(self._video)
        self._time_base = self._video.time_base or 1 / self._rate
        self._first_s = 0.0
        self._cut_short = False
        self._pictures = self._decode()
        self._first = next(self._pictures)
        self._first_s = float((self._first.pts or 0) * self._time_base)
        self._pixels = FramePixels(self._first)

    def _decode(self) -> Iterator[VideoFrame]:
        """Images as long as they are good; raises behind them if there should be more."""
        clock = Clock(self._time_base, self._rate)
        pictures = self._raw_pictures()
        count = 0
        while True:
            try:
                with self._decoding:
                    picture = next(pictures, None)
            except AV_ERRORS as error:
                self._check_stream()
                raise self._damaged(count, reason(error)) from error
            if picture is None:
                break
            if picture.is_corrupt:
                raise self._damaged(count, f"frame {count} is damaged")
            clock.tick(picture.pts)
            count += 1
            yield picture
        self._check_stream()
        if count == 0 or self._too_short(clock):
            raise self._damaged(count, "the file ends early")

    def _check_stream(self) -> None:
        if self._stream is not None:
            self._stream.check()

    def _raw_pictures(self) -> Iterator[VideoFrame]:
        """What the decoder makes of the packets, but for a last one that is not complete."""
        waiting: Packet[VideoStream] | None = None
        for packet in self._container.demux(self._video):
            last = not packet.size  # empty, it tells the decoder to give what it holds back
            if last and waiting is not None and waiting.is_corrupt:
                self._cut_short, waiting = True, None
            if waiting is not None:
                yield from waiting.decode()
            waiting = packet
        if waiting is not None:
            yield from waiting.decode()

    def _bytes_end_early(self) -> bool:
        if self._stream is not None:
            return self._stream.cut_short
        try:
            return self._path.is_file() and file_cut_short(self._path)
        except OSError as error:
            raise MediaDecodeError(f"{self._name}: {reason(error)}") from error

    def _too_short(self, clock: Clock) -> bool:
        """Whether there should be more behind the last frame."""
        if self._cut_short or self._bytes_end_early():
            return True
        expected = stream_duration(self._container, self._video, self._first_s)
        if expected is None:
            return False
        frame_s = 1 / float(self._video.average_rate or self._rate)
        return float(clock.elapsed) + frame_s < expected - max(2 * frame_s, 0.1)

    def _damaged(self, count: int, why: str) -> MediaDecodeError:
        expected = self._expected_count()
        total = "an unknown number of" if expected is None else f"about {expected}"
        hint = self._stream.hint() if self._stream is not None and count == 0 else ""
        return MediaDecodeError(
            f"{self._name}: read {count} of {total} frames, then {why}; "
            f"the file is truncated or damaged{hint}"
        )

    def _expected_count(self) -> int | None:
        """The container's own count, unless an edit list hides frames from view."""
        duration = stream_duration(self._container, self._video, self._first_s)
        rate = self._video.average_rate or self._rate
        counts = [self._video.frames, round(duration * float(rate)) if duration else 0]
        return min((count for count in counts if count > 0), default=None)

    def _refuse_late_start(self) -> None:
        """See at once what else would be seen behind the last frame only."""
        start, count = self._range.start, self._expected_count()
        if start is None or count is None:
            return
        if start.frame is not None:
            late = far_beyond(start.frame, count)
        else:
            duration = stream_duration(self._container, self._video, self._first_s)
            late = duration is not None and (start.seconds or 0) > 1.1 * duration + 1
        if late:
            self.close()
            raise self._range.nothing_in(self._path, count)

    def _describe(self) -> VideoInfo:
        width, height = self._first.width, self._first.height
        aspect = self._video.sample_aspect_ratio or Fraction(1)
        if self._pixels.orientation.swaps_sides:
            width, height, aspect = height, width, 1 / aspect
        return VideoInfo(
            path=self._path,
            width=width,
            height=height,
            frame_rate=self._rate,
            time_base=self._time_base,
            frame_count=self._range.count(self._expected_count(), self._rate),
            sample_aspect_ratio=aspect,
            has_audio=bool(self._container.streams.audio),
            color_tags=self._pixels.color_tags,
            first_pts=self._first.pts or 0,
            begins_anywhere=self._container.format.name in _BEGINS_ANYWHERE,
            hdr=self._pixels.hdr if self._deep else None,
            mastering=self._pixels.mastering if self._deep and self._pixels.hdr else None,
        )
