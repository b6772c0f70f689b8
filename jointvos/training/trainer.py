"""A run and its folder: log, checkpoints, images, and the weights that are kept.

In the folder: `recipe.toml`, `log.csv`, `validation.csv`, `last.ckpt` (to go on from),
`curves.png`, `samples.png`, `best.safetensors` (by validation J&F) and, in the end,
`<model>.safetensors` and, of a run by minutes, `recipe_by_steps.toml`, which repeats it.
"""

import csv
import ctypes
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import astuple, fields
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import torch

from jointvos.checkpoints.state_file import save_state
from jointvos.errors import NonFiniteLoss
from jointvos.files.whole_file import remove_partials, whole_file
from jointvos.model import JointNet
from jointvos.training.images.contact_sheet import draw_strip
from jointvos.training.run import Run, StepReport
from jointvos.training.train_config import counted, recipe_text
from jointvos.training.validation import Validation

LOG = [field.name for field in fields(StepReport)]
Save = Callable[[JointNet, Path], None]

# Of malloc.h; only glibc has them.
TRIM_THRESHOLD = -1
LARGE_BLOCKS_AT_MOST = -4


def keep_freed_memory() -> bool:
    """Have this process keep the memory it frees, from here on.

    A step allocates and frees the same tensors as the one before. Unasked, glibc gives each large
    one back to the system, which then zeroes every page of it anew: a quarter of a training step
    on a CPU. The price is that memory is handed back to the system only at the end.

    Returns:
        Whether the C library of this system can.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl; Windows has no handle of its own
        return False
    return bool(mallopt(LARGE_BLOCKS_AT_MOST, 0)) and bool(mallopt(TRIM_THRESHOLD, -1))


class Trainer:
    """Runs a `Run` and keeps its folder.

    Args:
        run: What is trained.
        out: The folder; only the first process writes.
        save: Writes a weights file.
        validate: Tracks validation sequences with a network; None for no validation.
        stop: Once it is set, the step in hand is finished and a checkpoint written.
        seconds: Stop by itself after so many, in the same way.
        on_validation: Told what each validation found.

    Attributes:
        draws: Whether `curves.png` is drawn: matplotlib, which it takes, is an extra.
    """

    def __init__(
        self,
        run: Run,
        out: Path,
        *,
        save: Save,
        validate: Callable[[JointNet], Validation] | None = None,
        stop: Event | None = None,
        seconds: float = float("inf"),
        on_validation: Callable[[Validation], None] | None = None,
    ) -> None:
        self.run = run
        self.out = out
        self.save = save
        self.validate = validate
        self.stop = stop or Event()
        self.seconds = seconds
        self.on_validation = on_validation
        self.draws = find_spec("matplotlib") is not None
        self.validations: list[tuple[int, float]] = []
        self.rows: list[dict[str, float]] = []
        self._earlier: list[dict[str, str]] = []

    def resume(self) -> None:
        """Go on from the folder's checkpoint; rows of the logs that came after it are dropped."""
        self.run.resume(self.out / "last.ckpt")
        if self.run.processes.first:
            remove_partials(self.out)
        self._earlier = _rows_before(self.run.step, self.out / "log.csv")
        self.rows = [{key: float(value) for key, value in row.items()} for row in self._earlier]
        validated = _rows_before(self.run.step + 1, self.out / "validation.csv")
        self.validations = [(int(row["step"]), float(row["j_and_f"])) for row in validated]

    def train(self) -> Iterator[StepReport]:
        """Train to the end or until it is told to stop, one report per step.

        Raises:
            NonFiniteLoss: The loss became NaN or infinite; the batch is in `nonfinite.pt`.
            OutputError: A file cannot be written.
        """
        run, config = self.run, self.run.config
        begin = time.monotonic()
        first = run.processes.first
        with ExitStack() as files:
            if first:
                self.out.mkdir(parents=True, exist_ok=True)
                (self.out / "recipe.toml").write_text(recipe_text(config), encoding="utf-8")
                earlier = [list(row.values()) for row in self._earlier]
                _write_rows(self.out / "log.csv", LOG, earlier)
                log = files.enter_context(
                    (self.out / "log.csv").open("a", newline="", encoding="utf-8")
                )
                rows = csv.writer(log)
            for report in self._steps():
                if first:
                    rows.writerow(astuple(report))
                    log.flush()
                    self.rows.append(dict(zip(LOG, astuple(report), strict=True)))
                yield report
                if run.step % config.validation_steps == 0 and not run.over:
                    self._validate()
                stopping = self.stop.is_set() or time.monotonic() - begin > self.seconds
                stopping = run.processes.any(stopping, run.device)
                if stopping or run.step % config.checkpoint_steps == 0:
                    self._keep()
                if stopping and not run.over:
                    return
        self._validate()
        self._keep()
        if first:
            if config.minutes:
                repeat = recipe_text(counted(config, run.taken))
                (self.out / "recipe_by_steps.toml").write_text(repeat, encoding="utf-8")
            self.save(run.kept, self.out / f"{config.model}.safetensors")

    def _keep(self) -> None:
        if self.run.processes.first:
            save_state(self.out / "last.ckpt", self.run.state())
            if self.draws:
                from jointvos.training.images.charts import draw_curves

                draw_curves(self.rows, self.validations, self.out / "curves.png")

    def _steps(self) -> Iterator[StepReport]:
        try:
            yield from self.run.steps()
        except NonFiniteLoss as error:
            path = self.out / "nonfinite.pt"
            if self.run.batch is not None:
                self.out.mkdir(parents=True, exist_ok=True)
                batch = {"images": self.run.batch.images, "masks": self.run.batch.masks}
                torch.save({"step": self.run.step, **batch}, path)
            raise NonFiniteLoss(f"{error}; its batch is in {path}") from error

    def _validate(self) -> None:
        if self.validate is None or not self.run.processes.first:
            return
        found = self.validate(self.run.kept)
        best = max((score for _, score in self.validations), default=float("-inf"))
        if found.j_and_f > best:
            self.save(self.run.kept, self.out / "best.safetensors")
        self.validations.append((self.run.step, found.j_and_f))
        _write_rows(self.out / "validation.csv", ["step", "j_and_f"], self.validations)
        draw_strip(found.strips, self.out / "samples.png")
        if self.on_validation is not None:
            self.on_validation(found)


def _write_rows(path: Path, header: list[str], rows: Iterable[Sequence[object]]) -> None:
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _rows_before(step: int, path: Path) -> list[dict[str, str]]:
    """Rows of a log before a step; what a run wrote after its last checkpoint is done again."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if int(row["step"]) < step]
