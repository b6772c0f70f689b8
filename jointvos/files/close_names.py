"""What was probably meant by a path that does not exist."""

from collections.abc import Callable
from contextlib import suppress
from difflib import SequenceMatcher, get_close_matches
from functools import partial
from itertools import islice
from pathlib import Path

_MOST = 2000
"""Names of a folder that are looked at."""


def did_you_mean(path: Path, fits: Callable[[Path], bool]) -> str:
    """Ask for a path like a missing one, as the hint of an error; "" if none is close.

    Args:
        path: What is missing: a file, or a folder on the way to it.
        fits: Whether another path is of the kind that is wanted.
    """
    with suppress(OSError):
        missing = path
        while not missing.parent.is_dir():
            missing = missing.parent
        rest = path.relative_to(missing)
        there = islice(missing.parent.iterdir(), _MOST)
        named = [each for each in there if _may_be(each.name, missing.name)]
        stems = {each.stem.casefold() for each in named}
        for stem in get_close_matches(missing.stem.casefold(), stems, cutoff=0.7):
            like = [each / rest for each in named if each.stem.casefold() == stem]
            if like := [each for each in like if each.exists() and fits(each)]:
                return f"did you mean {max(like, key=partial(_likeness, missing.name))}?"
    return ""


def _likeness(name: str, path: Path) -> float:
    return SequenceMatcher(None, name, path.name).ratio()


def _may_be(there: str, name: str) -> bool:
    """Whether one name may be a slip for the other; other numbers are others of a series."""
    return not there.startswith(".") and _digits(there) == _digits(name)


def _digits(name: str) -> str:
    return "".join(filter(str.isdigit, Path(name).stem))
