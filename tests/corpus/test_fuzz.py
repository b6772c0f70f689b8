import os
import subprocess
import sys
from pathlib import Path

import pytest
from videos import VIDEOS

from jointvos.media.reading import open_source

SEED = int(os.environ.get("JOINTVOS_FUZZ_SEED", "1"))
COUNT = int(os.environ.get("JOINTVOS_FUZZ_COUNT", "2000"))
BATCH = 250
CASE_S = 60
PEAK_MIB = 2000
WORKER = Path(__file__).with_name("fuzz_worker.py")

BASES = (
    *("h264_mp4", "h264_faststart", "h264_fragmented", "h264_mkv", "live_mkv", "h264_ts", "nut"),
    *("mpeg2_ps", "flv1_flv", "mpeg4_avi", "mjpeg_avi", "vp8_webm", "vp9_webm", "av1_mp4"),
    *("hevc_mp4", "ffv1_mkv", "y4m", "raw_h264", "gif", "apng", "alpha_qtrle", "audio_subs"),
)


def run(folder: Path, first: int, last: int) -> list[list[str]]:
    """What the worker says of some cases; fails where one kills it or does not end."""
    with subprocess.Popen(
        [sys.executable, WORKER, folder, str(SEED), str(first), str(last)],
        cwd=folder.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        try:
            said, complaints = worker.communicate(timeout=CASE_S + 2 * (last - first))
        except subprocess.TimeoutExpired:
            worker.kill()
            said, complaints = worker.communicate()
            complaints += " (it hung)"
    lines = [line.split() for line in said.splitlines()]
    assert worker.returncode == 0, f"seed {SEED}, case {lines[-1][:1]}: {complaints[-2000:]}"
    last_word, peak_mib = lines.pop()
    assert last_word == "peak"
    assert int(peak_mib) <= PEAK_MIB
    return [line for line in lines if line[1] != "begins"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_damaged_videos_end_within_their_limits(tmp_path):
    """Set JOINTVOS_FUZZ_SEED to a number to try other damage."""
    videos = tmp_path / "videos"
    videos.mkdir()
    whole = {}
    for name in BASES:
        (tmp_path / name).mkdir()
        path = VIDEOS[name].make(tmp_path / name)
        path = path.rename(videos / f"{name}{path.suffix}")
        with open_source(path) as source:
            whole[path.name] = len(list(source))
    seen = []
    for first in range(0, COUNT, BATCH):
        seen += run(videos, first, min(first + BATCH, COUNT))
    assert len(seen) == COUNT
    cut = [line for line in seen if line[1] == "cut"]
    silent = [line for line in cut if line[4] == "complete" and int(line[3]) < whole[line[2]]]
    print(f"{len(seen)} videos, {len(cut)} of them cut, {len(silent)} not noticed: {silent}")
    # Only a cut between two parts of a video that does not say how long it is goes unnoticed.
    assert len(silent) <= 0.02 * len(cut), silent
