"""HTML pages that open from disk: no script, no other file, no server."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_PACKAGE = Path(__file__).parent


def templates(package: str) -> Environment:
    """The templates in a package of this one, which extend `page.html`, their common style."""
    return Environment(
        loader=FileSystemLoader([_PACKAGE / package, _PACKAGE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
