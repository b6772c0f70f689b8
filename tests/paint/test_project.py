import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from studio import FRAMES, SIZE, square

from jointvos.errors import ConfigError, MaskError, OutputError
from jointvos.media.reading import open_finder
from jointvos.paint import Project
from jointvos.paint.followed import Followed
from jointvos.paint.project_file import PaintedObject
from jointvos.types import FrameResult, ObjectState


def two():
    mask = square()
    mask[65:85, 5:25] = 2
    return mask


def test_what_was_done_is_there_again(studio, reopened):
    studio.paint(0, two(), "1,2")
    studio.project.set_objects([PaintedObject(2, "Cup", False), PaintedObject(1, "Man", True)])
    studio.follow()
    shown = [studio.mask(index) for index in range(FRAMES)]
    state = studio.client.get("state").json()
    studio.__exit__()
    killed = studio.project.masks / f".00000.png.{'0' * 16}.partial"
    killed.touch()
    with reopened() as again:
        assert not killed.exists()
        assert again.client.get("state").json() == state
        assert [each.name for each in again.project.objects] == ["Cup", "Man"]
        assert all(np.array_equal(again.mask(index), shown[index]) for index in range(FRAMES))
    studio.__enter__()


def test_only_what_was_painted_becomes_a_mask_to_follow(studio):
    studio.paint(0, two(), "1,2")
    studio.follow()
    shown = studio.mask(9)
    changed = np.where(square(9) > 0, square(9), np.where(shown == 1, 0, shown)).astype(np.uint8)
    studio.paint(9, changed, "1")
    assert np.array_equal(studio.project.given(9), square(9))
    assert np.array_equal(studio.mask(9), changed)
    assert studio.project.given_ids(9) == (1,)


def test_erasing_all_that_was_painted_leaves_what_following_has_found(studio):
    studio.paint(0, two(), "1,2")
    studio.follow()
    shown = studio.mask(9)
    studio.paint(9, np.where(shown == 1, 0, shown).astype(np.uint8), "1")
    assert studio.project.painted() == [0]
    assert not (studio.mask(9) == 1).any()  # it stays erased
    assert studio.client.delete("mask/9").status_code == 200
    assert np.array_equal(studio.mask(9), shown)


def test_a_removed_object_is_gone_everywhere(studio):
    studio.paint(0, two(), "1,2")
    studio.paint(5, square(5), "1")
    studio.follow()
    assert studio.client.delete("objects/1").status_code == 200
    assert [each.id for each in studio.project.objects] == [2]
    assert studio.project.painted() == [0]
    assert set(np.unique(studio.mask(0))) == {0, 2}
    assert not (studio.mask(18) == 1).any()
    assert studio.project.done["forward"] is None


def test_objects_cannot_be_dropped_from_the_list_by_mistake(studio):
    studio.paint(0, two(), "1,2")
    with pytest.raises(ConfigError, match="lacks the object 2"):
        studio.project.set_objects([PaintedObject(1, "Man")])
    with pytest.raises(ConfigError, match="different IDs"):
        studio.project.set_objects([PaintedObject(1, "a"), PaintedObject(1, "b")])


def test_names_from_files_do_not_replace_those_of_the_user(studio):
    studio.paint(0, two(), "1,2")
    studio.project.set_objects([PaintedObject(1, "Man"), PaintedObject(2, "Object 2", False)])
    studio.project.rename({1: "person", 2: "cup", 9: "nobody"})
    assert studio.project.objects == [PaintedObject(1, "Man"), PaintedObject(2, "cup", False)]
    assert studio.project.names() == {1: "Man", 2: "cup"}


def test_a_project_is_open_once(studio, reopened):
    with pytest.raises(ConfigError, match="open in another jointvos paint"):
        reopened().__enter__()


def test_a_project_of_another_video_is_refused(studio, reopened):
    studio.paint(0, square(), "1")
    studio.__exit__()
    path = studio.project.folder / "project.json"
    values = json.loads(path.read_text())
    values["video"]["width"] = 640
    path.write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=r"belongs to clip\.mp4, 640x96"):
        reopened().__enter__()
    values["video"]["width"] = SIZE[1]
    path.write_text(json.dumps(values))
    studio.__enter__()


def test_a_damaged_list_is_told_and_masks_are_listed_anew_without_it(studio, reopened):
    studio.paint(3, two(), "1,2")
    studio.__exit__()
    path = studio.project.folder / "project.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(OutputError, match="is damaged; delete it"):
        reopened().__enter__()
    path.unlink()
    studio.__enter__()
    assert studio.project.painted() == [3]
    assert np.array_equal(studio.mask(3), two())
    assert [each.id for each in studio.project.objects] == [1, 2]


def test_half_a_line_in_the_log_is_passed_over(studio, reopened):
    studio.paint(0, square(), "1")
    studio.follow()
    studio.__exit__()
    log = studio.project.folder / "followed" / "log.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    studio.__enter__()
    assert studio.project.done["forward"] == FRAMES - 2
    studio.follow()
    assert studio.project.done["forward"] == FRAMES - 1


def test_a_deleted_result_shows_nothing_instead_of_failing(studio):
    studio.paint(0, square(), "1")
    studio.follow()
    (studio.project.folder / "followed" / "00007.png").unlink()
    assert not studio.mask(7).any()


def test_masks_of_the_wrong_size_or_with_wrong_ids_are_refused(studio):
    with pytest.raises(MaskError, match="expected"):
        studio.project.paint(0, np.zeros((4, 5), np.uint8), [1])
    with pytest.raises(MaskError, match="the ID 255"):
        studio.project.paint(0, np.full(SIZE, 255, np.uint8), [1])


def test_images_of_a_folder_have_masks_of_their_names(tmp_path):
    from clips import scene
    from PIL import Image

    folder = tmp_path / "shots"
    folder.mkdir()
    for index in range(3):
        Image.fromarray(scene(index)).save(folder / f"shot{index + 9}.png")
    frames = open_finder(folder)
    mask = np.zeros((48, 64), np.uint8)
    mask[:9, :9] = 1
    with Project(frames) as project:
        project.paint(1, mask, [1])
        assert [path.name for path in project.masks.iterdir()] == ["shot10.png"]
        assert project.folder == tmp_path / "shots.jointvos"
    with Project(frames) as project:
        assert project.painted() == [1]


def test_patterns_have_projects_of_their_own(tmp_path):
    from clips import scene
    from PIL import Image

    for index in range(9):
        Image.fromarray(scene(index)).save(tmp_path / f"{'ab'[index % 2]}_{index:04d}.png")
    mask = np.zeros((48, 64), np.uint8)
    mask[:9, :9] = 1
    for name, given, other in (
        ("a_%04d.png", "a_0002", "b_0003"),
        ("b_####.png", "b_0003", "a_0002"),
    ):
        frames = open_finder(tmp_path / name)
        assert frames.index(given) == 1
        assert frames.index(other) is None
        with Project(frames) as project:
            assert project.folder == tmp_path / f"{name[0]}.jointvos"
            assert project.painted() == []
            project.paint(1, mask, [1])
            assert [path.stem for path in project.masks.iterdir()] == [given]
    with Project(open_finder(tmp_path / "a_%04d.png")) as project:
        assert project.painted() == [1]


def test_a_mask_with_a_large_id_in_the_folder_is_refused(clip):
    from PIL import Image

    with Project(open_finder(clip)) as project:
        Image.fromarray(np.full(SIZE, 300, np.uint16)).save(project.masks / "00002.png")
    with pytest.raises(MaskError, match=r"00002.png holds the ID 300, expected 1 to 254"):
        Project(open_finder(clip))


PAINTING = """
import sys
from pathlib import Path
import numpy as np
from jointvos.media.reading import open_finder
from jointvos.paint import Project

with Project(open_finder(Path(sys.argv[1]))) as project:
    print("open", flush=True)
    for number in range(1, 10**6):
        mask = np.full(project.size, 1, np.uint8)
        mask.flat[:number] = 0
        project.paint(number % 7, mask, [1])
        print(number, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_kill_in_the_middle_loses_at_most_the_stroke_it_was_at(clip):
    for seconds in (0.0, 0.05, 0.13):
        command = [sys.executable, "-c", PAINTING, str(clip)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout is not None
            assert run.stdout.readline() == "open\n"
            assert run.stdout.readline() == "1\n"
            time.sleep(seconds)
            os.kill(run.pid, signal.SIGKILL)
            last = int(["1", *run.stdout.read().split()][-1])
        frames = open_finder(clip)
        with Project(frames) as project:
            for number in range(max(1, last - 6), last + 1):
                erased = int((project.given(number % 7) == 0).sum())
                assert erased == number or erased == last + 1 == number + 7, (number, last)
            project.clear(0)
        frames.close()


def test_what_leaks_or_jumps_is_unsure_and_what_is_gone_is_lost(tmp_path):
    followed = Followed(tmp_path / "followed")

    def append(index, size, probability, given=()):
        mask = np.zeros(SIZE, np.uint8)
        mask[:size, :10] = 1
        state = ObjectState.of(1, mask > 0, np.full(SIZE, probability))
        followed.append(FrameResult(index, mask, (state,)), "forward", "key", given)

    sizes = [(10, 1.0), (11, 0.997), (11, 0.95), (20, 0.997), (0, 1.0), (40, 1.0)]
    for index, (size, probability) in enumerate(sizes):
        append(index, size, probability)
    append(6, 10, 1.0, given=(1,))
    found = [followed.frames[index].objects[0].certainty for index in range(7)]
    assert found == ["sure", "sure", "unsure", "unsure", "lost", "sure", "sure"]
    followed.close()
    again = Followed(tmp_path / "followed")
    assert again.frames == followed.frames
    again.close()
