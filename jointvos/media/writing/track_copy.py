"""Copying the sound or the subtitles of a video, as they are coded, into another one."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from math import inf
from pathlib import Path
from typing import Literal

import av
import av.container
from av.packet import Packet
from av.stream import Stream

from jointvos.errors import MediaError, reason
from jointvos.media.reading.containers import (
    AV_ERRORS,
    choose_stream,
    open_input,
    stream_duration,
)

_log = logging.getLogger("jointvos.media")

# Containers without times before 0, which would delay the images instead, and the sound for which
# they have them.
_FROM_ZERO = {"matroska": ("opus",), "webm": ("opus",), "nut": ()}


class TrackCopy:
    """All streams of a kind on their way from a video into an output, image by image."""

    def __init__(
        self,
        source: Path,
        output: av.container.OutputContainer,
        kind: Literal["sound", "subtitles"],
        start: Fraction,
        shift: Fraction,
    ) -> None:
        """Open the video and add its streams of that kind to the output.

        Args:
            source: The video.
            output: Not yet begun.
            kind: Which streams.
            start: Seconds in the video from which they are wanted.
            shift: Seconds by which the output is earlier than the video.
        """
        self._source, self._kind = source, kind
        self._output = output
        self._start, self._shift = start, shift
        self._early = _FROM_ZERO.get(output.format.name)
        self._container = open_input(source)
        self._streams: dict[int, Stream] = {}
        streams = self._container.streams
        for stream in streams.audio if kind == "sound" else streams.subtitles:
            if _fits(stream, output.format.name):
                copy = output.add_stream_from_template(stream)
                copy.metadata.update(stream_tags(stream))
                copy.disposition = stream.disposition
                self._streams[stream.index] = copy
            else:
                name = stream.codec.canonical_name if stream.codec_context else "unknown"
                does = "does not fit" if kind == "sound" else "do not fit"
                _log.warning(
                    "%s: %s %s %s into %s files and %s left out",
                    *(source, name, kind, does, output.format.name),
                    "is" if kind == "sound" else "are",
                )
        self._packets = self._read()
        self._next = next(self._packets, None)

    def copy_until(self, time_s: Fraction | float) -> None:
        """Write what begins before a time of the video."""
        while self._next is not None and _time(self._next) < time_s:
            packet = self._next
            self._clip(packet)
            offset = round(self._shift / packet.time_base)
            packet.stream = self._streams[packet.stream.index]
            packet.pts = None if packet.pts is None else packet.pts - offset
            packet.dts = None if packet.dts is None else packet.dts - offset
            self._output.mux(packet)
            self._next = next(self._packets, None)

    def finish(self, end_s: Fraction) -> None:
        """Write the rest: up to where the images end or, if that is the video's end, all."""
        self.copy_until(inf if end_s >= self._video_end() else end_s)

    def close(self) -> None:
        self._container.close()

    def _clip(self, packet: "Packet[Stream]") -> None:
        """Let a subtitle that is on view already begin where the output begins."""
        if packet.pts is None or not self._shift or _time(packet) >= self._start:
            return
        first = -int(-self._start / packet.time_base // 1)
        packet.duration = (packet.duration or 0) - (first - packet.pts)
        packet.pts = packet.dts = first

    def _video_end(self) -> float:
        """Seconds at which the video's images are as good as over."""
        try:
            video = choose_stream(self._container, self._source)
        except MediaError:
            return inf
        first = float((video.start_time or 0) * video.time_base) if video.time_base else 0.0
        duration = stream_duration(self._container, video, first)
        return inf if duration is None else first + duration - 0.1

    def _read(self) -> "Iterator[Packet[Stream]]":
        if not self._streams:
            return
        packets = self._container.demux(*(self._container.streams[i] for i in self._streams))
        while True:
            try:
                packet = next(packets, None)
            except AV_ERRORS as error:
                _log.warning("%s: the %s ends early (%s)", self._source, self._kind, reason(error))
                return
            if packet is None:
                return
            # The last packet of each stream is empty, it only tells decoders to end.
            if packet.dts is None or (self._shift and self._is_over(packet)):
                continue
            codec = packet.stream.codec_context.codec.canonical_name
            too_early = self._kind == "sound" and _time(packet) < self._shift
            if too_early and self._early is not None and codec not in self._early:
                continue
            yield packet

    def _is_over(self, packet: "Packet[Stream]") -> bool:
        """Whether a packet is not wanted, as it lies before the start."""
        lasts = (packet.duration or 0) * packet.time_base if self._kind == "subtitles" else 0
        return _time(packet) < self._start and _time(packet) + lasts <= self._start


def _fits(stream: Stream, container: str) -> bool:
    """Whether a kind of file takes a stream; some muxers list codecs that their header refuses."""
    try:
        with av.open(BytesIO(), "w", format=container) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except AV_ERRORS:
        return False
    return True


def stream_tags(stream: Stream) -> dict[str, str]:
    """Language and title of a stream, as metadata."""
    return {key: stream.metadata[key] for key in ("language", "title") if key in stream.metadata}


def _time(packet: "Packet[Stream]") -> Fraction:
    ticks = packet.pts if packet.pts is not None else packet.dts
    return (ticks or 0) * packet.time_base
