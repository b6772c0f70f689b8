"""Decoding on a GPU: NVDEC and its like, as FFmpeg's `-hwaccel`.

The images come back to main memory with chroma interleaved (NV12, P010), which holds the same
values, so that results stay as they are. What such a decoder cannot see is damage within an image.
"""

from functools import cache

from av import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available

from jointvos.errors import ConfigError, DeviceUnavailable, reason
from jointvos.media.reading.containers import AV_ERRORS

_COMMON = "h264"
"""What every such device decodes; to see whether there is one."""


@cache
def find_hwaccel(name: str) -> HWAccel:
    """What makes `av.open` decode on a device where that can, and on the CPU where it cannot.

    Args:
        name: A kind of device: "cuda" (NVDEC), "videotoolbox", "vaapi", ...; "cuda:1" for another
            than the first.

    Raises:
        ConfigError: FFmpeg is built without such devices.
        DeviceUnavailable: There is none here.
    """
    kind, _, number = name.partition(":")
    known = hwdevices_available()
    if kind not in known:
        raise ConfigError(f"`hwaccel` is {name!r}, expected one of {', '.join(known)}")
    accel = HWAccel(kind, number or None, allow_software_fallback=True)
    try:
        accel.create(Codec(_COMMON, "r"))
    except (*AV_ERRORS, NotImplementedError) as error:
        raise DeviceUnavailable(
            f"no device decodes videos with hwaccel {name} here ({reason(error)})",
            hint="leave out `hwaccel`",
        ) from error
    return accel
