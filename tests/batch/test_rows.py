import json
from pathlib import Path

import pytest

from jointvos.batch import read_rows
from jointvos.errors import ConfigError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_names_its_columns_and_leaves_fields_empty(tmp_path):
    text = (
        "\ufeffvideo,mask,box,start,mask-video\n"
        "a.mp4, a.png; 120=b.png;,;, 4.5s ,\n"
        "\n"
        " ,,\t,,\n"
        'sub/b.mp4,, "1,2,3,4;5,6,7,8=2",,b.mkv\n'
    )
    a, b = read_rows(write(tmp_path / "clips.csv", text))
    assert (a.place, a.folder, a.name) == (f"{tmp_path}/clips.csv, line 2", tmp_path, "a")
    assert a.values == {"video": "a.mp4", "mask": ("a.png", "120=b.png"), "start": "4.5s"}
    assert b.values == {
        "video": "sub/b.mp4",
        "box": ("1,2,3,4", "5,6,7,8=2"),
        "mask_video": "b.mkv",
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('"video";mask\r\na.mp4;"a.png;7=b, c.png"\r\n', id="semicolons"),
        pytest.param("mask\tvideo\na.png;7=b, c.png\ta.mp4\n", id="tabs"),
        pytest.param('video,mask,\na.mp4,"a.png;7=b, c.png",\n,,\n', id="a column of nothing"),
    ],
)
def test_tables_of_spreadsheets_are_read(tmp_path, text):
    (row,) = read_rows(write(tmp_path / "clips.csv", text))
    assert row.values == {"video": "a.mp4", "mask": ("a.png", "7=b, c.png")}
    assert row.place.endswith("line 2")


def test_json_lines_hold_lists_and_numbers(tmp_path):
    lines = [
        {"video": "a.mp4", "mask": "a.png", "objects": [1, 3], "end": 40, "start": None},
        {"video": "a.mp4", "box": [1, 2, 3, 4], "out": "part/a2", "objects": ["fish", 2]},
        {"video": "b.mp4", "box": [[1, 2, 3, 4], "5,6,7,8"]},
    ]
    text = "\n\n".join(map(json.dumps, lines))
    rows = list(read_rows(write(tmp_path / "clips.jsonl", text)))
    assert [row.values for row in rows] == [
        {"video": "a.mp4", "mask": ("a.png",), "objects": "1,3", "end": "40"},
        {"video": "a.mp4", "box": ("1,2,3,4",), "out": "part/a2", "objects": "fish,2"},
        {"video": "b.mp4", "box": ("1,2,3,4", "5,6,7,8")},
    ]
    assert [row.name for row in rows] == ["a", "part/a2", "b"]


def test_in_a_folder_masks_stand_beside_videos(tmp_path):
    for name in (
        *("a.mp4", "a.png", "b.MOV", "b_mask.png", "c.mkv", "c/00000.png", "d.webm"),
        *("d.jpg", "notes.txt", ".hidden.mp4", "e.png"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    rows = read_rows(tmp_path)
    assert [(row.name, row.values.get("mask")) for row in rows] == [
        *(("a", ("a.png",)), ("b", ("b_mask.png",)), ("c", ("c/00000.png",)), ("d", None))
    ]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        pytest.param("a.csv", "video,mesk\n", "line 1: no column 'mesk'; expected", id="column"),
        pytest.param("a.csv", "video,video\n", "line 1: a column occurs twice", id="twice"),
        pytest.param("a.csv", "video,mask\na.mp4\n", "line 2 has 1 field, expected 2", id="short"),
        pytest.param("a.csv", "video;mask\na;b;c\n", "contain ';' in quotes", id="long"),
        pytest.param("a.csv", "video,\na,b\n", "line 2: 'b' stands in a column", id="no name"),
        pytest.param("a.csv", 'video\n"a.mp4\n', "line 2: unexpected end", id="quote"),
        pytest.param("a.csv", "mask\na.png\n", "line 2 names no video", id="no video"),
        pytest.param("a.csv", "video,mask\n", "holds no video", id="only a head"),
        pytest.param("a.csv", "", "holds no video", id="empty"),
        pytest.param("a.jsonl", '{"video": "a.mp4"', "line 1 is not JSON", id="JSON"),
        pytest.param("a.jsonl", "[" * 99999, "line 1 is not JSON", id="deep JSON"),
        pytest.param("a.jsonl", '["a.mp4"]', "line 1: expected an object", id="no object"),
        pytest.param("a.jsonl", '{"video": true}', "video is true, expected text", id="type"),
        pytest.param("a.jsonl", '{"video": ["a", "b"]}', 'video is ["a", "b"]', id="list"),
        pytest.param("a.jsonl", '{"video": "a", "mask": [{}]}', "mask is {}", id="inner type"),
        pytest.param("a.txt", "a.mp4", "a list is a .csv or .jsonl file, or a folder", id="kind"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_with_its_line(tmp_path, name, text, says):
    with pytest.raises(ConfigError) as raised:
        list(read_rows(write(tmp_path / name, text)))
    assert says in str(raised.value)
    assert str(tmp_path / name) in str(raised.value)


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"video\n\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"No such file or directory$"):
        list(read_rows(tmp_path / "none.csv"))
    with pytest.raises(ConfigError, match=r"No such file .*did you mean .*bytes\.csv\?"):
        list(read_rows(tmp_path / "byte.csv"))
    with pytest.raises(ConfigError, match="is not UTF-8"):
        list(read_rows(tmp_path / "bytes.csv"))
    with pytest.raises(ConfigError, match="holds no video"):
        list(read_rows(tmp_path))
