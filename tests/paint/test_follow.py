import numpy as np
import pytest
from studio import CUT, FRAMES, SIZE, square

from jointvos.paint.export import job_of
from jointvos.runs import Outputs, SegmentedFrame, segment_video


def segmented(studio):
    """What `segment` finds with the masks of the project."""
    job = job_of(studio.project, studio.clip, studio.spec, Outputs())
    events = segment_video(job)
    return [event.result for event in events if isinstance(event, SegmentedFrame)]


def check_like_segment(studio, begin=0):
    for result in segmented(studio)[begin:]:
        assert studio.project.fits(result.index)
        kept = studio.project.followed.result(result.index)
        assert np.array_equal(kept.labels, result.labels), result.index
        assert kept.objects == result.objects, result.index
        assert kept.cut == result.cut, result.index


def blob(row, column, id, size=16):
    mask = np.zeros(SIZE, np.uint8)
    mask[row : row + size, column : column + size] = id
    return mask


def test_following_is_what_segment_does(studio):
    studio.paint(0, square() + blob(65, 5, 2), "1,2")
    ended = studio.follow()
    assert (ended["why"], ended.get("error")) == ("end", None)
    assert studio.project.done["forward"] == FRAMES - 1
    check_like_segment(studio)
    assert any(studio.project.followed.frames[i].cut for i in range(CUT - 2, CUT + 4))
    frames = [event["frame"] for event in studio.told if event["kind"] == "frame"]
    assert frames == list(range(FRAMES))


@pytest.mark.parametrize("first", [3, CUT - 1, CUT, CUT + 1, 18])
def test_a_first_mask_before_or_behind_a_cut(studio, first):
    studio.paint(first, square(first), "1")
    studio.follow()
    check_like_segment(studio, first)


def test_corrections_and_late_objects_go_in_as_with_segment(studio):
    studio.paint(0, square(), "1")
    studio.follow()
    studio.paint(11, square(11), "1")
    assert studio.project.done["forward"] == 10
    studio.follow()
    shown = studio.mask(17)
    late = blob(65, 20, 2)
    studio.paint(17, np.where(late > 0, late, shown), "2")
    studio.follow()
    check_like_segment(studio)
    assert {each.id for each in studio.project.followed.result(18).objects} == {1, 2}


def test_it_goes_on_behind_a_pause_and_in_another_process(studio, reopened):
    studio.paint(0, square(), "1")
    pause_at(studio, 5)
    done = studio.project.done["forward"]
    assert 5 <= done < FRAMES - 1
    studio.__exit__()
    with reopened() as again:
        assert again.project.done["forward"] == done
        again.follow()
        frames = [event["frame"] for event in again.told if event["kind"] == "frame"]
        assert frames == list(range(done + 1, FRAMES))
        check_like_segment(again)
        again.follow()  # there is nothing left to do
    studio.__enter__()


def pause_at(studio, frame):
    studio.client.post("follow", json={"way": "forward"})
    while studio.until("frame")["frame"] < frame:
        pass
    assert studio.client.post("pause").status_code == 200
    studio.until("paused")


def test_painting_behind_the_frame_that_is_followed_stops_it(studio):
    studio.paint(0, square(), "1")
    studio.client.post("follow", json={"way": "forward"})
    while studio.until("frame")["frame"] < 4:
        pass
    studio.paint(2, square(2), "1")
    assert studio.until("paused")["why"] in ("changed", "end")
    assert studio.project.done["forward"] == 1
    studio.follow()
    check_like_segment(studio)


def test_a_change_that_is_taken_back_costs_nothing(studio):
    studio.paint(0, square(), "1")
    studio.paint(9, square(9), "1")
    studio.follow()
    shown = studio.mask(4)
    studio.paint(4, square(4), "1")
    assert studio.project.done["forward"] == 3
    studio.client.delete("mask/4")
    assert studio.project.done["forward"] == FRAMES - 1
    studio.paint(9, square(9, 2), "2")
    assert studio.project.done["forward"] == 8
    studio.paint(9, square(9), "1")
    assert studio.project.done["forward"] == FRAMES - 1
    assert np.array_equal(studio.mask(4), shown)
    check_like_segment(studio)


def test_a_correction_goes_on_from_the_last_state_before_it(studio):
    studio.paint(0, square(), "1")
    studio.follow()
    studio.told.clear()
    studio.paint(18, square(18), "1")
    studio.follow()
    notes = [event["text"] for event in studio.told if event["kind"] == "note"]
    assert len([note for note in notes if "Going back" in note]) < 10
    check_like_segment(studio)


def test_both_ways_from_the_middle(studio):
    studio.paint(9, square(9), "1")
    studio.follow("backward")
    assert studio.project.done == {"forward": 9, "backward": 0}
    studio.follow("forward")
    assert studio.project.direction == "both"
    check_like_segment(studio)


def test_without_a_way_back_only_later_frames_are_followed(studio):
    studio.paint(9, square(9), "1")
    studio.follow()
    assert studio.project.direction == "forward"
    check_like_segment(studio, begin=9)
    assert studio.project.followed.result(8) is None


def test_an_earlier_mask_begins_everything_anew(studio):
    studio.paint(9, square(9), "1")
    studio.follow("backward")
    studio.follow()
    studio.paint(4, square(4), "1")
    assert studio.project.done == {"forward": None, "backward": None}
    studio.follow("forward")
    studio.follow("backward")
    check_like_segment(studio)


def test_another_model_begins_anew(studio, spec):
    from dataclasses import replace

    studio.paint(0, square(), "1")
    studio.follow()
    studio.follower._spec = replace(spec, template_interval=5)
    studio.follower._model = None
    studio.follow()
    assert sum(event["kind"] == "frame" for event in studio.told) == 2 * FRAMES


def test_what_goes_wrong_is_told_and_following_can_go_on(studio):
    studio.paint(0, square(), "1")
    mask = studio.project.masks / "00000.png"
    whole = mask.read_bytes()
    mask.write_bytes(whole[:60])
    assert "00000.png" in studio.follow()["error"]
    mask.write_bytes(whole)
    assert studio.follow()["why"] == "end"


@pytest.mark.parametrize("cuts", ["off", "reset"])
def test_cuts_are_minded_as_by_segment(clip, spec, cuts):
    from dataclasses import replace

    from studio import Studio

    with Studio(clip, replace(spec, cuts=cuts)) as studio:
        studio.paint(0, square(), "1")
        studio.follow()
        check_like_segment(studio)
