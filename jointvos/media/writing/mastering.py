"""What HDR was mastered for, as encoders take it."""

from collections.abc import Mapping

from jointvos.types import Mastering

_X265, _SVT_AV1 = "x265-params", "svtav1-params"


def with_mastering(
    codec: str, options: Mapping[str, str], mastering: Mastering
) -> dict[str, str] | None:
    """The settings of an encoder with mastering display and content light level.

    They go into the coded video. None if the encoder has no place for them there, as ProRes.
    """
    if codec == "libx265":
        kind, display, light = _X265, "master-display", "max-cll"
        # In units of 0.00002 and 0.0001 nits, as the SEI message has them.
        chroma, nits = 50000, 10000
    elif codec == "libsvtav1":
        kind, display, light = _SVT_AV1, "mastering-display", "content-light"
        chroma = nits = 0
    else:
        return None
    settings = [options[kind]] if kind in options else []
    if mastering.display is not None:
        shares, luminance = mastering.display[:8], mastering.display[8:]
        numbers = [_number(value, chroma) for value in shares]
        numbers += [_number(value, nits) for value in luminance]
        red, green, blue, white, range = (
            f"({','.join(numbers[i : i + 2])})" for i in (0, 2, 4, 6, 8)
        )
        settings.append(f"{display}=G{green}B{blue}R{red}WP{white}L{range}")
    if mastering.light is not None:
        settings.append(f"{light}={','.join(map(str, mastering.light))}")
    return {**options, kind: ":".join(settings)}


def _number(value: float, unit: int) -> str:
    return str(round(value * unit)) if unit else f"{value:.6f}"
