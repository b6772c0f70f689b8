from dataclasses import replace

import pytest

from jointvos.batch import Entry, ObjectSummary, Record
from jointvos.errors import OutputError

DONE = Entry(
    name="a",
    status="done",
    video="clips/ä.mp4",
    frames=12,
    seconds=1.5,
    outputs=("a_masks",),
    objects=(ObjectSummary(2, 1, (None, 900, 0)),),
)
FAILED = Entry(name="b", status="failed", video="b.mp4", exit_code=3, error="it is damaged")


def test_the_last_line_of_a_video_counts(tmp_path):
    with Record(tmp_path) as record:
        for entry in (FAILED, DONE, replace(FAILED, status="done", exit_code=0, error=None)):
            record.append(entry)
        assert record.get("a") == DONE
        assert record.get("c") is None
    with Record(tmp_path) as record:
        assert [(entry.name, entry.status) for entry in record] == [("b", "done"), ("a", "done")]
        assert record.get("a") == DONE
    assert len(record.path.read_text().splitlines()) == 3


def test_outputs_of_all_lines_are_known(tmp_path):
    with Record(tmp_path) as record:
        for entry in (DONE, FAILED, replace(DONE, outputs=("a.csv", "b.csv"))):
            record.append(entry)
        record.append(replace(DONE, name="b", outputs=("b.csv",)))
        assert record.written() == {"a_masks": "a", "a.csv": "a", "b.csv": "b"}


@pytest.mark.parametrize("size", [1, 20, -1])
def test_a_torn_last_line_is_cut_off(tmp_path, size):
    with Record(tmp_path) as record:
        record.append(DONE)
        whole = record.path.read_bytes()
        record.append(FAILED)
    torn = record.path.read_bytes()[len(whole) :][:size]
    record.path.write_bytes(whole + torn)
    with Record(tmp_path, append=False) as record:
        assert [entry.name for entry in record] == ["a"]
    assert record.path.read_bytes() == whole + torn
    with Record(tmp_path) as record:
        record.append(FAILED)
        assert [entry.name for entry in record] == ["a", "b"]
    assert len(record.path.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("line", ["", "[]", '{"name": "a"}', '{"name": "a'])
def test_a_damaged_line_is_named(tmp_path, line):
    (tmp_path / "batch.jsonl").write_text(f"{DONE.line()}\n{line}\n")
    with pytest.raises(OutputError, match=r"^[^ ]*batch\.jsonl, line 2 is damaged; delete"):
        Record(tmp_path)


def test_what_a_later_version_adds_is_left_out(tmp_path):
    line = DONE.line().replace('"name"', '"mood": "good", "name"')
    (tmp_path / "batch.jsonl").write_text(line + "\n")
    with Record(tmp_path) as record:
        assert record.get("a") == DONE


def test_without_a_folder_there_is_nothing(tmp_path):
    with Record(tmp_path / "none", append=False) as record:
        assert list(record) == []
    with pytest.raises(OutputError, match="cannot be used"):
        Record(tmp_path / "none")
