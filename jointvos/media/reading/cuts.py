"""Where one shot of a video ends and another begins."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from jointvos.types import Frame, Image

_SIZE = (96, 56)  # columns, rows: enough to tell scenes apart, and about a millisecond of work
_BINS = 16
_BLANK = 4.0  # standard deviation of gray values below which there is nothing to compare
_LEAST = 0.12  # between the most that motion gives and the least that a cut gives, in real videos
_OUTSTANDING = 2.5  # how far a cut stands out of the frames before it
_BEFORE = 12  # frames
_FLASH_FRAMES = 2
_FLASH_RISE = 25.0  # gray values


@dataclass(frozen=True)
class _Look:
    """What is compared of a frame."""

    gray: NDArray[np.uint8]
    structure: NDArray[np.float32]
    histograms: NDArray[np.float32]

    @classmethod
    def of(cls, image: Image) -> "_Look":
        small = cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        histograms = [
            cv2.calcHist([small], [channel], None, [_BINS], [0, 256]).ravel() / gray.size
            for channel in range(3)
        ]
        return cls.of_parts(
            np.asarray(gray, dtype=np.uint8), np.asarray(histograms, dtype=np.float32)
        )

    @classmethod
    def of_parts(cls, gray: NDArray[np.uint8], histograms: NDArray[np.float32]) -> "_Look":
        # Without mean and contrast, so that light that changes changes nothing.
        structure = (gray - gray.mean(dtype=np.float32)) / (gray.std(dtype=np.float32) + 2)
        return cls(gray, structure.astype(np.float32), histograms)

    @property
    def blank(self) -> bool:
        return bool(self.gray.std() < _BLANK)


def with_cuts(
    frames: Iterable[Frame], detector: "CutDetector | None"
) -> Iterator[tuple[Frame, bool]]:
    """Frames, and whether each begins a new shot; without a detector none does."""
    for frame in frames:
        yield frame, detector is not None and detector.is_cut(frame.image)


class CutDetector:
    """Finds hard cuts, frame by frame.

    A frame begins a new shot if, even after the motion is taken out, neither its structure nor its
    colors are those of the frame before, far more so than in the frames before that. Fast motion
    keeps the colors, a light the structure; a flash of up to two frames and frames without
    content (black, white) are passed over, and what follows is compared with what was before.
    Fades and dissolves have no first frame and are no cuts; a new shot behind black is one.
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._last: _Look | None = None
        self._scores: deque[float] = deque(maxlen=_BEFORE)
        self._flashed = 0

    def is_cut(self, image: Image) -> bool:
        """Whether this frame, RGB uint8 [Hv,Wv,3], begins a new shot; to be asked of all in order.

        A cut from a dark to a bright scene may be told up to two frames late, for it might have
        been a flash.
        """
        look = _Look.of(image)
        if look.blank:
            return False
        if self._last is None:
            self._last = look
            return False
        score = self._difference(self._last, look)
        usual = median(self._scores) if self._scores else 0.0
        cut = score > max(_LEAST, _OUTSTANDING * usual)
        if cut and self._flashed < _FLASH_FRAMES and _is_brighter(self._last, look):
            self._flashed += 1
            return False
        self._flashed = 0
        self._last = look
        if cut:
            self._scores.clear()
        else:
            self._scores.append(score)
        return cut

    def state(self) -> dict[str, Any]:
        """What has been seen so far as plain numbers and lists, to go on from."""
        look = self._last
        return {
            "look": None if look is None else (look.gray.tolist(), look.histograms.tolist()),
            "scores": list(self._scores),
            "flashed": self._flashed,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where the detector was that `state` comes from."""
        self._last = None
        if state["look"] is not None:
            gray, histograms = state["look"]
            self._last = _Look.of_parts(
                np.array(gray, dtype=np.uint8), np.array(histograms, dtype=np.float32)
            )
        self._scores = deque(state["scores"], maxlen=_BEFORE)
        self._flashed = state["flashed"]

    def _difference(self, last: _Look, look: _Look) -> float:
        """Of structure after motion, times that of colors; about 0 to 1."""
        now, before = _visible(look.structure), _visible(last.structure)
        flow = self._flow.calc(now, before, None)  # type: ignore[call-overload]
        rows, columns = np.indices(look.structure.shape, dtype=np.float32)
        moved = cv2.remap(
            *(last.structure, columns + flow[..., 0], rows + flow[..., 1]),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        structure = float(np.abs(moved - look.structure).mean())
        colors = float(np.abs(last.histograms - look.histograms).sum()) / (2 * 3)
        return structure * colors


def _visible(structure: NDArray[np.float32]) -> NDArray[np.uint8]:
    """As gray values, which optical flow works on."""
    gray: NDArray[np.uint8] = np.clip(structure * 40 + 128, 0, 255).astype(np.uint8)
    return gray


def _is_brighter(last: _Look, look: _Look) -> bool:
    """Whether light was added, all over the frame."""
    rise = look.gray.astype(np.int16) - last.gray
    return bool(rise.mean() > _FLASH_RISE and (rise >= -8).mean() > 0.97)
