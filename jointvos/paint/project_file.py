"""`project.json`: what a project is about besides its masks."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jointvos.errors import ConfigError, OutputError
from jointvos.files.whole_file import whole_file
from jointvos.types import VideoInfo

_VERSION = 1


@dataclass(frozen=True)
class PaintedObject:
    """What a user calls an object, and whether the page shows it."""

    id: int
    name: str
    visible: bool = True

    @classmethod
    def called_by_number(cls, object_id: int) -> "PaintedObject":
        """One that nobody has named yet."""
        return cls(object_id, f"Object {object_id}")


def shown_name(source: Path) -> str:
    """What a page and a project call a video, a folder or a pattern."""
    return source.resolve().name


@dataclass
class ProjectFile:
    """The content of the file.

    Attributes:
        video: Name and size of the video.
        objects: In the order of the page's list.
        given: The objects that were painted in a frame, by its number.
        session: Which model, run in which way, has followed; "" if none has.
    """

    video: dict[str, str | int]
    objects: list[PaintedObject] = field(default_factory=list)
    given: dict[int, tuple[int, ...]] = field(default_factory=dict)
    session: str = ""

    @classmethod
    def read(cls, path: Path, source: Path, info: VideoInfo) -> "ProjectFile":
        """Read the file of a video's project; one that is missing is as good as empty.

        Raises:
            ConfigError: It belongs to another video.
            OutputError: It is damaged, or of a version that is not known.
        """
        content = cls({"name": shown_name(source), "width": info.width, "height": info.height})
        if not path.exists():
            return content
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            version, video = values["version"], values["video"]
            content.objects = [PaintedObject(**each) for each in values["objects"]]
            content.given = {int(index): tuple(ids) for index, ids in values["painted"].items()}
            content.session = values["session"]
            whose = f"{video['name']}, {video['width']}x{video['height']}"
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{path} is damaged; delete it, and the masks beside it are listed anew"
            ) from error
        if version != _VERSION:
            raise OutputError(
                f"{path} is of version {version}, expected {_VERSION}; update jointvos"
            )
        if video != content.video:
            raise ConfigError(
                f"{path.parent} belongs to {whose}, not to {source}; rename one of the two"
            )
        return content

    def write(self, path: Path) -> None:
        """Write the file, all at once.

        Raises:
            OutputError: The disk refuses.
        """
        values = {
            "version": _VERSION,
            "video": self.video,
            "objects": [asdict(each) for each in self.objects],
            "painted": {str(index): self.given[index] for index in sorted(self.given)},
            "session": self.session,
        }
        with whole_file(path) as partial:
            partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
