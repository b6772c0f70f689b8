"""A batch whose files are behind URLs, with an engine that works in this process."""

import json
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from clips import encode
from command import SMALL
from fsspec.implementations.memory import MemoryFileSystem

from jointvos import config
from jointvos.batch import Batch, Ended, Entry, Looked, VideoEnded, read_rows
from jointvos.batch.attempt import attempt
from jointvos.batch.engine import News
from jointvos.batch.tasks import Task
from jointvos.masks import write_mask_png
from jointvos.runs import Outputs, SegmentJob, SessionSpec

MEMORY = fsspec.filesystem("memory")
FRAMES = 5


class Here:
    """Does the tasks in this process."""

    def places(self, session: SessionSpec) -> tuple[str, ...]:
        return ("cpu",)

    def carry_out(
        self, session: SessionSpec, tasks: Iterator[Task]
    ) -> Generator[tuple[Task, News], None, None]:
        model = session.load()
        for task in tasks:
            yield task, attempt(task, model, lambda underway: None)

    def stop(self) -> None:
        pass


class Full(MemoryFileSystem):
    """Memory that is full when the third file comes."""

    protocol = "full"
    files = 0

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("full://", "memory://"))

    def put_file(self, *args: object, **options: object) -> None:
        type(self).files += 1
        if type(self).files == 3:
            raise OSError("no space is left")
        super().put_file(*args, **options)


@pytest.fixture(autouse=True)
def _small_and_empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(config.INFERENCE, "small", SMALL)
    fsspec.register_implementation("full", Full)
    yield
    MEMORY.store.clear()
    MEMORY.pseudo_dirs[:] = [""]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """clip.mp4, with its mask beside it."""
    images = np.full((FRAMES, 64, 96, 3), 60, np.uint8)
    for t, image in enumerate(images):
        image[20:40, 10 + t : 30 + t] = (250, 220, 60)
    path = encode(tmp_path / "clip.mp4", images)
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 10:30] = 1
    write_mask_png(path.with_suffix(".png"), mask)
    return path


@pytest.fixture
def carry_out(tmp_path: Path, tiny_weights: Path):
    """Carries rows out; returns what was found, what came of them, and the end."""

    def run(rows: list[dict[str, object]], folder: str, **options: bool):
        path = tmp_path / "clips.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        session = SessionSpec(weights=tiny_weights, device="cpu")
        outputs = Outputs(png="{name}/ids")
        template = SegmentJob("", outputs=outputs, session=session, allow_network=True)
        record = tmp_path / "record"
        with Batch(
            read_rows(path), Path(folder), template, record=record, engine=Here(), **options
        ) as batch:
            events = list(batch)
        looked = [event for event in events if isinstance(event, Looked)]
        entries = [event.entry for event in events if isinstance(event, VideoEnded)]
        return looked, entries, events[-1]

    return run


def left(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "record").glob(".scratch*/**/*"))


def test_what_is_fetched_and_stored_is_as_on_one_machine(tmp_path, clip, carry_out):
    MEMORY.put(str(clip), "/in/a.mp4")
    MEMORY.put(str(clip.with_suffix(".png")), "/in/a.png")
    urls = {"video": "memory://in/a.mp4", "mask": "memory://in/a.png", "stats": "memory://s.csv"}
    boxed = {"video": "memory://in/a.mp4", "box": "10,20,20,20", "out": "b"}
    (looked, *_), entries, ended = carry_out([urls, boxed], "memory://out")
    assert (looked.verdict, looked.frames) == ("todo", None)
    assert looked.outputs == ("memory://out/a/ids", "memory://s.csv")
    assert [entry.error for entry in entries] == [None, None]
    assert isinstance(ended, Ended)
    assert ended.done == 2
    assert entries[0].outputs == looked.outputs
    assert entries[1].outputs == ("memory://out/b/ids", "memory://out/b_first_mask.png")
    assert entries[0].frames == FRAMES
    assert not left(tmp_path)

    local = {
        "video": str(clip),
        "mask": str(clip.with_suffix(".png")),
        "out": "a",
        "stats": "s.csv",
    }
    boxed["video"] = str(clip)
    (tmp_path / "record/batch.jsonl").unlink()
    carry_out([local, boxed], str(tmp_path / "out"))
    files = (path for path in (tmp_path / "out").rglob("*") if path.is_file())
    expected = {f"/out/{p.relative_to(tmp_path / 'out')}": p.read_bytes() for p in files}
    expected["/s.csv"] = expected.pop("/out/s.csv")
    made = MEMORY.cat([name for name in MEMORY.find("/") if not name.startswith("/in/")])
    assert len(made) == 2 * FRAMES + 2
    assert made == expected


def test_what_has_not_changed_is_not_done_again(tmp_path, clip, carry_out):
    MEMORY.put(str(clip), "/in/a.mp4")
    rows = [{"video": "memory://in/a.mp4", "mask": str(clip.with_suffix(".png"))}]
    carry_out(rows, "memory://out")
    (looked,), entries, ended = carry_out(rows, "memory://out")
    assert (looked.verdict, entries, ended.skipped) == ("done", [], 1)
    MEMORY.rm("/out/a/ids", recursive=True)
    (looked,), (entry,), _ = carry_out(rows, "memory://out")
    assert (looked.reason, entry.status) == ("its outputs are gone", "done")
    MEMORY.put(str(clip), "/in/a.mp4")
    (looked,), (entry,), _ = carry_out(rows, "memory://out")
    assert (looked.reason, entry.status) == ("its inputs have changed", "done")
    assert len(MEMORY.find("/out")) == FRAMES


def test_a_dry_run_fetches_nothing(tmp_path, clip, carry_out):
    MEMORY.put(str(clip), "/in/a.mp4")
    mask = str(clip.with_suffix(".png"))
    MEMORY.pipe("/out/c/ids/0.png", b"of somebody else")
    rows = [
        {"video": "memory://in/a.mp4", "mask": mask},
        {"video": "memory://in/none.mp4", "mask": mask},
        {"video": str(clip), "mask": "memory://in/none.png", "out": "b"},
        {"video": str(clip), "mask": mask, "out": "c"},
        {"video": "memory://in/a.mp4", "mask": str(tmp_path / "none.png"), "out": "d"},
        {"video": str(clip), "mask": mask, "out": "e"},
    ]
    looked, entries, _ = carry_out(rows, "memory://out", dry=True)
    assert not entries
    assert [(each.verdict, each.reason) for each in looked] == [
        ("todo", None),
        ("refused", "memory://in/none.mp4 does not exist"),
        ("refused", "memory://in/none.png does not exist"),
        ("refused", "memory://out/c/ids already exists; use `overwrite=True` to replace it"),
        ("refused", f"{tmp_path}/none.png: No such file or directory"),
        ("todo", None),
    ]
    assert (looked[0].frames, looked[5].frames) == (None, FRAMES)
    assert not (tmp_path / "record").exists()


def test_a_transfer_that_breaks_off_fails_its_video_and_is_tried_again(tmp_path, clip, carry_out):
    rows = [{"video": str(clip), "mask": str(clip.with_suffix(".png"))}]
    _, (entry,), ended = carry_out(rows, "full://out")
    assert (entry.status, entry.exit_code) == ("failed", 11)
    assert entry.error == "full://out/clip/ids: OSError: no space is left"
    assert ended.failed[0].exit_code == 11
    assert not MEMORY.find("/out")
    _, (again,), ended = carry_out(rows, "full://out")
    assert (again.status, again.frames) == ("done", FRAMES)
    assert len(MEMORY.find("/out")) == FRAMES
    assert not left(tmp_path)


def test_what_an_interrupted_batch_has_stored_may_be_replaced(tmp_path, clip, carry_out):
    rows = [{"video": str(clip), "mask": str(clip.with_suffix(".png"))}]
    carry_out(rows, "memory://out")
    path = tmp_path / "record/batch.jsonl"
    begun, done = map(Entry.of_line, path.read_bytes().splitlines())
    assert (begun.status, done.status) == ("begun", "done")
    path.write_text(begun.line() + "\n")
    MEMORY.rm(f"/out/clip/ids/0000{FRAMES - 1}.png")  # the end of it was not stored
    _, (entry,), _ = carry_out(rows, "memory://out")
    assert replace(entry, ended="", seconds=0) == replace(done, ended="", seconds=0)
    assert len(MEMORY.find("/out")) == FRAMES


def test_messages_name_what_was_given(tmp_path, clip, carry_out):
    write_mask_png(clip.with_suffix(".png"), np.ones((10, 10), np.uint8))
    MEMORY.put(str(clip.with_suffix(".png")), "/in/small.png")
    _, (entry,), _ = carry_out(
        [{"video": str(clip), "mask": "memory://in/small.png"}], "memory://o"
    )
    assert (entry.exit_code, entry.status) == (4, "failed")
    assert entry.error.startswith("memory://in/small.png is 10x10")
    assert not left(tmp_path)
