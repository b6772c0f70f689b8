"""Copying the sound of a film, as it is coded, into another one."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from math import inf
from pathlib import Path

import av.container
from av.packet import Packet
from av.stream import Stream

from jointvos.errors import MediaError
from jointvos.media.containers import AV_ERRORS, choose_film, film_duration, open_input, reason

_log = logging.getLogger("jointvos.media")


class SoundCopy:
    """The sound streams of a film on their way into an output, picture by picture."""

    def __init__(
        self, source: Path, output: av.container.OutputContainer, start: Fraction, shift: Fraction
    ) -> None:
        """Open the film and add its sound streams to the output.

        Args:
            source: The film.
            output: Not yet begun.
            start: Seconds in the film from which sound is wanted.
            shift: Seconds by which the output is earlier than the film.
        """
        self._source = source
        self._output = output
        self._start, self._shift = start, shift
        # Matroska can tell times before 0 only for Opus; else it would delay the pictures.
        self._from_zero = output.format.name in ("matroska", "webm")
        self._container = open_input(source)
        self._streams: dict[int, Stream] = {}
        for stream in self._container.streams.audio:
            codec = stream.codec.canonical_name if stream.codec_context else "unknown"
            if codec in output.supported_codecs:
                self._streams[stream.index] = output.add_stream_from_template(stream)
            else:
                _log.warning(
                    "%s: %s sound does not fit into %s files and is left out",
                    *(source, codec, output.format.name),
                )
        self._packets = self._read()
        self._next = next(self._packets, None)

    def copy_until(self, time_s: Fraction | float) -> None:
        """Write the sound that begins before a time of the film."""
        while self._next is not None and _time(self._next) < time_s:
            packet = self._next
            offset = round(self._shift / packet.time_base)
            packet.stream = self._streams[packet.stream.index]
            packet.pts = None if packet.pts is None else packet.pts - offset
            packet.dts = None if packet.dts is None else packet.dts - offset
            self._output.mux(packet)
            self._next = next(self._packets, None)

    def finish(self, end_s: Fraction) -> None:
        """Write the rest: up to where the pictures end or, if that is the film's end, all."""
        self.copy_until(inf if end_s >= self._film_end() else end_s)

    def close(self) -> None:
        self._container.close()

    def _film_end(self) -> float:
        """Seconds at which the film's pictures are as good as over."""
        try:
            film = choose_film(self._container, self._source)
        except MediaError:
            return inf
        first = float((film.start_time or 0) * film.time_base) if film.time_base else 0.0
        duration = film_duration(self._container, film, first)
        return inf if duration is None else first + duration - 0.1

    def _read(self) -> "Iterator[Packet[Stream]]":
        if not self._streams:
            return
        packets = self._container.demux(*(self._container.streams[i] for i in self._streams))
        while True:
            try:
                packet = next(packets, None)
            except AV_ERRORS as error:
                _log.warning("%s: the sound ends early (%s)", self._source, reason(error))
                return
            if packet is None:
                return
            # The last packet of each stream is empty, it only tells decoders to end.
            if packet.dts is None or (self._shift and _time(packet) < self._start):
                continue
            codec = packet.stream.codec_context.codec.canonical_name
            if self._from_zero and codec != "opus" and _time(packet) < self._shift:
                continue
            yield packet


def _time(packet: "Packet[Stream]") -> Fraction:
    ticks = packet.pts if packet.pts is not None else packet.dts
    return (ticks or 0) * packet.time_base
