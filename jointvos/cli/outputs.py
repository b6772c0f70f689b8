"""What the command line adds to `Outputs`: `-o`, defaults, and stdout, which it shares."""

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jointvos.errors import ConfigError
from jointvos.files.whole_file import shortened

if TYPE_CHECKING:
    from jointvos.runs import Outputs

_log = logging.getLogger("jointvos.cli")


def with_output(outputs: "Outputs", output: Path | None) -> "Outputs":
    """Let -o stand for --overlay or --png.

    Raises:
        ConfigError: It is neither, or that is named already.
    """
    from jointvos.media.writing import STDOUT

    if output is None:
        return outputs
    name = "overlay" if output == STDOUT or _is_video(output) else "png"
    if name in outputs.paths():
        raise ConfigError(f"-o {output} means --{name}, which is also given; remove one of them")
    return replace(outputs, overlay=output) if name == "overlay" else replace(outputs, png=output)


def with_defaults(outputs: "Outputs", source: Path) -> "Outputs":
    """What is written when nothing is named."""
    overlay = default_name(source, "_overlay.mp4")
    if overlay.name != f"{_stem(source)}_overlay.mp4":
        _log.warning("names of outputs are shortened: %s", overlay)
    if outputs.background is not None:
        return replace(outputs, overlay=overlay)
    return replace(outputs, png=default_name(source, "_masks"), overlay=overlay)


def default_name(source: Path, ending: str) -> Path:
    """What an output is called that nobody has named: like the input, with an ending."""
    return Path(shortened(_stem(source), ending))


def _stem(source: Path) -> str:
    if str(source) == "-":
        return "stdin"
    from jointvos.files.sequences import title_of

    return title_of(source)


def check_stdout(outputs: "Outputs", as_json: bool) -> None:
    """Refuse what stdout cannot take.

    Raises:
        ConfigError: A video and JSON would both go there, or a video to the terminal.
    """
    from jointvos.media.writing import STDOUT

    piped = [name for name, path in outputs.paths().items() if path == STDOUT]
    if not piped:
        return
    option = f"--{piped[0].replace('_', '-')}"
    if as_json:
        raise ConfigError(f"{option} and --json would both go to stdout; name a file for one")
    if sys.stdout.isatty():
        raise ConfigError(f"{option} - would fill the terminal; redirect it or use a pipe")


def _is_video(path: Path) -> bool:
    from jointvos.media.writing import VIDEO_FORMATS
    from jointvos.runs.outputs import is_folder

    if path.suffix.lower() in VIDEO_FORMATS:
        return True
    if not is_folder(path):
        raise ConfigError(
            f"-o {path}: expected a folder or a video ({', '.join(sorted(VIDEO_FORMATS))}); "
            "use --png for a folder whose name has a dot"
        )
    return False
