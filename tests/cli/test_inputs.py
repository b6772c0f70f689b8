import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from clips import scene
from folders import BROKEN_FOLDERS, FOLDERS
from mask_files import BROKEN_MASKS
from videos import BROKEN, VIDEOS

from jointvos.masks import write_mask_png

OUTPUTS = ("-q", "--json", "-o", "out")


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    ids = np.zeros((48, 64), dtype=np.uint8)
    ids[20:40, 20:44] = 1
    write_mask_png(tmp_path / "square.png", ids)
    return tmp_path / "square.png"


@pytest.fixture
def refused(jointvos, inputs):
    """Run a command that must end with a code, a line that names a file, and nothing else."""

    def run(code: int, named: str, *arguments: str | Path) -> None:
        before = {path.name for path in inputs.rglob("*")}
        ended = jointvos("segment", *arguments, *OUTPUTS, timeout=60)
        assert ended.returncode == code, ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert named in ended.stderr
        assert ended.peak_kib < 1_500_000
        assert {path.name for path in inputs.rglob("*")} == before

    return run


def cases(every: Iterable[str], *quick: str) -> list[object]:
    """All of them, most only with the slow tests: tests/corpus reads each without the command."""
    every = list(every)
    assert {*quick} <= {*every}
    return [pytest.param(n, marks=[] if n in quick else pytest.mark.slow) for n in every]


@pytest.mark.parametrize(
    "name",
    cases(
        BROKEN,
        *("trunc_no_moov", "trunc_mid_mkv", "trunc_gif", "bitflip_data", "zero_byte"),
        *("audio_only", "bomb_y4m", "bomb_gif", "concat_lfi", "image", "missing", "symlink_loop"),
    ),
)
def test_broken_videos_end_with_3(refused, tmp_path, mask, tiny_weights, name):
    folder = tmp_path / "video"
    folder.mkdir()
    path = BROKEN[name][0](folder)
    refused(3, path.name, path, "--mask", mask, "--weights", tiny_weights)


@pytest.mark.parametrize("name", cases(BROKEN_FOLDERS, "empty_dir", "seq_truncated_jpeg"))
def test_broken_folders_end_with_3(refused, tmp_path, mask, tiny_weights, name):
    folder = tmp_path / "images"
    folder.mkdir()
    BROKEN_FOLDERS[name][0](folder)
    refused(3, "images", folder, "--mask", mask, "--weights", tiny_weights)


@pytest.mark.parametrize(
    "name",
    cases(BROKEN_MASKS, "half", "empty", "palette_order", "png_bomb_real", "png_zero"),
)
def test_broken_masks_end_with_4(refused, tmp_path, tiny_weights, name):
    (tmp_path / "video").mkdir()
    video = VIDEOS["two_frames"].make(tmp_path / "video")
    path = tmp_path / "broken.png"
    BROKEN_MASKS[name][0](path)
    refused(4, "broken.png", video, "--mask", path, "--weights", tiny_weights)


def seen(run) -> list[int]:
    assert run.returncode == 0, run.stderr
    return [json.loads(line)["frame"] for line in run.stdout.splitlines()]


@pytest.mark.parametrize(
    "name",
    cases(
        VIDEOS,
        *("one_frame", "tiny_16", "vfr_mp4", "rot90", "col_pq", "alpha_qtrle", "res_change", "gif"),
        *(name for name in VIDEOS if name.startswith("name_")),
    ),
)
def test_videos_of_every_kind(jointvos, tmp_path, tiny_weights, name):
    video = VIDEOS[name]
    (tmp_path / "video").mkdir()
    path = video.make(tmp_path / "video")
    width, height = video.size
    ids = np.zeros((height, width), dtype=np.uint8)
    ids[height // 3 : height - 2, width // 3 : width - 2] = 1
    write_mask_png(tmp_path / "square.png", ids)
    # Everything but the model's work, which does not depend on the kind of video.
    count = min(len(video.numbers), 3)
    run = jointvos(
        *("segment", path, "--mask", "square.png", "--weights", tiny_weights, *OUTPUTS),
        *("--memory-size", "2", "--end", str(count), "--cuts", "off"),
    )
    assert seen(run) == list(range(count))
    assert len(list((tmp_path / "out").iterdir())) == count


@pytest.mark.parametrize("name", cases(FOLDERS, "unpadded", "exif6", "one"))
def test_folders_of_every_kind(jointvos, tmp_path, mask, tiny_weights, name):
    folder = tmp_path / "images"
    folder.mkdir()
    FOLDERS[name].fill(folder)
    run = jointvos("segment", folder, "--mask", mask, "--weights", tiny_weights, *OUTPUTS)
    assert seen(run) == list(range(len(FOLDERS[name].numbers)))


PIXELS = b"".join(scene(i).tobytes() for i in range(3))


@pytest.mark.parametrize(
    ("kind", "share", "code"),
    [
        pytest.param("live_mkv", 1.0, 0, id="matroska"),
        pytest.param("h264_fragmented", 0.7, 3, id="cut mp4"),
        pytest.param("raw", 1.0, 0, id="pixels"),
        pytest.param("raw", 0.99, 3, id="cut pixels"),
    ],
)
def test_stdin(jointvos, inputs, tmp_path, mask, tiny_weights, kind, share, code):
    (tmp_path / "video").mkdir()
    data = PIXELS if kind == "raw" else VIDEOS[kind].make(tmp_path / "video").read_bytes()
    run = jointvos(
        *("segment", "-", "--mask", mask, "--weights", tiny_weights, *OUTPUTS),
        *(("--raw", "64x48@25") if kind == "raw" else ()),
        stdin=data[: int(len(data) * share)],
    )
    assert run.returncode == code, run.stderr
    if code == 0:
        assert len(run.stdout.splitlines()) == (3 if kind == "raw" else 6)
    else:
        assert len(run.stderr.splitlines()) == 1
        assert not (inputs / "out").exists()


def test_addresses_need_permission(jointvos, mask):
    run = jointvos("segment", "http://127.0.0.1:9/clip.mp4", "--mask", mask, *OUTPUTS)
    assert run.returncode == 2
    assert "http://127.0.0.1:9/clip.mp4 is on the network" in run.stderr
    assert "--allow-network" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_a_dead_server_ends_with_3(jointvos, mask):
    run = jointvos(
        "segment", "http://127.0.0.1:9/clip.mp4", "--allow-network", "--mask", mask, *OUTPUTS
    )
    assert run.returncode == 3
    assert "http://127.0.0.1:9/clip.mp4: no connection" in run.stderr
    assert len(run.stderr.splitlines()) == 1
