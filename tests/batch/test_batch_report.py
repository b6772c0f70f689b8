import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from jointvos.batch import Entry, ObjectSummary, Record
from jointvos.batch.report import save_thumbnail, write_report

NAME = "a <script>alert('b')</script>"
DONE = Entry(
    name="good", status="done", video="clips/good.mp4", frames=40, seconds=4.0,
    device="cuda:1",
    objects=(ObjectSummary(1, 0, (900, 950)),),
)  # fmt: skip
LOSING = replace(
    DONE, name="losing", objects=(ObjectSummary(1, 0, (9, 9)), ObjectSummary(7, 10, (None, 50, 0)))
)
FAILED = Entry(name=NAME, status="failed", video="b&b.mp4", exit_code=3, error="it is <damaged>")


def write(folder: Path, *entries: Entry, left: tuple[str, ...] = ()) -> tuple[str, dict]:
    """The reports of videos that ended in that order."""
    lines = "".join(f"{entry.line()}\n" for entry in entries)
    (folder / "batch.jsonl").write_text(lines, encoding="utf-8")
    videos = [(name, f"{name}.mp4") for name in left]
    videos += [(entry.name, entry.video) for entry in entries]
    with Record(folder) as record:
        page = write_report(folder, videos, record)
    assert page == folder / "report.html"
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return page.read_text(encoding="utf-8"), data


def shown(page: str) -> list[str]:
    return re.findall(r'<div class="name">(.*?)</div>', page)


def test_what_needs_a_look_stands_first(tmp_path):
    page, data = write(tmp_path, DONE, LOSING, FAILED, left=("not begun",))
    escaped = "a &lt;script&gt;alert(&#39;b&#39;)&lt;/script&gt;"
    assert shown(page) == [escaped, "not begun", "losing", "good"]
    assert "<script" not in page
    assert "it is &lt;damaged&gt;" in page
    assert "lost in 10" in page
    assert page.count("4.0 s<br>cuda:1<") == 2
    assert page.count("<polyline") == 3
    assert [video["name"] for video in data["videos"]] == ["not begun", "good", "losing", NAME]
    assert data["videos"][0] == {"name": "not begun", "video": "not begun.mp4", "status": "left"}
    assert data["videos"][1] == json.loads(DONE.line())
    summary = data["summary"]
    assert [summary[key] for key in ("videos", "done", "failed", "left")] == [4, 2, 1, 1]
    assert (summary["frames"], summary["seconds"]) == (80, 8.0)


def test_what_is_done_again_is_left_until_it_is_done(tmp_path):
    page, data = write(tmp_path, replace(DONE, status="begun"))
    assert data["videos"] == [{"name": "good", "video": "clips/good.mp4", "status": "left"}]
    assert "not done" in page


def test_thumbnails_are_in_the_page_and_nothing_is_loaded(tmp_path):
    for name in ("good", NAME):
        save_thumbnail(tmp_path, name, b"\xff\xd8 an image")
    save_thumbnail(tmp_path, "none", None)
    page, _ = write(tmp_path, DONE, FAILED)
    assert page.count("<img ") == 1  # none of what failed
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == [
        "data:image/jpeg;base64,/9ggYW4gaW1hZ2U="
    ]


def test_a_long_list_is_shown_in_part(tmp_path):
    entries = [replace(DONE, name=f"v{number}") for number in range(2100)]
    page, data = write(tmp_path, *entries, LOSING)
    assert len(data["videos"]) == 2101
    assert shown(page)[:3] == ["losing", "v0", "v1"]
    assert len(shown(page)) == 2000
    assert "The 2000 of 2101 videos that need a look the most" in page


@pytest.mark.parametrize("name", ["\udcff.mp4", "a\nb", 'a"b'])
def test_any_name_can_be_written(tmp_path, name):
    _, data = write(tmp_path, replace(DONE, name=name))
    assert data["videos"][0]["name"] == name
