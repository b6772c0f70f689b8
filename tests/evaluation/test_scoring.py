import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from trees import Reader, labels_of, predict, write_davis, write_youtubevos

from jointvos.datasets import davis_dataset, open_folders, youtubevos_dataset
from jointvos.errors import DatasetError, DatasetNotFound
from jointvos.evaluation import SequenceFailure, evaluate
from jointvos.evaluation.scoring import score_dataset, score_sequences

SEQUENCES = {"bear": (5, (1, 2)), "cow": (60, (3,)), "swan": (2, (1,))}


@pytest.fixture
def davis(tmp_path):
    return davis_dataset(write_davis(tmp_path / "davis", SEQUENCES))


@pytest.fixture
def masks(davis, tmp_path):
    return predict(davis, tmp_path / "run")


def series(results):
    return {
        (each.sequence, each.object_id): (each.frames, each.j.tolist(), each.f.tolist())
        for result in results
        for each in result.objects
    }


@pytest.mark.parametrize("processes", [1, 2])
def test_files_score_as_the_session_itself(davis, masks, processes):
    results = list(score_dataset(davis, masks, processes=processes))
    direct = evaluate(davis.sequences, Reader)
    assert [each.name for each in results] == list(SEQUENCES)
    assert series(results) == series(direct.sequences)
    assert 0 < direct.score.j_mean < 1
    assert results[2].notes == (
        "sequence swan has 2 frames with masks, so the last one is scored, too",
    )


def test_its_processes_do_without_torch():
    """They are spawned, and import what scores."""
    code = "import jointvos.evaluation.scoring, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_max_frames(davis, masks):
    results = list(score_dataset(davis, masks, max_frames=4))
    assert {each.name: each.frames for each in results} == {"bear": 2, "cow": 2, "swan": 1}


def one_failure(results):
    (failure,) = [each for each in results if isinstance(each, SequenceFailure)]
    assert failure.name == "cow"
    assert "\n" not in str(failure.error)
    return str(failure.error)


def save(labels):
    return lambda path: Image.fromarray(labels).save(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda path: path.unlink(), "lacks predicted masks for 00030", id="missing"),
        pytest.param(lambda path: path.write_bytes(b"x"), "00030.png cannot be read", id="damaged"),
        pytest.param(save(np.zeros((4, 5), np.uint8)), "00030.png is 5x4 but", id="size"),
        pytest.param(save(labels_of(30, (9,))), "00030.png holds the ID 9, which no", id="id"),
        pytest.param(save(labels_of(30, (255,))), "00030.png holds 255", id="void"),
        pytest.param(
            lambda path: shutil.copy(path, path.with_name("00077.png")),
            "00077.png belongs to no frame of sequence cow",
            id="extra",
        ),
        pytest.param(
            lambda path: shutil.rmtree(path.parent), "masks of sequence cow", id="no-folder"
        ),
    ],
)
def test_a_bad_prediction_is_named_and_the_others_are_scored(davis, masks, spoil, message):
    spoil(masks / "cow" / "00030.png")
    results = list(score_dataset(davis, masks))
    assert message in one_failure(results)
    assert {each.name for each in results} == set(SEQUENCES)


def test_a_bad_true_mask_is_named(davis, masks, tmp_path):
    path = tmp_path / "davis/Annotations/480p/cow/00030.png"
    Image.new("P", (7, 7)).save(path)
    assert f"but {path} is 7x7" in one_failure(score_dataset(davis, masks))


def test_the_last_true_mask_is_looked_at_though_it_is_not_scored(davis, masks, tmp_path):
    path = tmp_path / "davis/Annotations/480p/cow/00059.png"
    Image.new("P", (7, 7)).save(path)
    assert f"{path} is 7x7 but the first mask is 48x36" in one_failure(score_dataset(davis, masks))


def test_first_and_last_prediction_are_not_asked_for(davis, masks):
    expected = series(score_dataset(davis, masks))
    for name in ("00000", "00059"):
        (masks / "cow" / f"{name}.png").unlink()
    assert series(score_dataset(davis, masks)) == expected


def test_no_folder_at_all(davis, tmp_path):
    with pytest.raises(DatasetNotFound, match="gone is not a folder"):
        list(score_dataset(davis, tmp_path / "gone"))


def test_objects_that_come_later_are_told_but_not_scored(davis, masks, tmp_path):
    late = tmp_path / "davis/Annotations/480p/cow/00040.png"
    Image.fromarray(labels_of(40, (3, 8))).save(late)
    Image.fromarray(labels_of(41, (3, 8))).save(masks / "cow/00041.png")
    cow = next(each for each in score_dataset(davis, masks) if each.name == "cow")
    assert [each.object_id for each in cow.objects] == [3]
    assert cow.notes == (
        "objects that appear after the first mask of sequence cow are not scored: 8",
    )


def test_2016_merges_and_takes_black_and_white(tmp_path):
    dataset = davis_dataset(write_davis(tmp_path / "d", {"bear": (4, (1, 2))}, 2016), 2016)
    folder = tmp_path / "masks" / "bear"
    folder.mkdir(parents=True)
    for index in range(4):
        Image.fromarray(255 * (labels_of(index, (1, 2)) > 0).astype(np.uint8)).save(
            folder / f"{index:05d}.png"
        )
    (result,) = score_dataset(dataset, tmp_path / "masks")
    (only,) = result.objects
    assert (only.object_id, only.j.tolist(), only.f.tolist()) == (1, [1, 1], [1, 1])


def test_two_folders_of_masks(davis, masks, tmp_path):
    truth = open_folders(tmp_path / "davis")
    assert series(score_dataset(truth, masks)) == series(score_dataset(davis, masks))


def test_two_folders_of_black_and_white_masks(tmp_path):
    for root, late, white in (("true", 0, 255), ("white", 1, 255), ("palette", 1, 1)):
        for name in ("bear", "cow"):
            (tmp_path / root / name).mkdir(parents=True)
            for index in range(4):
                labels = labels_of(max(index - late, 0), (1, 2)) > 0
                path = tmp_path / root / name / f"{index:05d}.png"
                Image.fromarray(labels.astype(np.uint8) * np.uint8(white)).save(path)
    truth = open_folders(tmp_path / "true")
    assert truth.notes == ("black-and-white masks (0 and 255) count as one object",)
    white = series(score_dataset(truth, tmp_path / "white"))
    assert [key[1] for key in white] == [1, 1]
    assert white == series(score_dataset(truth, tmp_path / "palette"))
    first = labels_of(1, (1, 2)) > 0, labels_of(0, (1, 2)) > 0
    expected = (first[0] & first[1]).sum() / (first[0] | first[1]).sum()
    (result, _) = score_dataset(truth, tmp_path / "white")
    assert result.objects[0].j[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("extra", "accepted"), [("00003", True), ("00009", False)], ids=["in-a-gap", "past-the-end"]
)
def test_true_masks_for_some_frames_only(masks, tmp_path, extra, accepted):
    for index in range(60):
        if index not in (0, 2, 4, 6, 8):
            (tmp_path / f"davis/Annotations/480p/cow/{index:05d}.png").unlink()
            if f"{index:05d}" != extra:
                (masks / f"cow/{index:05d}.png").unlink()
    results = {each.name: each for each in score_dataset(open_folders(tmp_path / "davis"), masks)}
    if accepted:
        assert results["cow"].objects[0].frames == (1, 2, 3)
        (note,) = results["cow"].notes
        assert "no true masks for 1 predicted frames, the first 00003" in note
    else:
        assert "00009.png belongs to no frame" in str(results["cow"].error)


@pytest.mark.parametrize("all_frames", [False, True], ids=["listed", "all"])
def test_youtubevos_scores_each_object_after_its_first_frame(tmp_path, all_frames):
    dataset = youtubevos_dataset(write_youtubevos(tmp_path / "y", all_frames=all_frames))
    masks = predict(dataset, tmp_path / "run")
    assert sorted(path.name for path in (masks / "0a").iterdir()) == [
        f"{frame:05d}.png" for frame in range(5, 30, 5)
    ]
    results = list(score_dataset(dataset, masks))
    stems = {
        (sequence.name, each.object_id): [sequence.frames[i].stem for i in each.frames]
        for sequence, result in zip(dataset.sequences, results, strict=True)
        for each in result.objects
    }
    assert stems == {
        ("0a", 1): ["00010", "00015", "00020", "00025"],
        ("0a", 3): ["00020", "00025"],
        ("9z", 2): ["00005", "00010", "00015"],
    }
    seen = [each.seen for result in results for each in result.objects]
    assert seen == [True, False, False]
    for result in results:
        for each in result.objects:
            # The session is one column too wide: 8 x 10 of 8 x 11 pixels.
            np.testing.assert_allclose(each.j, 80 / 88)


def test_youtubevos_without_the_truth_of_one_video(tmp_path):
    root = write_youtubevos(tmp_path / "y")
    (root / "valid/Annotations/0a/00020.png").unlink()
    dataset = youtubevos_dataset(root)
    masks = predict(dataset, tmp_path / "run")
    failure, sound = score_dataset(dataset, masks)
    assert sound.name == "9z"
    with pytest.raises(DatasetError, match="0a lacks true masks for 00020"):
        raise failure.error


def test_nothing_planned_is_nothing_scored():
    assert list(score_sequences([])) == []
