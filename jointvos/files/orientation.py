"""How a stored image has to be turned to stand upright."""

import math
import struct
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)

_EXIF = {
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}


@dataclass(frozen=True)
class Orientation:
    """First mirror left to right, then turn counter-clockwise by quarters."""

    mirrored: bool = False
    quarter_turns: int = 0

    @classmethod
    def from_display_matrix(cls, matrix: bytes) -> "Orientation":
        """Read the 3x3 matrix of a container: nine int32, the first two columns in 16.16.

        `frame.rotation` of PyAV cannot be used: it calls a mirrored image turned by 180.
        """
        a, b, _, c, d = struct.unpack("<9i", matrix[:36])[:5]
        mirrored = a * d - b * c < 0
        if mirrored:
            a, b = -a, -b
        return cls(mirrored, round(-math.atan2(b, a) / (math.pi / 2)) % 4)

    @classmethod
    def from_exif(cls, number: int | None) -> "Orientation":
        """Take the number that EXIF has, 1 to 8; all others are upright."""
        return cls(*_EXIF.get(number or 1, (False, 0)))

    @property
    def swaps_sides(self) -> bool:
        return self.quarter_turns % 2 == 1

    def upright(self, image: NDArray[Number]) -> NDArray[Number]:
        """The image or mask as it should be seen, [H,W,...] to [Hv,Wv,...]."""
        if self == Orientation():
            return image
        mirrored = image[:, ::-1] if self.mirrored else image
        return np.ascontiguousarray(np.rot90(mirrored, self.quarter_turns))
