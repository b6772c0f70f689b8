"""A progress bar for terminals; apart from `console`, since rich takes long to import."""

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from jointvos.cli.console import Meter, pace, stderr


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else pace(speed, self.unit))


class Bar(Meter):
    """A bar that goes away at the end."""

    def __init__(self, unit: str, total: int | None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(unit),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[last]}"),
            console=stderr(),
            transient=True,
        )
        self._task = self._progress.add_task(unit, total=total, last="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._progress.stop()

    def advance(self, last: str = "") -> None:
        self._progress.update(self._task, advance=1, last=last)
