"""Where models lie, and which is taken.

A model is found by name in the cache folder, then among the files that ship with the package.
Without a name it is the one of `$JOINTVOS_MODEL`, else the best installed: joint-ytvos,
joint-davis, any other in the order of the alphabet, and joint-lite last. Backbones, which
training starts with, have a folder of their own, because they cannot track.
"""

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from jointvos.checkpoints.registry import BUNDLED, KNOWN, RETIRED
from jointvos.errors import ConfigError, WeightsError, WeightsNotFound, os_errors_as

SUFFIX = ".safetensors"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")

BUNDLED_FOLDERS = (Path(__file__).parent, Path(__file__).parents[2] / "weights")
"""Where a wheel and a source checkout have the bundled model."""


def cache_folder() -> Path:
    """Where models are installed: `$JOINTVOS_CACHE`, else the platform's cache folder."""
    if own := os.environ.get("JOINTVOS_CACHE"):
        return Path(own).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser() / "jointvos"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "jointvos"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "jointvos"
    return Path.home() / ".cache" / "jointvos"


def place(name: str, folder: Path) -> Path:
    """The file that a name is installed as, below a cache folder.

    Raises:
        ConfigError: No model can have that name.
    """
    if not NAME.fullmatch(name) or name.endswith(SUFFIX):
        raise ConfigError(
            f"{name!r} is not a valid model name; expected lowercase letters, digits, dots, "
            f"dashes and underscores, starting with a letter or digit, without {SUFFIX}"
        )
    known = KNOWN.get(name)
    if known is not None and known.kind == "backbone":
        folder = folder / "backbones"
    return folder / f"{name}{SUFFIX}"


def bundled() -> Path | None:
    """The model that ships with the package."""
    files = (folder / f"{BUNDLED}{SUFFIX}" for folder in BUNDLED_FOLDERS)
    return next((path for path in files if path.is_file()), None)


def installed(folder: Path | None = None) -> dict[str, Path]:
    """Name and file of every installed model, best first.

    Args:
        folder: Instead of the cache folder.
    """
    files = {BUNDLED: path} if (path := bundled()) else {}
    files |= _named(folder or cache_folder())
    return {name: files[name] for name in sorted(files, key=_preference)}


def installed_backbones(folder: Path | None = None) -> dict[str, Path]:
    """Name and file of every installed backbone."""
    return _named((folder or cache_folder()) / "backbones")


def packaged_backbone(name: str) -> Path | None:
    """The published file of a backbone that a Python package brings; nothing of it is run."""
    known = KNOWN.get(name)
    if known is None or known.package is None:
        return None
    found = find_spec(known.package)
    folders = (found.submodule_search_locations if found else None) or []
    files = (Path(folder) / "models" / known.file for folder in folders)
    return next((file for file in files if file.is_file()), None)


def find_weights(weights: str | Path | None = None) -> Path:
    """The file of a model.

    Args:
        weights: A path (a `Path`, anything ending in .safetensors, or an existing file), or the
            name of an installed model; by default as the module says.

    Raises:
        WeightsNotFound: There is no such file or no such model.
    """
    models = installed()
    if weights is None:
        weights = os.environ.get("JOINTVOS_MODEL") or next(iter(models), None)
    if weights is None:
        raise WeightsNotFound(
            f"no model is installed in {cache_folder()}", hint=_remedy("joint-davis")
        )
    path = Path(weights).expanduser()
    with os_errors_as(WeightsError):
        if path.is_file():
            return path
    if isinstance(weights, str) and not weights.endswith(SUFFIX):
        if weights in models:
            return models[weights]
        missing = f"no model {weights!r} is installed in {cache_folder()}"
    else:
        missing = f"{path} is a folder, no model" if path.is_dir() else f"{path} does not exist"
    if (name := str(weights)) in RETIRED:
        raise WeightsNotFound(
            f"{name} was replaced by {RETIRED[name]}, which comes with jointvos",
            hint=f"use `model={RETIRED[name]!r}`, or leave it out",
        )
    names = ", ".join(models) or "none"
    raise WeightsNotFound(f"{missing}; installed: {names}", hint=_remedy(str(weights)))


def _remedy(name: str) -> str:
    known = KNOWN.get(name)
    if known is None:
        names = (each.name for each in KNOWN.values() if each.kind == "model")
        others = " or ".join(name for name in names if name != BUNDLED)
        return f"`jointvos.checkpoints.install(NAME)` fetches {others}"
    if known.kind == "backbone":
        return f"{name} is a backbone, which training starts with and which cannot track"
    return f"get it with `jointvos.checkpoints.install({name!r})`"


def _named(folder: Path) -> dict[str, Path]:
    return {
        path.name.removesuffix(SUFFIX): path
        for path in sorted(folder.glob(f"[!.]*{SUFFIX}"))
        if path.is_file()
    }


def _preference(name: str) -> tuple[int, str]:
    """Known models in their order around all others, the bundled one last."""
    order = list(KNOWN)
    if name not in KNOWN:
        return order.index(BUNDLED), name
    return order.index(name) + (name == BUNDLED), name
