"""Decoding on a GPU: NVDEC and its like, as FFmpeg's `-hwaccel`.

The images come back to main memory with chroma interleaved (NV12, P010), which holds the same
values, so that results stay as they are. What such a decoder cannot see is damage within an image.
"""

from functools import cache

from av import Codec
from av.codec.hwaccel import HWAccel

from jointvos.errors import ConfigError, DeviceUnavailable, reason
from jointvos.media.reading.containers import AV_ERRORS

_COMMON = "h264"
"""What every such device decodes; to see whether there is one."""


def hwaccels() -> list[str]:
    """The kinds of devices that FFmpeg is built for; there need not be one here."""
    configs = Codec(_COMMON, "r").hardware_configs
    return [config.device_type.name for config in configs if config.is_supported]


def check_hwaccel(name: str) -> None:
    """See whether FFmpeg is built for a device, without looking for it; see `find_hwaccel`.

    Raises:
        ConfigError: It is not, or the device of "cuda" has no number.
    """
    kind, _, device = name.partition(":")
    if kind not in (known := hwaccels()):
        expected = " or ".join(known) or "none, for this FFmpeg is built without"
        raise ConfigError(f"`hwaccel` is {name!r}, expected {expected}")
    if kind == "cuda" and device and not device.isdecimal():
        raise ConfigError(f"`hwaccel` is {name!r}, expected cuda or, for the second GPU, cuda:1")


@cache
def find_hwaccel(name: str) -> HWAccel:
    """What makes `av.open` decode on a device where that can, and on the CPU where it cannot.

    Args:
        name: A kind of device: "cuda" (NVDEC), "videotoolbox", "vaapi", ...; "cuda:1" or
            "vaapi:/dev/dri/renderD129" for another than the first.

    Raises:
        ConfigError: FFmpeg is built without such devices, or the name is wrong otherwise.
        DeviceUnavailable: There is none here.
    """
    check_hwaccel(name)
    kind, _, device = name.partition(":")
    try:
        accel = HWAccel(kind, device or None, allow_software_fallback=True)
        accel.create(Codec(_COMMON, "r"))
    except (*AV_ERRORS, OverflowError) as error:
        raise DeviceUnavailable(
            f"no device decodes videos with hwaccel {name} here ({reason(error)})",
            hint="leave out `hwaccel`",
        ) from error
    return accel
