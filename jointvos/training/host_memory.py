"""Memory of the host that a step has freed and the next one wants again."""

import ctypes

# Of malloc.h; only glibc has them.
TRIM_THRESHOLD = -1
LARGE_BLOCKS_AT_MOST = -4


def keep_freed_memory() -> bool:
    """Have this process keep the memory it frees, from here on.

    A step allocates and frees the same tensors as the one before. Unasked, glibc gives each large
    one back to the system, which then zeroes every page of it anew: a quarter of a training step
    on a CPU. The price is that memory is handed back to the system only at the end.

    Returns:
        Whether the C library of this system can.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows has no handle of its own
        return False
    return bool(mallopt(LARGE_BLOCKS_AT_MOST, 0)) and bool(mallopt(TRIM_THRESHOLD, -1))
