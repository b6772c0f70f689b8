"""Which models there are, and where their files lie.

A model is found by name in the cache folder, then among the files that ship with the package.
Without a name it is the one of `$JOINTVOS_MODEL`, else the best installed: joint-ytvos,
joint-davis, any other in the order of the alphabet, and joint-small last.
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from jointvos.errors import ConfigError, WeightsNotFound

SUFFIX = ".safetensors"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
INSTALL = "jointvos download-weights --from FILE --name NAME"


@dataclass(frozen=True)
class KnownModel:
    """A published model.

    Attributes:
        name: What it is installed as.
        description: One line.
        preset: `ModelConfig` preset of its network.
        inference: `InferenceConfig` preset it was published with.
        licence: Terms of the weights, which are not those of the code.
    """

    name: str
    description: str
    preset: str
    inference: str
    licence: str


KNOWN = {
    model.name: model
    for model in (
        KnownModel(
            name="joint-ytvos",
            description="the authors' network for YouTube-VOS",
            preset="joint-r50",
            inference="ytvos",
            licence="the authors state none",
        ),
        KnownModel(
            name="joint-davis",
            description="the authors' network for DAVIS",
            preset="joint-r50",
            inference="davis",
            licence="the authors state none",
        ),
        KnownModel(
            name="joint-small",
            description="a small network that ships with jointvos",
            preset="joint-small",
            inference="small",
            licence="non-commercial research use",
        ),
    )
}
"""Best first."""

BUNDLED = "joint-small"
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


def check_name(name: str) -> str:
    """The name itself, if a model can be installed under it.

    Raises:
        ConfigError: It cannot.
    """
    if not NAME.fullmatch(name) or name.endswith(SUFFIX):
        raise ConfigError(
            f"{name!r} is no name for a model; expected small letters, digits, dots, dashes and "
            f"underscores, a letter or digit first, without {SUFFIX}"
        )
    return name


def installed() -> dict[str, Path]:
    """Name and file of every installed model, best first."""
    files = {}
    for folder in BUNDLED_FOLDERS:
        if BUNDLED not in files and (path := folder / f"{BUNDLED}{SUFFIX}").is_file():
            files[BUNDLED] = path
    for path in cache_folder().glob(f"*{SUFFIX}"):
        if path.is_file():
            files[path.name.removesuffix(SUFFIX)] = path
    return {name: files[name] for name in sorted(files, key=_preference)}


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
        raise WeightsNotFound(f"no model is installed in {cache_folder()}; install one: {INSTALL}")
    path = Path(weights).expanduser()
    if path.is_file():
        return path
    if isinstance(weights, str) and not weights.endswith(SUFFIX):
        if weights in models:
            return models[weights]
        missing = f"no model {weights!r} is installed in {cache_folder()}"
    else:
        missing = f"{path} is a folder, no model" if path.is_dir() else f"{path} is not there"
    names = ", ".join(models) or "none"
    raise WeightsNotFound(f"{missing}; installed: {names}; install another: {INSTALL}")


def _preference(name: str) -> tuple[int, str]:
    """Known models in their order around all others, the bundled one last."""
    order = list(KNOWN)
    if name not in KNOWN:
        return order.index(BUNDLED), name
    return order.index(name) + (name == BUNDLED), name
