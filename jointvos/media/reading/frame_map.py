"""Which frame of a video has which time, without decoding any."""

from array import array
from bisect import bisect_left, bisect_right, insort
from pathlib import Path
from threading import Condition, Thread

from jointvos.errors import MediaOpenError
from jointvos.media.reading.containers import AV_ERRORS, choose_stream, open_input

_REORDERED = 64
"""Packets behind a frame after which none that is shown before it can come; codecs allow 16."""


_BACK = (1, 4, 16)
"""Keyframes to go further back if a frame cannot be decoded from the one before it."""


class NoSuchFrame(IndexError):
    """The video ends before that frame."""


class FrameMap:
    """Times of all frames and keyframes, gathered in a thread without decoding."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._times = array("q")  # of all frames, rising: the rank of a time is the frame's number
        self._keys: list[tuple[int, int]] = []  # time shown and time decoded, rising
        self._grown = Condition()
        self._complete = self._ended = False
        self._usable = True
        self._packets = 0
        self._thread = Thread(target=self._gather, name="jointvos-map", daemon=True)
        self._thread.start()

    @property
    def count(self) -> int | None:
        """How many frames there are, None as long as packets are gone through.

        Where times are missing a frame is taken to be a packet, as it is nearly always.
        """
        with self._grown:
            return self._packets if self._complete else None

    def close(self) -> None:
        self._ended = True
        self._thread.join()

    def find(self, index: int) -> int | None:
        """The time of a frame, None if frames have to be counted; waits until it is known.

        Raises:
            NoSuchFrame: The video ends before it.
        """
        with self._grown:
            self._grown.wait_for(
                lambda: self._complete or not self._usable or len(self._times) > index + _REORDERED
            )
            if not self._usable:
                return None
            if not 0 <= index < len(self._times):
                raise NoSuchFrame(f"no frame {index}")
            return self._times[index]

    def number(self, time: int | None) -> int | None:
        """The number of the frame with this time; None if there is no such frame."""
        if time is None:
            return None
        with self._grown:
            at = bisect_left(self._times, time)
            return at if at < len(self._times) and self._times[at] == time else None

    def has_key_between(self, first: int, last: int) -> bool:
        """Whether decoding may begin at a frame behind the first and up to the last."""
        with self._grown:
            return self._keys_up_to(last) > self._keys_up_to(first)

    def starts(self, index: int) -> list[int | None]:
        """Times to seek to for a frame, the best one first; None is the start of the file."""
        with self._grown:
            at = self._keys_up_to(index) - 1
            if at < 0:  # an edit list hides the first one
                return [None]
            # Demuxers index frames by either of both times.
            starts: list[int | None] = [*self._keys[at]]
            for back in _BACK:
                if at <= back:
                    return [*starts, None]
                starts.append(self._keys[at - back][0])
            return starts

    def _keys_up_to(self, index: int) -> int:
        """How many keyframes are not behind a frame."""
        return bisect_right(self._keys, (self._times[index], 1 << 62))

    def _gather(self) -> None:
        try:
            with open_input(self._path) as container:
                for packet in container.demux(choose_stream(container, self._path)):
                    if self._ended:
                        return
                    if not packet.size or packet.is_discard:
                        continue
                    with self._grown:
                        self._packets += 1
                        if self._usable:
                            self._add(packet.pts, packet.dts, packet.is_keyframe)
                        if self._packets % _REORDERED == 0:
                            self._grown.notify_all()
        except (*AV_ERRORS, MediaOpenError):
            pass  # what can be read is there; the rest shows in `at`
        finally:
            with self._grown:
                self._complete = True
                self._grown.notify_all()

    def _add(self, shown: int | None, decoded: int | None, key: bool) -> None:
        if shown is None:
            self._usable = False
            return
        at = bisect_left(self._times, shown)
        if at < len(self._times) and self._times[at] == shown:
            self._usable = False
            return
        self._times.insert(at, shown)
        if key:
            insort(self._keys, (shown, shown if decoded is None else decoded))
