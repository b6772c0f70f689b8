from pathlib import Path

import pytest

from jointvos.files.close_names import did_you_mean

FILES = ["clip.mp4", "clip.mov", "first.png", "IMG_0001.mov", ".clap.mp4", "shots/take.mp4"]


def is_video(path: Path) -> bool:
    return path.is_dir() or path.suffix in (".mp4", ".mov")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("clp.mp4", "clip.mp4"),
        ("clip.mv", "clip.mov"),
        ("Clip.MP4", "clip.mp4"),
        ("shot", "shots"),
        ("shots/tkae.mp4", "shots/take.mp4"),
        ("shosts/take.mp4", "shots/take.mp4"),
        ("shosts/other.mp4", None),
        ("frist.png", None),
        ("IMG_0002.mov", None),
        ("a.mp4", None),
        ("x" * 300 + ".mp4", None),
    ],
)
def test_names_that_are_close_and_of_the_right_kind(tmp_path, monkeypatch, given, meant):
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    question = "" if meant is None else f"did you mean {meant}?"
    assert did_you_mean(Path(given), is_video) == question
