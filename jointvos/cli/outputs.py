"""What `segment` writes: what is refused early, and the sinks."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations, permutations
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from jointvos.cli.console import BROKEN_PIPE, drop_stdout
from jointvos.errors import ConfigError, OutputError, OutputExists
from jointvos.whole_file import LONGEST_NAME, shortened

if TYPE_CHECKING:
    from jointvos.media import Background, Kind, Picture, TwoPhaseSink
    from jointvos.types import Frame, FrameResult, VideoInfo

_log = logging.getLogger("jointvos.cli")

STDOUT = Path("-")


def default_name(source: Path, ending: str) -> Path:
    """What an output is called that nobody has named: like the input, with an ending."""
    try:
        name = source.resolve().name if source.is_dir() else source.stem
    except OSError:  # such as a name that is too long; opening the input tells it
        name = source.stem
    return Path(shortened("stdin" if source == STDOUT else name, ending))


def close_stdout() -> NoReturn:
    """End the process quietly when nobody reads stdout any more."""
    drop_stdout()
    sys.exit(BROKEN_PIPE)


@dataclass(frozen=True)
class Outputs:
    """All that was asked for; paths are None where it was not."""

    png: Path | None = None
    overlay: Path | None = None
    mask_video: Path | None = None
    alpha: Path | None = None
    soft: Path | None = None
    crop: Path | None = None
    stats: Path | None = None
    coco: Path | None = None
    coco_layout: str | None = None
    soft_bits: int = 8
    stream: str | None = None
    background: str | None = None
    audio: str = "copy"
    encoder: str | None = None
    crf: int | None = None
    overwrite: bool = False

    def named(self) -> dict[str, Path]:
        """Paths by the option that names them."""
        names = ("png", "overlay", "mask_video", "alpha", "soft", "crop", "stats", "coco")
        paths = {name.replace("_", "-"): getattr(self, name) for name in names}
        return {f"--{name}": path for name, path in paths.items() if path is not None}

    @property
    def need_probabilities(self) -> bool:
        """Whether any of them shows more than labels."""
        return any((self.alpha, self.soft, self.crop, self.background))

    def with_output(self, output: Path | None) -> "Outputs":
        """Let -o stand for --overlay or --png.

        Raises:
            ConfigError: It is neither, or that is named already.
        """
        if output is None:
            return self
        name = "overlay" if output == STDOUT or _is_film(output) else "png"
        if getattr(self, name) is not None:
            raise ConfigError(f"-o {output} means --{name}, which is given too; drop one of them")
        return replace(self, overlay=output) if name == "overlay" else replace(self, png=output)

    def with_defaults(self, source: Path) -> "Outputs":
        """What is written when nothing is named."""
        overlay = default_name(source, "_overlay.mp4")
        if len(os.fsencode(overlay.name)) == LONGEST_NAME:
            _log.warning("names of outputs are shortened: %s", overlay)
        if self.background is not None:
            return replace(self, overlay=overlay)
        return replace(self, png=default_name(source, "_masks"), overlay=overlay)

    def check(self, source: Path, masks: Sequence[Path], as_json: bool) -> None:
        """Refuse what cannot be written, before the input is opened.

        Raises:
            ConfigError: Options contradict each other, or a kind of file does not fit.
            OutputError: Something cannot be written where it should stand.
        """
        named = self.named()
        piped = [name for name, path in named.items() if path == STDOUT]
        if any(name not in ("--overlay", "--mask-video", "--alpha") for name in piped):
            raise ConfigError(f"{piped[-1]} - : only films go to stdout")
        if len(piped) + as_json > 1:
            who = [*piped, "--json"] if as_json else piped
            raise ConfigError(f"{' and '.join(who)} would both go to stdout; name a file for one")
        if piped and sys.stdout.isatty():
            raise ConfigError(f"{piped[0]} - would fill the terminal; redirect it or use a pipe")
        if self.stream is not None and not piped:
            raise ConfigError("--format is for a film on stdout; use it with -o -")
        if self.audio not in ("copy", "none"):
            raise ConfigError(f"--audio is {self.audio!r}, expected copy or none")
        if self.coco_layout is not None and self.coco is None:
            raise ConfigError("--coco-layout is for --coco, which is not asked for")
        for option in ("background", "encoder", "crf"):
            if getattr(self, option) is not None and self.overlay is None:
                raise ConfigError(f"--{option} is for --overlay, which is not asked for")
        if self.overlay == STDOUT and (self.encoder is not None or self.crf is not None):
            raise ConfigError("--encoder and --crf are for files; on stdout --format decides")
        files = {name: _real(path) for name, path in named.items() if path != STDOUT}
        for (one, path), (other, same) in combinations(files.items(), 2):
            if path == same:
                raise ConfigError(f"{one} and {other} both name {named[one]}; give each its own")
        for (one, path), (other, inner) in permutations(files.items(), 2):
            if path in inner.parents:
                raise ConfigError(f"{other} lies in the folder of {one}, which will be replaced")
        for path in named.values():
            for mask in masks:
                if path.is_dir() and _real(path) in (_real(mask), _real(mask).parent):
                    raise OutputError(
                        f"{mask} lies in {path}, which would be replaced; name another folder"
                    )
        # Nothing is written yet by sinks that are merely made, so any film will do.
        from jointvos.types import VideoInfo

        self.sinks(VideoInfo(source, 256, 256, Fraction(25), Fraction(1, 25)))

    def sinks(self, info: "VideoInfo", ids: Sequence[int] = ()) -> "list[TwoPhaseSink]":
        """Sinks for all of them.

        Args:
            info: The source.
            ids: The objects; if there are ids above 254, masks need 16 bit.

        Raises:
            ConfigError: A kind of file does not fit.
            OutputError: Something cannot be written where it should stand.
        """
        try:
            return list(self._sinks(info, ids))
        except OutputExists as error:
            raise OutputExists(f"{str(error).split(';')[0]}; use -f to replace it") from error

    def _sinks(self, info: "VideoInfo", ids: Sequence[int]) -> "Iterator[TwoPhaseSink]":
        from jointvos import media
        from jointvos.types import VOID

        overwrite, sound = self.overwrite, self.audio == "copy"
        wide = max(ids, default=0) >= VOID
        if self.png is not None:
            yield media.PngSequenceSink(self.png, overwrite=overwrite, source=info.path, wide=wide)
        if self.overlay is not None:
            yield self._overlay(info, self.overlay)
        if self.mask_video == STDOUT:
            yield self._stream(info, "grey16" if wide else "grey")
        elif self.mask_video is not None:
            yield media.MaskVideoSink(self.mask_video, info, overwrite=overwrite, wide=wide)
        if self.alpha == STDOUT:
            yield self._stream(info, "rgba")
        elif self.alpha is not None and _is_folder(self.alpha):
            yield media.AlphaFolderSink(self.alpha, overwrite=overwrite, source=info.path)
        elif self.alpha is not None:
            yield media.AlphaFilmSink(self.alpha, info, overwrite=overwrite, sound=sound)
        if self.soft is not None and _is_folder(self.soft):
            yield media.SoftFolderSink(
                self.soft, overwrite=overwrite, source=info.path, bits=self.soft_bits
            )
        elif self.soft is not None:
            yield media.SoftFilmSink(
                self.soft, info, overwrite=overwrite, bits=self.soft_bits, ids=ids
            )
        if self.crop is not None:
            yield media.CropSink(self.crop, overwrite=overwrite, source=info.path)
        if self.stats is not None:
            yield media.StatsSink(self.stats, info, overwrite=overwrite)
        if self.coco is not None:
            layout = self.coco_layout or "coco"
            yield media.coco_sink(self.coco, info, overwrite=overwrite, layout=layout)

    def _overlay(self, info: "VideoInfo", path: Path) -> "TwoPhaseSink":
        from jointvos import media

        behind = None
        if self.background is not None:
            behind = media.read_background(self.background, info.width, info.height)
        if path == STDOUT:
            return self._stream(info, "rgb", behind)
        overwrite, sound = self.overwrite, self.audio == "copy"
        if behind is None:
            return media.OverlaySink(
                path, info, overwrite=overwrite, sound=sound, encoder=self.encoder, crf=self.crf
            )
        return media.CompositeSink(
            *(path, info, behind),
            overwrite=overwrite,
            sound=sound,
            encoder=self.encoder,
            crf=self.crf,
        )

    def _stream(
        self, info: "VideoInfo", kind: "Kind", behind: "Background | None" = None
    ) -> "TwoPhaseSink":
        from jointvos import media

        def picture(frame: "Frame", result: "FrameResult") -> "Picture":
            if kind in ("grey", "grey16"):
                return media.as_grey(result.labels, kind == "grey16", STDOUT)
            if kind == "rgba":
                return media.cut_out(frame.image, media.foreground(result))
            if behind is None:
                return media.draw_overlay(frame.image, result.labels)
            return media.draw_composite(frame, result, behind)

        sound = self.audio == "copy" and kind in ("rgb", "rgba")
        format = self.stream or "nut"
        return media.StreamSink(info, picture, kind=kind, format=format, sound=sound)


def _real(path: Path) -> Path:
    """Without links, as `Path.resolve` has it, which raises for loops."""
    return Path(os.path.realpath(path))


def _is_folder(path: Path) -> bool:
    return path.is_dir() or not path.suffix


def _is_film(path: Path) -> bool:
    from jointvos.media import FILM_FORMATS

    if path.suffix.lower() in FILM_FORMATS:
        return True
    if not _is_folder(path):
        raise ConfigError(
            f"-o {path}: expected a folder or a film ({', '.join(sorted(FILM_FORMATS))}); "
            "use --png for a folder whose name has a dot"
        )
    return False
