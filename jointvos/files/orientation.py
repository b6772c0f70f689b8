"""How a stored image has to be turned to stand upright."""

import math
import struct
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)


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

    @property
    def swaps_sides(self) -> bool:
        return self.quarter_turns % 2 == 1

    def upright(self, image: NDArray[Number]) -> NDArray[Number]:
        """The image or mask as it should be seen, [H,W,...] to [Hv,Wv,...]."""
        if self == Orientation():
            return image
        mirrored = image[:, ::-1] if self.mirrored else image
        return np.ascontiguousarray(np.rot90(mirrored, self.quarter_turns))
