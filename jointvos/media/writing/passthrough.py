"""What a video brings along besides its images: sound, subtitles, timecode, tags, chapters."""

import logging
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import av.container
from av.stream import AttachmentStream
from av.video.stream import VideoStream

from jointvos.media.reading.containers import choose_stream, frame_rate, open_input
from jointvos.media.writing.sony import sony_timecode
from jointvos.media.writing.timecode import Timecode, tag_of
from jointvos.media.writing.track_copy import TrackCopy, stream_tags

if TYPE_CHECKING:
    from av.container.core import Chapter

_log = logging.getLogger("jointvos.media")

# Said by every container of itself, or carried over with its video.
_OF_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
_OF_THE_VIDEO = {"timecode", "reel_name"}
_WITH_FONTS = "matroska"


class Passthrough:
    """All of that on its way from a video into an output, image by image."""

    def __init__(
        self,
        source: Path,
        output: av.container.OutputContainer,
        video: VideoStream,
        *,
        start: Fraction,
        end: Fraction | None,
        shift: Fraction,
        skipped: Fraction,
        sound: bool,
        subtitles: bool,
    ) -> None:
        """Add the streams and the metadata to the output.

        Args:
            source: The video.
            output: Not yet begun.
            video: Its stream of images.
            start: Seconds in the video where the output begins.
            end: Seconds in the video where the output is likely to end.
            shift: Seconds by which the output is earlier than the video.
            skipped: Seconds of the video before the output begins.
            sound: Whether sound is copied.
            subtitles: Whether subtitles and fonts are copied.
        """
        self._tracks: list[TrackCopy] = []
        with open_input(source) as container:
            chosen = choose_stream(container, source)
            video.metadata.update(stream_tags(chosen))
            _carry_timecode(container, chosen, video, source, skipped)
            tags = container.metadata.items()
            own = _OF_THE_FILE | _OF_THE_VIDEO
            output.metadata.update({k: v for k, v in tags if k.lower() not in own})
            chapters = [
                moved
                for chapter in container.chapters()
                if (moved := _moved(chapter, start, end, shift)) is not None
            ]
            if chapters:
                output.set_chapters(chapters)
            try:
                if sound and container.streams.audio:
                    self._tracks.append(TrackCopy(source, output, "sound", start, shift))
                if subtitles and container.streams.subtitles:
                    self._tracks.append(TrackCopy(source, output, "subtitles", start, shift))
                if subtitles and output.format.name == _WITH_FONTS:
                    _copy_fonts(container, output)
            except BaseException:
                self.close()
                raise

    def copy_until(self, time_s: Fraction | float) -> None:
        """Write what begins before a time of the video."""
        for track in self._tracks:
            track.copy_until(time_s)

    def finish(self, end_s: Fraction) -> None:
        """Write the rest: up to where the images end or, if that is the video's end, all."""
        for track in self._tracks:
            track.finish(end_s)

    def close(self) -> None:
        """Let go of the video."""
        for track in self._tracks:
            track.close()


def _carry_timecode(
    container: av.container.InputContainer,
    source_video: VideoStream,
    video: VideoStream,
    source: Path,
    skipped: Fraction,
) -> None:
    """Give the output the timecode that its first frame has in the source, and the reel's name.

    The muxers of .mov and .mp4 make a track of it, that of .mkv a tag.
    """
    text = tag_of(container, source_video, "timecode")
    rate = frame_rate(source_video)
    timecode = sony_timecode(source, rate) if text is None else Timecode.parse(text, rate)
    if timecode is None and text is None:
        return
    if timecode is None:
        _log.warning(
            "%s: its timecode %s does not fit %.6g frames a second and is left out",
            *(source, text, float(rate)),
        )
        return
    video.metadata["timecode"] = str(timecode + round(skipped * rate))
    if (reel := tag_of(container, source_video, "reel_name")) is not None:
        video.metadata["reel_name"] = reel


def _moved(
    chapter: "Chapter", start: Fraction, end: Fraction | None, shift: Fraction
) -> "Chapter | None":
    """A chapter at its place in the output; None if it is not in there."""
    base = chapter["time_base"]
    if not base:
        return None
    begins, ends = chapter["start"] * base, chapter["end"] * base
    if (shift and ends <= start) or begins >= (inf if end is None else end):
        return None
    first = max(begins, start) if shift else begins
    moved = chapter.copy()
    moved["start"], moved["end"] = round((first - shift) / base), round((ends - shift) / base)
    return moved


def _copy_fonts(
    container: av.container.InputContainer, output: av.container.OutputContainer
) -> None:
    for stream in container.streams.attachments:
        assert isinstance(stream, AttachmentStream)
        if stream.name and stream.mimetype and stream.data:
            output.add_attachment(stream.name, stream.mimetype, stream.data)
