"""`jointvos info`: what a bug report should say of a machine."""

import json
import os
import platform
from typing import Annotated, Any

import typer

import jointvos
from jointvos.cli import options
from jointvos.cli.console import data

PACKAGES = ("numpy", "opencv-python", "pillow", "safetensors", "torchvision", "urllib3")
ENCODERS = (
    "libx264",
    "libvpx-vp9",
    "ffv1",
    "libx265",
    "libsvtav1",
    "prores_ks",
    "h264_nvenc",
    "aac",
)
"""What videos may be coded with; the first three are in use."""


def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    debug: options.Debug = False,
) -> None:
    """Print versions, devices and models for bug reports.

    Environment variables are listed by name only. Nothing is sent anywhere.
    """
    found = {
        "jointvos": jointvos.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **_torch(),
        **_videos(),
        "packages": [f"{name} {_version(name)}" for name in PACKAGES],
        **_models(),
        "variables": sorted(name for name in os.environ if name.startswith("JOINTVOS_")),
    }
    if as_json:
        data(json.dumps(found))
        return
    for key, value in found.items():
        for line in _lines(value):
            data(f"{key + ':':<13} {line}")


def _lines(value: Any) -> list[str]:
    """A value as text: what is there and what is not, a line for each entry, or just itself."""
    if isinstance(value, dict) and value and all(isinstance(each, bool) for each in value.values()):
        there, missing = ([name for name in value if value[name] is has] for has in (True, False))
        return [", ".join(there) + (f"; without {', '.join(missing)}" if missing else "")]
    if isinstance(value, dict):
        return [f"{name} {text}" for name, text in value.items()] or ["none"]
    if isinstance(value, list):
        return [", ".join(value) or "none"]
    return [str(value)]


def _version(name: str) -> str:
    from importlib import metadata  # slow to import for what --help needs

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _torch() -> dict[str, Any]:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: one of its libraries cannot be loaded
        return {"torch": f"{_version('torch')}, cannot be used: {_first_line(error)}"}
    cores = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    devices = {"cpu": f"{platform.processor() or platform.machine()}, {cores}"}
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        devices[f"cuda:{index}"] = (
            f"{about.name}, {about.total_memory / 2**30:.0f} GiB, "
            f"compute capability {about.major}.{about.minor}"
        )
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple GPU"
    if torch.version.cuda is None:
        cuda = "none, torch is built without it"
    else:
        state = "usable" if torch.cuda.is_available() else "no device can be used"
        cuda = f"{torch.version.cuda}, {state}"
    return {"torch": torch.__version__, "cuda": cuda, "devices": devices}


def _videos() -> dict[str, Any]:
    try:
        import av
        import av.codec
    except (ImportError, OSError) as error:
        return {"pyav": f"{_version('av')}, cannot be used: {_first_line(error)}"}
    return {
        "pyav": av.__version__,
        "ffmpeg": av.ffmpeg_version_info,
        "encoders": {name: _encodes(name) for name in ENCODERS},
        "hwaccels": _hwaccels(),
    }


def _hwaccels() -> list[str]:
    try:
        from jointvos.media.reading.hwaccel import hwaccels
    except (ImportError, OSError) as error:  # of another package, such as OpenCV
        return [f"not known: {_first_line(error)}"]
    return hwaccels()


def _encodes(name: str) -> bool:
    import av.codec

    try:
        return av.codec.Codec(name, "w").is_encoder
    except av.codec.codec.UnknownCodecError:
        return False


def _models() -> dict[str, Any]:
    from jointvos.checkpoints.locate import cache_folder, installed, installed_backbones

    there = installed() | installed_backbones()
    return {
        "cache": str(cache_folder()),
        "models": {
            name: f"{path.stat().st_size / 1e6:.1f} MB, {path}" for name, path in there.items()
        },
    }


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
