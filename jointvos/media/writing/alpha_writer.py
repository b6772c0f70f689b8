"""The objects alone: films and pictures with transparency."""

from pathlib import Path

import av
import numpy as np
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext

from jointvos.errors import ConfigError, EncodeError
from jointvos.files.png import write_png
from jointvos.files.staged_folder import StagedFolder
from jointvos.masks.alpha import Soft, cut_out, cut_out_16_bit, foreground
from jointvos.media.reading.containers import AV_ERRORS, reason
from jointvos.media.writing.encoder import Pixels
from jointvos.media.writing.formats import ALPHA_FORMATS, VideoFormat
from jointvos.media.writing.video_writer import VideoSink
from jointvos.types import Frame, FrameResult, VideoInfo

_TOLERANCE = 0.02
"""Mean difference of the alpha read back, 1 being opaque."""

_WHY_NOT = {
    ".mp4": "H.264 in MP4 files holds no transparency, only a separate matte",
    ".m4v": "H.264 in MP4 files holds no transparency, only a separate matte",
    ".mkv": "few programs read transparency from Matroska files",
    ".avi": "AVI files hold no transparency that editors read",
    ".gif": "GIF knows no soft edges",
    ".webp": "few editors open animated WebP",
}


class AlphaFolderSink(StagedFolder):
    """A folder with `<frame.name>.png` per frame: RGBA, straight alpha from the probabilities."""

    def _write(self, folder: Path, frame: Frame, result: FrameResult) -> None:
        write_png(folder / f"{frame.name}.png", cut_out(frame.image, foreground(result)))


class AlphaVideoSink(VideoSink):
    """A film with straight alpha: ProRes 4444 in .mov, VP9 in .webm.

    When it is complete it is read back; without the alpha that was written it does not appear.
    """

    def __init__(
        self, path: Path, info: VideoInfo, *, overwrite: bool = False, sound: bool = True
    ) -> None:
        """Check that the film can be written; see `StagedSink`.

        Args:
            path: Where the film will stand; the suffix decides on the format.
            info: The source.
            overwrite: Whether it may replace what is there.
            sound: Whether the source's sound is copied.

        Raises:
            ConfigError: That kind of file has no transparency.
            OutputError: It cannot be written there.
        """
        format = _format(path)
        super().__init__(path, info, format, overwrite=overwrite, sound=sound, subtitles=True)
        self._deep = path.suffix.lower() == ".mov"
        self._first: Soft | None = None
        self._count = 0

    @classmethod
    def check(cls, path: Path, *, overwrite: bool = False, source: Path | None = None) -> None:
        """Refuse a destination as making the sink would; see `StagedSink.check`."""
        _format(path)
        super().check(path, overwrite=overwrite, source=source)

    def _picture(self, frame: Frame, result: FrameResult) -> Pixels:
        soft = foreground(result)
        if self._first is None:
            self._first = soft
        self._count += 1
        return (cut_out_16_bit if self._deep else cut_out)(frame.image, soft)

    def _complete(self) -> None:
        super()._complete()
        assert self._first is not None
        try:
            seen, count = _read_back(self._staging)
        except AV_ERRORS as error:
            raise EncodeError(f"{self.path} cannot be read back: {reason(error)}") from error
        if count != self._count:
            raise EncodeError(f"{self.path}: {count} of {self._count} frames were read back")
        if seen is None or np.abs(seen - self._first).mean() > _TOLERANCE:
            raise EncodeError(f"{self.path} came back without its transparency; it was not kept")


def _format(path: Path) -> VideoFormat:
    suffix = path.suffix.lower()
    if suffix not in ALPHA_FORMATS:
        why = _WHY_NOT.get(suffix, f"{suffix or 'no suffix'} is no film with transparency")
        raise ConfigError(
            f"{path}: {why}; use .mov (ProRes 4444), .webm (VP9) or a folder of PNG files"
        )
    return ALPHA_FORMATS[suffix]


def _read_back(path: Path) -> tuple[Soft | None, int]:
    """Alpha of the first frame, None if there is none, and the number of frames."""
    alpha: Soft | None = None
    with av.open("file:" + str(path)) as film:
        stream = film.streams.video[0]
        decoder = stream.codec_context
        if decoder.name == "vp9":  # whose usual decoder drops the alpha
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        assert isinstance(decoder, VideoCodecContext)
        count, pictures = 0, list[VideoFrame]()
        for packet in film.demux(stream):
            if not pictures:
                pictures = decoder.decode(packet if packet.size else None)
            count += bool(packet.size)
        if pictures and any(plane.is_alpha for plane in pictures[0].format.components):
            back = pictures[0].to_ndarray(format="rgba64le")
            alpha = back[..., 3].astype(np.float32) / np.float32(65535)
    return alpha, count
